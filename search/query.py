"""A query as a tree. `sigseek.search.parse` makes it from what the user typed; `str` prints it
in one canonical form.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from sigseek.search.facts.kinds import KINDS
from sigseek.search.facts.values import FactValue


@dataclass(frozen=True)
class Text:
    """What a photo shows, in words."""

    text: str
    """The text is never empty or blank, and the model reads it exactly as typed."""
    weight: float = 1.0
    """The weight is above 0 and at most 100. The enclosing part applies it: AND as p^w, OR as
    1-(1-p)^w.
    """

    def __str__(self) -> str:
        return quoted(self.text) + _caret(self.weight)


@dataclass(frozen=True)
class PhotoTerm:
    """Likeness to the photo in a file."""

    path: str
    """The path as typed. It is not made absolute, and the file may not exist."""
    weight: float = 1.0
    file: str | None = None
    """The path of the file where `path` is only a name that was given to it."""

    def __str__(self) -> str:
        return f"photo:{quoted(self.path)}{_caret(self.weight)}"


@dataclass(frozen=True)
class PhotoById:
    """Likeness to a photo of the library."""

    id: int
    """The photo's number in its library."""
    weight: float = 1.0

    def __str__(self) -> str:
        return f"photo:{self.id}{_caret(self.weight)}"


@dataclass(frozen=True)
class Tag:
    """A tag that a photo has been given."""

    name: str
    weight: float = 1.0
    typed: str = field(default="", compare=False)
    """The query in which it was typed, for errors; empty for one that was not typed."""
    column: int = field(default=1, compare=False)
    """The column of the name there, in characters, from 1."""

    def __str__(self) -> str:
        return f"tag:{quoted(self.name)}{_caret(self.weight)}"


@dataclass(frozen=True)
class Fact:
    """Something that is known of a photo, such as when it was taken. Its probability is 1 or 0."""

    name: str
    """The kind of fact, "place" for example."""
    value: FactValue
    weight: float = 1.0
    typed: str = field(default="", compare=False)
    """The query in which it was typed, for errors; empty for one that was not typed."""
    column: int = field(default=1, compare=False)
    """The column of the value there, in characters, from 1."""

    def __str__(self) -> str:
        return f"{self.name}:{quoted(str(self.value))}{_caret(self.weight)}"


@dataclass(frozen=True)
class Not:
    """The opposite of a part that is itself neither a Not nor weighted: `negated` moves a part's
    weight here.
    """

    part: "Query"
    weight: float = 1.0

    def __str__(self) -> str:
        return f"NOT {_grouped(self.part)}{_caret(self.weight)}"


@dataclass(frozen=True)
class And:
    """Two parts or more, all of which are wanted. A nested And has a weight, otherwise `joined`
    would have dissolved it.
    """

    parts: tuple["Query", ...]
    weight: float = 1.0

    def __str__(self) -> str:
        return _weighted(" AND ".join(map(_grouped, self.parts)), self.weight)


@dataclass(frozen=True)
class Or:
    """Two parts or more, one of which is enough. A nested Or has a weight, otherwise `joined` would
    have dissolved it.
    """

    parts: tuple["Query", ...]
    weight: float = 1.0

    def __str__(self) -> str:
        return _weighted(" OR ".join(map(str, self.parts)), self.weight)


Leaf = Text | PhotoTerm | PhotoById | Tag | Fact
Query = Leaf | Not | And | Or
_LIKE_A_LABEL = re.compile(rf'"|(?:photo|tag|{"|".join(KINDS)}):')
"""A text that begins in this way is quoted in a label, or it could look like another term."""


def negated(part: Query) -> Query:
    """Return NOT part. Two NOT cancel; a weight applies to the whole: `NOT a^2` is `(NOT a)^2`."""
    if isinstance(part, Not):
        return replace(part.part, weight=part.weight)
    return Not(replace(part, weight=1.0), part.weight)


def joined(kind: type[And] | type[Or], parts: list[Query]) -> Query:
    """Join parts with And or Or. One part alone is returned as it is, and an unweighted part of the
    same kind is dissolved into its own parts.
    """
    flat: list[Query] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) and part.weight == 1 else (part,))
    return kind(tuple(flat)) if len(flat) > 1 else flat[0]


def terms(query: Query) -> tuple[Leaf, ...]:
    """Return the distinct leaves in the order of first appearance, without their weights, because a
    leaf's probability does not depend on its weight.
    """
    return tuple(dict.fromkeys(unweighted(leaf) for leaf in _leaves(query)))


def unweighted(leaf: Leaf) -> Leaf:
    """Return the leaf without its weight, as `terms` lists it."""
    return leaf if leaf.weight == 1 else replace(leaf, weight=1.0)


def required(query: Query) -> tuple[Leaf, ...]:
    """Return the leaves that every hit must fit, without their weights: the query itself, or the
    parts of an AND at the top that are leaves.
    """
    parts = query.parts if isinstance(query, And) else (query,)
    return tuple(unweighted(part) for part in parts if isinstance(part, Leaf))


def is_factual(query: Query) -> bool:
    """Return whether the query asks for facts and tags alone: its probability is 1 or 0."""
    return all(isinstance(leaf, Fact | Tag) for leaf in _leaves(query))


def split_facts(query: Query) -> tuple[Query | None, Query | None]:
    """Split off the facts and tags that narrow the search from the rest of the query.

    These are the parts of an AND at the top, or the query itself, that ask for nothing else. No
    weight changes a probability of 1 or 0.
    """
    parts = query.parts if isinstance(query, And) else (replace(query, weight=1.0),)
    facts = [part for part in parts if is_factual(part)]
    others = [part for part in parts if not is_factual(part)]
    return joined(And, facts) if facts else None, joined(And, others) if others else None


def label(leaf: Leaf) -> str:
    """Return a short name for a leaf: `dog`, `photo:cat.jpg`, `tag:beach`. Different terms have
    different labels.
    """
    match leaf:
        case PhotoTerm(path=path):
            return f"photo:{quoted(path) if path.isdecimal() else path}"
        case PhotoById(id=id_):
            return f"photo:{id_}"
        case Tag(name=name):
            return f"tag:{name}"
        case Fact(name=name, value=value):
            return f"{name}:{value}"
    return quoted(leaf.text) if _LIKE_A_LABEL.match(leaf.text) else leaf.text


def quoted(text: str) -> str:
    """Return the text in quotation marks, as a query quotes it."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _leaves(query: Query) -> Iterator[Leaf]:
    if isinstance(query, Not):
        yield from _leaves(query.part)
    elif isinstance(query, And | Or):
        for part in query.parts:
            yield from _leaves(part)
    else:
        yield query


def _grouped(part: Query) -> str:
    return f"({part})" if isinstance(part, And | Or) and part.weight == 1 else str(part)


def _weighted(joined: str, weight: float) -> str:
    return joined if weight == 1 else f"({joined}){_caret(weight)}"


def _caret(weight: float) -> str:
    # Through Decimal, for repr prints small floats as 1e-05, which no query may say.
    return "" if weight == 1 else f"^{Decimal(repr(weight)).normalize():f}"
