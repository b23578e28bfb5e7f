"""Reads a typed query into a tree. docs/queries.md has the grammar and its reasons."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import NoReturn

from sigseek.search.errors import FactError, QueryError, QuerySyntaxError, printable
from sigseek.search.facts.kinds import KINDS, NAMES_OF_PERIODS, OTHER_NAMES
from sigseek.search.facts.known_names import KnownNames
from sigseek.search.facts.values import FactValueError
from sigseek.search.query import (
    And,
    Fact,
    Leaf,
    Or,
    PhotoById,
    PhotoTerm,
    Query,
    Tag,
    Text,
    is_factual,
    joined,
    negated,
    quoted,
)
from sigseek.search.tokens import QUOTED, TERMS_IN_WORDS, Token, tokens

MOST_NESTED = 50
MOST_WEIGHT = 100

SMALL_OPERATORS = {
    "and": "AND", "&": "AND", "&&": "AND", "+": "AND", "or": "OR", "|": "OR", "||": "OR",
    "not": "NOT",
}  # fmt: skip
"""Words and signs of a text that may stand for an operator."""

_UNCLOSED = "( is never closed", "add a ) where it ends, or quote the text it belongs to"

_PHOTO_NAME = re.compile(r"\w+-\w+")
"""A name that a picture was given, and no path."""
_PHOTO_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_NAME_OF_TERM = re.compile(r"(?<!\S)[a-z]+:$", re.IGNORECASE)


def parse(
    query: str,
    *,
    names: KnownNames | None = None,
    photos: Mapping[str, str | os.PathLike[str]] | None = None,
) -> Query:
    """Return the tree of a query as typed.

    `names` tells which values of facts go on behind a space, as in `place:New York`. `photos` has
    files by the names that `photo:NAME` may give them. With it, `photo:PATH` is refused, which
    would let somebody elsewhere ask about any file of this machine.

    Raises QuerySyntaxError, which knows the column, for a query that cannot be read.
    """
    return _Parser(query, names, photos).parse()


class _Parser:
    """A recursive descent parser with a method for every rule of the grammar."""

    def __init__(
        self,
        query: str,
        names: KnownNames | None,
        photos: Mapping[str, str | os.PathLike[str]] | None,
    ) -> None:
        self._query = query
        self._photos = photos
        self._tokens = tokens(query, names)
        self._last = Token("start", "", 1)
        self._next = next(self._tokens)
        self._nested = 0

    def parse(self) -> Query:
        query = self._disjunction()
        if self._next.kind != "end":
            self._refuse_continuation()
        return query

    def _disjunction(self) -> Query:
        parts = [self._conjunction()]
        while self._take("OR"):
            parts.append(self._conjunction())
        return joined(Or, parts)

    def _conjunction(self) -> Query:
        parts = [self._negation()]
        while True:
            if self._take("AND") or self._next.is_mark("NOT") or self._is_beside_fact(parts[-1]):
                parts.append(self._negation())
            elif self._next.is_mark("("):
                parts.append(self._group_of_facts())
            else:
                return joined(And, parts)

    def _is_beside_fact(self, part: Query) -> bool:
        """Return whether what comes next is joined to the part without AND: a fact on either side
        cannot be a part of a text.
        """
        return self._next.is_fact or (self._next.begins_term and is_factual(part))

    def _group_of_facts(self) -> Query:
        """Read a group beside a text. Anything but facts in it may be meant as a part of the text,
        so it is refused where it begins.
        """
        last, opened = self._last, self._next
        try:
            group = self._negation()
        except FactError:
            raise
        except QuerySyntaxError:
            group = None
        if group is None or not is_factual(group):
            self._last, self._next = last, opened
            self._refuse_continuation()
        return group

    def _negation(self) -> Query:
        negations = 0
        while self._take("NOT"):
            negations += 1
        part = self._factor()
        return negated(part) if negations % 2 else part

    def _factor(self) -> Query:
        part = self._group() if self._take("(") else self._term()
        weighted = part.weight != 1
        while self._next.kind == "weight":
            if weighted:
                self._fail(
                    self._next, f"{self._next} is a second weight for the same part", "give it one"
                )
            part, weighted = replace(part, weight=self._weight()), True
            self._advance()
        return part

    def _group(self) -> Query:
        opened = self._last
        self._nested += 1
        if self._nested > MOST_NESTED:
            self._fail(
                opened,
                f"more than {MOST_NESTED} parentheses inside each other",
                "leave out those that are not needed",
            )
        part = self._disjunction()
        if self._next.kind == "end":
            self._fail(opened, *_UNCLOSED)
        if not self._take(")"):
            self._refuse_continuation()
        self._nested -= 1
        return part

    def _term(self) -> Leaf:
        if self._next.kind not in ("keyed", "quoted", "words"):
            self._refuse_beginning()
        if self._next.kind != "keyed":
            return self._text()
        token = self._advance()
        key, _, typed = token.typed.partition(":")
        value = typed
        if quoted_part := re.match(f"(=?)({QUOTED})", typed, re.DOTALL):
            equals, name = quoted_part.groups()
            value = equals + self._unquoted(name) + typed[quoted_part.end() :]
        match key.lower():
            case "tag":
                return Tag(value, typed=self._query, column=token.column + len(key) + 1)
            case "photo":
                return self._photo(token, value, is_number=quoted_part is None)
            case name:
                return self._fact(name, value, token.column + len(name) + 1)

    def _photo(self, token: Token, value: str, *, is_number: bool) -> Leaf:
        """Return the term of a photo: by its number in the library unless that is quoted, else by
        the name or the path of a file.
        """
        if is_number and _PHOTO_ID.fullmatch(value):
            return PhotoById(int(value))
        if self._photos is None:
            return PhotoTerm(value)
        if value not in self._photos:
            found, remedy = "names a file", "over HTTP a photo is named by its number"
            if _PHOTO_NAME.fullmatch(value):
                found = "names no picture that is kept here"
                remedy = "send the picture again, or name a photo by its number"
            self._fail(token, f"{token} {found}", f"{remedy}, as in photo:17")
        file = self._photos[value]
        if not isinstance(file, str | os.PathLike) or not os.fspath(file):
            raise QueryError(
                f"{printable(repr(file))} is not the path of a photo",
                "named_photos must have a path for each name",
            )
        return PhotoTerm(value, file=os.fspath(file))

    def _fact(self, name: str, value: str, column: int) -> Fact:
        try:
            read = KINDS[name](value)
        except FactValueError as problem:
            raise FactError(self._query, column, problem.found, problem.remedy) from None
        return Fact(NAMES_OF_PERIODS.get(name, name), read, typed=self._query, column=column)

    def _text(self) -> Text:
        """Read a text. It may have quoted parts, with a small operator beside each: `"a dog" and a
        beach` says the same as `"a dog and a beach"`.
        """
        parts: list[str] = []
        while not parts or _are_one_text(self._last, self._next):
            token = self._advance()
            parts.append(token.typed if token.kind == "words" else self._unquoted(token.typed))
        return Text(" ".join(parts))

    def _unquoted(self, typed: str) -> str:
        if not typed[1:-1].strip():
            self._fail(
                self._last,
                f"{self._last} has nothing between its quotation marks",
                "write something there",
            )
        return re.sub(r'\\(["“”„\\])', r"\1", typed[1:-1])

    def _weight(self) -> float:
        typed = self._next.typed[1:]
        weight = float(typed) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", typed) else 0.0
        if not 0 < weight <= MOST_WEIGHT:
            expected = f"a weight is a number above 0 and up to {MOST_WEIGHT}, as in dog^2"
            self._fail(
                self._next,
                f"{self._next} is not a weight",
                f"{expected}; a text with ^ in it needs quotation marks",
            )
        return weight

    def _advance(self) -> Token:
        self._last = self._next
        self._next = next(self._tokens, self._next)
        return self._last

    def _take(self, mark: str) -> bool:
        taken = self._next.is_mark(mark)
        if taken:
            self._advance()
        return taken

    def _refuse_beginning(self) -> NoReturn:
        """Raise the error for something other than a term where a term must begin."""
        last, token = self._last, self._next
        if token.kind == "weight":
            self._fail(
                token,
                f"{token} without a term before it",
                "write it after one, as in dog^2, or quote the text",
            )
        if last.is_mark("("):
            if token.kind == "end":
                self._fail(last, *_UNCLOSED)
            if token.is_mark(")"):
                self._fail(last, "nothing between ( and )", "write a term there, or leave them out")
        if last.is_operator and not token.is_operator:
            where = "at the end of the query" if token.kind == "end" else f"before {token}"
            self._fail(
                last,
                f"{last} {where}",
                f"a term is expected after it, or quote the word: {quoted(last.typed)}",
            )
        if token.is_operator:
            where = (
                "at the beginning of the query" if last.kind == "start" else f"right after {last}"
            )
            self._fail(
                token,
                f"{token} {where}",
                f"a term is expected before it, or quote the word: {quoted(token.typed)}",
            )
        if token.kind == "end":
            self._fail(
                token,
                "the query is empty",
                "describe what the photo shows, for example: a red house",
            )
        self._refuse_closing()

    def _refuse_continuation(self) -> NoReturn:
        """Raise the error for something that cannot follow a finished part."""
        if not self._next.begins_term:
            self._refuse_closing()
        self._refuse_unknown_term()
        problem = f"{self._next} right after another term"
        operator = SMALL_OPERATORS.get(self._next.typed.split()[0].lower())
        if operator:
            self._fail(
                self._next,
                problem,
                f"an operator is in capitals, so write {operator}, or quote the whole text",
            )
        remedy = "write AND, OR or NOT, in capitals, between them, or quote"
        if self._last.kind == "keyed":
            key = self._last.typed.partition(":")[0]
            self._fail(self._next, problem, f'{remedy} what {key}: names, as in {key}:"two words"')
        inside = ', with \\" for a quotation mark inside it' if self._next.kind == "quoted" else ""
        self._fail(self._next, problem, f"{remedy} the whole text{inside}")

    def _refuse_unknown_term(self) -> None:
        """Raise the error for a term whose name does not exist, as in folder:"My photos"."""
        last, end = self._last, self._last.column + len(self._last.typed)
        name = _NAME_OF_TERM.search(last.typed) if last.kind == "words" else None
        if name and self._next.kind == "quoted" and self._next.column == end:
            token = Token("words", name[0], last.column + name.start())
            meant = OTHER_NAMES.get(name[0][:-1].lower())
            self._fail(
                token,
                f"{token} does not begin a term",
                (f"write {meant}:, or " if meant else f"those with a colon are {TERMS_IN_WORDS}; ")
                + 'for a quotation mark inside a text write \\" and quote the whole text',
            )

    def _refuse_closing(self) -> NoReturn:
        self._fail(
            self._next, ") without a ( before it", "leave it out, or quote the text it belongs to"
        )

    def _fail(self, token: Token, problem: str, remedy: str) -> NoReturn:
        raise QuerySyntaxError(self._query, token.column, problem, remedy)


def _are_one_text(first: Token, second: Token) -> bool:
    """Return whether a small operator joins the two, one of which is quoted and the other is not.

    Elsewhere words beside quotation marks are refused, because these may mean grouping or may be
    characters.
    """
    match first.kind, second.kind:
        case "quoted", "words":
            beside = second.typed.split()[:2]
        case "words", "quoted":
            beside = first.typed.split()[-1:]
        case _:
            return False
    words = [word.lower() for word in beside]
    return words[0] in SMALL_OPERATORS or words == ["but", "not"]
