"""The JSON answers of the API as models, for its description in OpenAPI.

Most are made of the records that Python returns, with their names, types and descriptions. So
nothing is told twice. Answers themselves are not made by these models: tests compare them.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from types import GenericAlias, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

from sigseek.operations.completion import Completion
from sigseek.operations.facets import Facet, Facets
from sigseek.operations.originals import FileOfPhoto
from sigseek.operations.status import Status
from sigseek.operations.tags import TagCount
from sigseek.search.duplicates.results import DuplicateKind, DuplicatePhoto
from sigseek.search.results import Hit, PhotoHit, SearchResults, SimilarHit
from sigseek.storage.facets import FacetKind
from sigseek.storage.records import LibraryFailure, SkippedFile

_STRICT = ConfigDict(extra="forbid")
_SHARES = ("score", "probability", "confidence", "coverage")
"""Fields whose values are from 0 to 1."""
_DEGREES = {"latitude": 90, "longitude": 180}


class Answer(BaseModel):
    """An answer, which has the documented fields and no others."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class _AnswerOfRecord(Answer):
    """An answer whose fields and their descriptions are those of a record."""

    # pydantic would look for the class in the sources of all callers, at each start of the server.
    model_config = ConfigDict(use_attribute_docstrings=False)


class Step(Answer):
    """Something that can be done about a problem."""

    kind: Literal["call", "option", "command"]
    """A method of the library, a query parameter of this request, or a command of sigseek."""
    name: str
    """The name of the method, the parameter or the command."""
    arguments: list[str]
    """The positional arguments. A word in capitals, such as FOLDER, is to be filled in."""
    options: dict[str, Any]
    """The keyword arguments, or the value for the parameter."""


class Remedy(Answer):
    """What can be done about a problem."""

    text: str
    """The text for people."""
    calls: list[Step]
    """The calls and options that the text names, in order."""


class Note(Answer):
    """What a reader of an answer should know."""

    text: str
    """A sentence without a full stop."""
    remedy: Remedy | None
    """The calls and options that it names; null if there are none."""


class Problem(Answer):
    """An error, as problem details (RFC 9457)."""

    type: str
    """A URI of the kind, "urn:sigseek:not-found" for example."""
    title: str
    """The name of the status."""
    status: int = Field(ge=300, le=599)
    """The HTTP status."""
    detail: str
    """What was found."""
    kind: str
    """The kind: "not found", "invalid", "busy", "damaged", "unavailable", "unsupported",
    "unauthorized", "forbidden", "not allowed", "too large" or "misdirected".
    """
    remedy: Remedy | None
    """What can be done about it."""
    column: int | None
    """Where a query is wrong, in characters from 1."""
    length: int | None
    """How many characters from there on are wrong."""


class Shown(Answer):
    """How a page shows a photo."""

    name: str
    """The name of the file at `path`."""
    folder: str
    """The directory of that file."""
    format: str | None
    """The format of the picture, "JPEG" for example."""
    color: str | None = Field(pattern="^#[0-9a-f]{6}$")
    """The mean colour, to paint until the thumbnail is there; null if none is known."""
    thumbnail: str
    """The address of the small picture; with `&size=1280` that of the large one."""
    original: str
    """The address of the file."""
    shown_as: Literal["original", "derived"]
    """Which picture a browser can show: the file itself, or the JPEG that is made of it."""


def model_of(
    record: type, name: str, *, without: Sequence[str] = (), also: Mapping[str, Any] | None = None
) -> type[Answer]:
    """Return a model with the fields of a record but for those `without`, and with those of `also`,
    each of which is a type and a description.
    """
    hints, told = get_type_hints(record), _descriptions(record)
    made: dict[str, Any] = {}
    for field in fields(record):
        if field.name in without:
            continue
        limits: dict[str, Any] = {}
        if field.name in _SHARES:
            limits = {"ge": 0, "le": 1}
        if field.name in _DEGREES:
            limits = {"ge": -_DEGREES[field.name], "le": _DEGREES[field.name]}
        default = None if field.default is None else ...
        made[field.name] = (
            _of_json(hints[field.name]),
            Field(default, description=told.get(field.name), **limits),
        )
    for field_name, (kind, description) in (also or {}).items():
        made[field_name] = (kind, Field(description=description))
    return create_model(name, __base__=_AnswerOfRecord, __doc__=inspect.getdoc(record), **made)


def _of_json(hint: Any) -> Any:
    """Return the type with a model in the place of each record."""
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return _nested(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return Union[tuple(map(_of_json, arguments))]  # noqa: UP007 - there is no other way
    if origin is tuple and arguments[-1] is ...:
        return GenericAlias(list, (_of_json(arguments[0]),))
    return hint


@cache
def _nested(record: type) -> type[Answer]:
    return model_of(record, record.__name__)


def _descriptions(record: type) -> dict[str, str]:
    """Return the docstrings of a record's fields, those of its bases included."""
    found: dict[str, str] = {}
    for part in reversed(record.__mro__):
        if not is_dataclass(part):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(part))).body
        assert isinstance(tree, ast.ClassDef)
        for field, after in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[field.target.id] = inspect.cleandoc(str(after.value.value))
    return found


