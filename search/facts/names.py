"""Names of cameras, lenses, formats, keywords, people and titles, as people type them.

Small and capital letters, spaces and the Unicode spelling of letters make no difference. `*` stands
for any letters, and `\\*` for a star.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from sigseek.search.errors import printable
from sigseek.search.facts.values import FactValueError
from sigseek.storage import CatalogReader
from sigseek.storage.selection import Named, Selection, Worded

_NEAREST = 3
_PIECE = re.compile(r"\\\*|\*|[^*\\]+|\\")
_LEVEL = "|"
_MAKERS_WORDS = re.compile(
    r"(corporation|corp|company|co|ltd|inc|gmbh|ag|imaging|optical|camera|cameras|digital"
    r"|electronics|technologies|eastman)[.,]*(ltd[.,]*)?",
    re.IGNORECASE,
)
"""Words after the first one that belong to the maker, as in OLYMPUS IMAGING CORP."""
_FORMATS = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heic": "heif", "heifs": "heif"}
"""Other names of formats, mostly files' extensions."""


@dataclass(frozen=True)
class Camera:
    """A camera by its whole name, with or without its maker, or all cameras of a maker."""

    name: str

    def __str__(self) -> str:
        return self.name

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo is of such a camera."""
        known = catalog.names("camera")
        wanted = pattern(self.name)
        found = [name for name in known if any(map(wanted, names_of_camera(name)))]
        return Named("camera", tuple(_not_empty(found, "camera", self.name, known)))


@dataclass(frozen=True)
class NamedFact:
    """A lens, a format or a title by its whole name. A title is also found by a part of it."""

    column: Literal["lens", "format", "title"]
    name: str

    def __str__(self) -> str:
        return self.name

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo has such a name."""
        known = catalog.names(self.column)
        name = self.name
        if self.column == "format":
            name = _FORMATS.get(folded(name), name)
        if self.column == "title":
            name = f"*{name}*"
        wanted = pattern(name)
        found = [one for one in known if wanted(one)]
        if self.column != "title":  # titles are sentences, which nobody chooses from
            found = _not_empty(found, self.column, self.name, known)
        return Named(self.column, tuple(found))


@dataclass(frozen=True)
class Person:
    """A person by the whole name."""

    name: str

    def __str__(self) -> str:
        return self.name

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo names the person."""
        known, wanted = catalog.words("person"), pattern(self.name)
        found = [name for name in known if wanted(name)]
        return Worded("person", tuple(_not_empty(found, "person", self.name, known)))


@dataclass(frozen=True)
class Keyword:
    """A keyword, or one that is above it in a hierarchy: `Bird` finds "Animal|Bird|Gull"."""

    name: str

    def __str__(self) -> str:
        return self.name

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo bears the keyword or one below it."""
        known = catalog.words("keyword")
        wanted = [pattern(level) for level in self.name.split(_LEVEL)]
        found = [name for name in known if _has_levels(name.split(_LEVEL), wanted)]
        return Worded("keyword", tuple(_not_empty(found, "keyword", self.name, known)))


def folded(name: str) -> str:
    """Return the form in which names are compared: without case, spaces and Unicode spelling."""
    normal = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", "".join(normal.split()))


def pattern(name: str, fold: Callable[[str], str] = folded) -> Callable[[str], bool]:
    """Return the function that tells whether a name is the one that was typed. Both names are
    compared as `fold` returns them.
    """
    pieces = []
    for piece in _PIECE.findall(name):
        if piece == "*":
            pieces.append(".*")
        else:
            pieces.append(re.escape(fold("*" if piece == r"\*" else piece)))
    expression = re.compile("".join(pieces), re.DOTALL)
    return lambda known: expression.fullmatch(fold(known)) is not None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are most like the one that was typed, the most like first."""
    by_folded = {folded(one): one for one in known}
    wanted = folded(name.replace("*", ""))
    beginning = [one for one in sorted(by_folded) if wanted and wanted in one]
    close = get_close_matches(wanted, by_folded, _NEAREST, 0.5)
    return [by_folded[one] for one in dict.fromkeys((*close, *beginning))][:_NEAREST]


def unknown(what: str, name: str, known: Sequence[str], if_none: str) -> FactValueError:
    """Return the error about a name that no photo has. `if_none` is its remedy in a library whose
    photos have no such names.
    """
    found = f"no photo has the {what} '{printable(name)}'"
    if not known:
        return FactValueError(found, if_none)
    near = nearest(name, known) or sorted(known)[:_NEAREST]
    listed = ", ".join(printable(one) for one in near)
    return FactValueError(found, f"the nearest names here: {listed}")


def _not_empty(found: list[str], what: str, name: str, known: Sequence[str]) -> list[str]:
    """Return the names that were found. Raises FactValueError when there are none."""
    if not found:
        raise unknown(what, name, known, f"no photo of this library has a {what}")
    return found


def names_of_camera(camera: str) -> list[str]:
    """Return the whole name, the model without its maker, and the maker."""
    words = camera.split()
    count = 1
    while count < len(words) and _MAKERS_WORDS.fullmatch(words[count]):
        count += 1
    return [camera, " ".join(words[count:]), " ".join(words[:count])]


def _has_levels(levels: Sequence[str], wanted: Sequence[Callable[[str], bool]]) -> bool:
    """Return whether the wanted levels follow each other among those of a keyword."""
    return any(
        all(test(level) for test, level in zip(wanted, levels[start:], strict=False))
        for start in range(len(levels) - len(wanted) + 1)
    )
