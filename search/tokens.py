"""The pieces of a query: operators, parentheses, weights, terms with a colon, and texts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sigseek.search.errors import QuerySyntaxError, printable
from sigseek.search.facts.kinds import KINDS
from sigseek.search.facts.known_names import KnownNames
from sigseek.search.facts.places import UNIT

TERMS = ("photo", "tag", *KINDS)
"""The names of terms with a colon."""
TERMS_IN_WORDS = f"{', '.join(f'{name}:' for name in TERMS[:-1])} and {TERMS[-1]}:"

_LETTER = r'[^\s()^"“”„]'
_OPERATOR = rf"(?:AND|OR|NOT)(?!{_LETTER})"
_KEY = rf"(?:(?i:{'|'.join(TERMS)}):)"
# A straight quotation mark is closed by a straight one, a curly one by a curly one: “so”, „so“ or
# ”so”.
QUOTED = r'(?:"(?:\\.|[^"\\])*+"|[“”„](?:\\.|[^“”\\])*+[“”])'
"""The expression of anything between quotation marks."""
_DISTANCE = rf"(?:(?:\s*+,\s*+|\s++)\d++(?:\.\d*+)?\s?(?i:{UNIT})(?!{_LETTER})|,{_LETTER}++)"
"""The expression of a distance behind a quoted place, as in `near:"Lisbon", 50 km`."""
# Every character but white space begins one of these, so `finditer` leaves out nothing else.
_TOKEN = re.compile(
    rf"""
      (?P<mark>[()]|{_OPERATOR})
    | (?P<weight>\^{_LETTER}*+)
    | (?P<keyed>(?i:near):{QUOTED}{_DISTANCE}|{_KEY}(?:=?+{QUOTED}|{_LETTER}++))
    | (?P<quoted>{QUOTED})
    | (?:{_KEY}=?+)?+(?P<unclosed>["“”„])
    | (?P<key>{_KEY})
    | (?P<words>{_LETTER}++(?:\s++(?!{_OPERATOR}|{_KEY}["“”„]|{_KEY}{_LETTER}){_LETTER}++)*+)
    """,
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(
    rf"""{_KEY}?{QUOTED} | ["“”„].* | [()] | \^{_LETTER}*+ | {_LETTER}++""", re.VERBOSE | re.DOTALL
)
_QUOTATION_MARK = re.compile('["“”„]')


@dataclass(frozen=True)
class Token:
    """A piece of a query as typed."""

    kind: Literal["mark", "weight", "keyed", "quoted", "words", "start", "end"]
    typed: str
    column: int
    """The number of its first character in the query, from 1."""

    @property
    def is_operator(self) -> bool:
        """Whether it is AND, OR or NOT."""
        return self.kind == "mark" and self.typed not in ("(", ")")

    @property
    def begins_term(self) -> bool:
        """Whether a term, or a group of terms, begins with it."""
        return self.kind in ("keyed", "quoted", "words") or self.is_mark("(")

    @property
    def is_fact(self) -> bool:
        """Whether it is a fact or a tag."""
        return self.kind == "keyed" and not self.typed.lower().startswith("photo:")

    def is_mark(self, typed: str) -> bool:
        """Return whether it is this operator or parenthesis."""
        return self.kind == "mark" and self.typed == typed

    def __str__(self) -> str:
        return printable(self.typed if len(self.typed) <= 30 else self.typed[:29] + "…")


def length_at(query: str, column: int) -> int:
    """Return how many characters the piece, or the value of a fact, has that begins at this column
    of a query; 0 at the end. Of a value in several words without quotation marks only the first
    word counts.
    """
    part = _PART.match(query, column - 1)
    return len(part[0]) if part else 0


def tokens(query: str, names: KnownNames | None = None) -> Iterator[Token]:
    """Yield the pieces of a query. Raises QuerySyntaxError for one that cannot be any of them.

    `names` tells how many of the words behind a fact belong to its value. Without it, only the
    names of dates are known, such as `last month`.
    """
    names = names or KnownNames()
    pieces = _pieces(query)
    pending: Token | None = None
    while token := pending or next(pieces, None):
        pending = None
        if token.is_fact and not _QUOTATION_MARK.search(token.typed):
            pending = next(pieces)
            if pending.kind == "words":
                token, pending = _whole_fact(query, token, pending, names)
        yield token


def _whole_fact(
    query: str, fact: Token, words: Token, names: KnownNames
) -> tuple[Token, Token | None]:
    """Return the fact with all words of its value, and the words that are left, if any are."""
    name, _, value = fact.typed.partition(":")
    start = fact.column - 1 + len(fact.typed)
    end = words.column - 1 + len(words.typed)
    start += names.length(name.lower(), value, query[start:end])
    left = query[start:end].lstrip()
    whole = Token("keyed", query[fact.column - 1 : start], fact.column)
    return whole, Token("words", left, end - len(left) + 1) if left else None


def _pieces(query: str) -> Iterator[Token]:
    """Yield the pieces of a query, each fact with the first word of its value."""
    for match in _TOKEN.finditer(query):
        kind, typed, column = match.lastgroup, match[0], match.start() + 1
        match kind:
            case "unclosed":
                mark = match["unclosed"]
                raise QuerySyntaxError(
                    query,
                    match.start("unclosed") + 1,
                    f"{mark} is never closed",
                    'close it, or write \\" for a quotation mark inside a quoted text',
                )
            case "key":
                raise QuerySyntaxError(
                    query,
                    column,
                    f"{typed} with nothing right after it",
                    f'write {typed}"..." without a space, or quote the text',
                )
            case "mark" | "weight" | "keyed" | "quoted" | "words":
                yield Token(kind, typed, column)
    yield Token("end", "", len(query) + 1)