def _shown() -> dict[str, Any]:
    return {
        name: (field.annotation, field.description) for name, field in Shown.model_fields.items()
    }


PhotoInList = model_of(PhotoHit, "PhotoInList", also=_shown())
FoundPhoto = model_of(Hit, "FoundPhoto", without=("held_back_by",), also=_shown())
SimilarPhoto = model_of(SimilarHit, "SimilarPhoto", also=_shown())
WholePhoto = model_of(
    PhotoHit,
    "WholePhoto",
    without=("rank",),
    also=_shown() | {"files": (list[_nested(FileOfPhoto)], "All files, missing ones too.")},  # type: ignore[misc]
)
PhotoOfGroup = model_of(DuplicatePhoto, "PhotoOfGroup", also=_shown())
SearchAnswer = model_of(
    SearchResults,
    "SearchAnswer",
    without=("hits", "best", "notes", "next_page"),
    also={
        "hits": (list[FoundPhoto], "The hits, in their order."),  # type: ignore[valid-type]
        "best": (FoundPhoto | None, "The best photo, which need not be among the hits."),
        "headline": (str, "How many photos match, in a line."),
        "legend": (list[str], "Why nothing matches, and what the numbers of hits mean."),
        "notes": (list[Note], "What a reader of the answer should know."),
        "explanation": (list[str], "How each term was judged; empty without `explain`."),
        "next": (str | None, "What to pass as `page` for the hits after these; null at the end."),
    },
)
CountedValue = model_of(
    Facet,
    "CountedValue",
    also={
        "label": (str, "The value for people."),
        "query": (str | None, "The term that selects these photos; null if there is none."),
    },
)
FacetsAnswer = model_of(
    Facets,
    "FacetsAnswer",
    without=("values", "notes", "left_out", "directly"),
    also={
        "headline": (str, "Which photos were counted."),
        "values": (list[CountedValue], "The values, kind by kind."),  # type: ignore[valid-type]
        "by": (dict[FacetKind, list[CountedValue]], "The same values by their kind."),  # type: ignore[valid-type]
        "left_out": (dict[FacetKind, int], "How many values of each kind the limit left out."),
        "notes": (list[Note], "What a reader of the counts should know."),
    },
)
CompletionAnswer = model_of(Completion, "CompletionAnswer")
TagAnswer = model_of(TagCount, "TagAnswer")
StatusAnswer = model_of(
    Status,
    "StatusAnswer",
    also={
        "version": (str, "sigseek's version."),
        "read_only": (bool, "Whether requests that change the library are refused."),
        "browse": (list[str], "The directories below which the caller may choose folders."),
        "needs_token": (bool, "Whether callers need a token."),
    },
)


Failure = model_of(LibraryFailure, "Failure", without=("kind", "pixels", "tried_at"))
PassedOver = model_of(SkippedFile, "PassedOver")


class Photos(Answer):
    """Photos by their numbers."""

    photos: list[PhotoInList]  # type: ignore[valid-type]
    """The photos, in the order of the numbers."""


class Similar(Answer):
    """Photos that look like a photo."""

    hits: list[SimilarPhoto]  # type: ignore[valid-type]
    """The photos, the most alike first."""
    legend: list[str]
    """What the numbers mean."""
    notes: list[Note]
    """What a reader of the answer should know."""


class Group(Answer):
    """Photos that belong together."""

    kind: DuplicateKind
    """Files of one picture, one shot in several forms, or other shots of one scene."""
    photos: list[PhotoOfGroup]  # type: ignore[valid-type]
    """The photos, the one to keep first."""


class Groups(Answer):
    """Groups of duplicates."""

    headline: str
    """How many groups there are, in a line."""
    photos: int = Field(ge=0)
    """How many photos were compared."""
    total: int = Field(ge=0)
    """The number of all groups."""
    groups: list[Group]
    """The groups of this part, the surest kind first."""
    offset: int = Field(ge=0)
    """How many groups come before these."""
    next: int | None
    """The offset of the next part; null at the end."""
    notes: list[Note]
    """What a reader of the answer should know."""


class ArchiveLink(Answer):
    """Where an archive can be had."""

    address: str
    """The address to follow, once."""
    photos: int = Field(ge=0)
    """The number of photos that were named."""
    seconds: int = Field(ge=1)
    """How many seconds it can be followed."""


class Decided(Answer):
    """What was noted."""

    pairs: int = Field(ge=0)
    """The number of pairs of photos that are kept apart, or no longer."""


class Tags(Answer):
    """All tags."""

    tags: list[TagAnswer]  # type: ignore[valid-type]
    """The tags in alphabetical order."""


class Failures(Answer):
    """Files that could not be used."""

    failures: list[Failure]  # type: ignore[valid-type]
    """The files, by path."""


class Skipped(Answer):
    """Files that were passed over."""

    skipped: list[PassedOver]  # type: ignore[valid-type]
    """The files, by path."""


class Live(Answer):
    """The process is alive."""

    live: Literal[True]
    """Always true."""


class Ready(Answer):
    """The library and its model answer."""

    ready: Literal[True]
    """Always true; otherwise the answer is a problem."""
    photos: int | None = Field(ge=0)
    """The number of photos that can be searched; null for callers without the token."""
    model: str | None
    """The name of the checkpoint; null without photos, and for callers without the token."""
