"""Finds what people type in a query by habit: `house -car`, `a | b`, `dogs and cats`, `folder:Rom`.

All of these are searched as text, because each may be just that. A note says so, and how to write
what was probably meant.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from sigseek.errors import Call, Remedy, escaped
from sigseek.search.errors import QuerySyntaxError, printable
from sigseek.search.facts.kinds import OTHER_NAMES
from sigseek.search.facts.known_names import KnownNames
from sigseek.search.parse import SMALL_OPERATORS, parse
from sigseek.search.tokens import TERMS, TERMS_IN_WORDS, Token, tokens

_SIGNS = re.compile(r"(\|\|?|&&)")
"""Signs that may stand for an operator even without spaces around them."""
_PREFIXED = re.compile(r"(?P<sign>[-–−!+])(?P<word>[^\W\d_].*)")
"""A word with a sign before it that leaves it out, or asks for it, in other programs. Dashes as
word processors make them count as well.
"""
_NAMED = re.compile(r"(?P<name>[a-z]{2,20}):(?P<value>(?!//).+)", re.IGNORECASE)
"""A word that looks like a term. With two slashes after the colon it is an address."""
_NEAR = 0.75
"""How much alike the name before a colon and that of a term must be, 0 to 1."""
_COLORS = {
    "black", "white", "red", "green", "blue", "yellow", "orange", "purple", "pink", "brown", "grey",
    "gray", "gold", "silver",
}  # fmt: skip
"""Colours: `black and white` describes one thing."""
_VERBS = {
    "is", "are", "was", "were", "be", "do", "does", "did", "can", "could", "has", "have", "had",
    "will", "would",
}  # fmt: skip
"""Words after which `not` is a part of a sentence."""
_QUOTED, _FACT = '""', '":"'
"""What stands for a quoted part and for a fact beside the words of a text. No word is like them."""
_MOST_NAMED, _LONGEST = 3, 30
"""How many of the words and signs a note repeats, and how many characters of each."""
_LONGEST_QUERY = 200
"""The longest query that a note spells out, in characters."""


@dataclass(frozen=True)
class _Part:
    """A word of a text, and what it may stand for."""

    kind: Literal["text", "term", "operator", "quoted", "fact"]
    meant: str
    """The word itself, a term, or an operator in capitals. It is empty for a quoted part beside the
    text, which is not a part of it.
    """
    typed: str = ""
    """What was typed, if it may stand for something else."""


def note_on_habits(query: str, names: KnownNames | None = None) -> Remedy | None:
    """Return a note on words and signs of a query that other programs read as operators or terms.

    It is None if there are none, or if the query cannot be read. Quotation marks take a text
    literally, so what is between them is passed over, as are the `names` of several words.
    """
    if not _can_be_read(query):
        return None
    meant, end = "", 0
    typed: list[str] = []
    unknown: list[str] = []
    there = list(tokens(query, names))
    for place, text in enumerate(there):
        if text.kind != "words":
            continue
        start = text.column - 1
        before = _mark(there[place - 1]) if place else ""
        parts = list(_parts(text.typed, before, _mark(there[place + 1])))
        typed += [part.typed for part in parts if part.typed]
        unknown += [part.meant for part in parts if part.kind == "text" and _names_term(part.meant)]
        meant += query[end:start] + _joined(parts)
        end = start + len(text.typed)
    return _note(typed, unknown, meant + query[end:])


def _note(typed: Sequence[str], unknown: Sequence[str], meant: str) -> Remedy | None:
    """Return the note that names what was typed, and the query that was probably meant."""
    named = list(dict.fromkeys([*typed, *unknown]))
    if not named:
        return None
    text = escaped(f"{in_short(named)} {'was' if len(named) == 1 else 'were'} searched as text")
    if unknown:
        text += f"; the terms with a colon are {TERMS_IN_WORDS}"
    if typed and len(meant) <= _LONGEST_QUERY and _can_be_read(meant):
        return Remedy(f"{text}; you may have meant: {{}}", (Call("search", (meant,)),))
    return Remedy(f"{text}; the operators are AND, OR and NOT, in capitals" if typed else text)


def _mark(token: Token) -> str:
    """Return what stands for a neighbour of a text among the words, if an operator may be between.

    A quoted part beside it belongs to the same text, or the query could not be read. Beside a fact
    no AND is needed, so a text may begin or end with what stands for one.
    """
    return _QUOTED if token.kind == "quoted" else _FACT if token.is_fact else ""


def _parts(text: str, before: str, after: str) -> Iterator[_Part]:
    """Yield the words of a text with what each may stand for, and the marks of what is beside
    it.
    """
    words = [part for word in text.split() for part in _SIGNS.split(word) if part]
    words = [mark for mark in (before, *words, after) if mark]
    for place, word in enumerate(words):
        prefixed = _PREFIXED.fullmatch(word)
        if word in (_QUOTED, _FACT):
            yield _Part("quoted" if word == _QUOTED else "fact", "")
        elif _is_but_not(words, place):
            yield _Part("operator", "NOT", f"{word} {words[place + 1]}")
        elif _is_but_not(words, place - 1):
            continue  # it was yielded with the word before it
        elif operator := _operator(words, place):
            yield _Part("operator", operator, word)
        elif prefixed:
            yield _Part("operator", "AND" if prefixed["sign"] == "+" else "NOT", word)
            yield _Part("term", _near_term(prefixed["word"]) or prefixed["word"])
        elif term := _near_term(word):
            yield _Part("term", term, word)
        else:
            yield _Part("text", word)


def _joined(parts: Sequence[_Part]) -> str:
    """Return the parts as a query. An AND is added between a term and what is beside it."""
    query: list[str] = []
    last = ""
    for part in parts:
        if part.kind in ("quoted", "fact"):
            last = "text" if part.kind == "quoted" else "fact"  # which needs no AND
            continue
        if {last, part.kind} in ({"term"}, {"term", "text"}):
            query.append("AND")
        if not last and part.kind == "operator" and part.meant == "AND":
            continue  # `+cat` at the beginning
        query.append(part.meant)
        last = part.kind
    return " ".join(query)


def _operator(words: Sequence[str], place: int) -> str | None:
    """Return the operator that the word at this place may stand for."""
    if place + 1 == len(words):
        return None
    operator = SMALL_OPERATORS.get(words[place].lower())
    before, after = words[place - 1].lower() if place else "", words[place + 1].lower()
    if operator == "NOT":
        return None if before in _VERBS else "NOT"
    if not before or (before in _COLORS and after in _COLORS):
        return None
    return operator


def _is_but_not(words: Sequence[str], place: int) -> bool:
    """Return whether `but not` begins at this place, between two texts."""
    between = 0 < place < len(words) - 2
    return between and [word.lower() for word in words[place : place + 2]] == ["but", "not"]


def _near_term(word: str) -> str | None:
    """Return the word as a term, if it has a colon after a name near that of a term."""
    match = _NAMED.fullmatch(word)
    if match is None:
        return None
    name = match["name"].lower()
    near = [OTHER_NAMES[name]] if name in OTHER_NAMES else get_close_matches(name, TERMS, 1, _NEAR)
    term = f"{near[0]}:{match['value']}" if near else ""
    return term if term and _can_be_read(term) else None


def _names_term(word: str) -> bool:
    return _NAMED.fullmatch(word) is not None


def in_short(named: Sequence[str]) -> str:
    """Return the first of what was typed, each in quotation marks and cut if it is long."""
    short = [word if len(word) <= _LONGEST else f"{word[: _LONGEST - 1]}…" for word in named]
    shown = [f"'{printable(word)}'" for word in short[:_MOST_NAMED]]
    more = len(named) - len(shown)
    if more:
        shown.append(f"{more:,} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _can_be_read(query: str) -> bool:
    try:
        parse(query)
    except QuerySyntaxError:
        return False
    return True
