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
from sigseek.search.facts.values import FactValue, FactValueError
from sigseek.storage import CatalogReader
from sigseek.storage.selection import Named, NamedColumn, Selection, Worded, WordKind

_NEAREST = 3
_LEAST_SHARED = 3
"""The shortest word, in characters, that makes a name near because both have it."""
_PIECE = re.compile(r"\\\*|\*|[^*\\]+|\\")
_LEVEL = "|"
_MAKERS_WORDS = re.compile(
    r"(corporation|corp|company|co|ltd|inc|gmbh|ag|imaging|optical|camera|cameras|digital"
    r"|electronics|technologies|eastman)[.,]*(ltd[.,]*)?",
    re.IGNORECASE,
)
"""Words beside a brand that belong to the maker's name, as in OLYMPUS IMAGING CORP."""
_FORMATS = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heic": "heif", "heifs": "heif"}
"""Other names of formats, mostly files' extensions."""
_SAME_LETTERS = str.maketrans({"ı": "i", "’": "'", "‘": "'", "ʼ": "'"})
"""The small i of Turkish without a dot, and apostrophes as phones type them."""
_DOT_ABOVE = "\u0307"


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


@dataclass(frozen=True)
class WholeName:
    """A name letter for letter, as a photo has it: "=Canon" is a camera that has no other name, and
    "=Bird" no keyword below it.
    """

    fact: NamedColumn | WordKind
    name: str

    def __str__(self) -> str:
        return f"={self.name}"

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo has this name."""
        if self.fact == "keyword" or self.fact == "person":
            known = catalog.words(self.fact)
        else:
            known = catalog.names(self.fact)
        found = tuple(name for name in known if name == self.name)
        if not found and self.fact != "title":  # titles are sentences, which nobody chooses from
            raise unknown(
                self.fact, self.name, known, f"no photo of this library has a {self.fact}"
            )
        if self.fact == "keyword" or self.fact == "person":
            return Worded(self.fact, found)
        return Named(self.fact, found)


def parse_name(
    fact: NamedColumn | WordKind, typed: str, otherwise: Callable[[str], FactValue]
) -> FactValue:
    """Return the whole name behind `=`, and what `otherwise` makes of what begins otherwise."""
    name = typed.removeprefix("=")
    return WholeName(fact, name) if name and name != typed else otherwise(typed)


def folded(name: str) -> str:
    """Return the form in which names are compared: without case, spaces, Unicode spelling, and the
    form of apostrophes.
    """
    normal = unicodedata.normalize("NFC", name).casefold().translate(_SAME_LETTERS)
    # The capital İ of Turkish becomes an i with a dot above, and nobody types that dot.
    normal = normal.replace(f"i{_DOT_ABOVE}", "i")
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
    first_word = folded(name.replace("*", "").partition(" ")[0])
    close = get_close_matches(wanted, by_folded, _NEAREST, 0.5)
    containing = [
        one
        for part in (wanted, first_word)
        for one in sorted(by_folded)
        if len(part) >= min(_LEAST_SHARED, len(wanted)) > 0 and part in one
    ]
    return [by_folded[one] for one in dict.fromkeys((*close, *containing))][:_NEAREST]


def unknown(what: str, name: str, known: Sequence[str], if_none: str) -> FactValueError:
    """Return the error about a name that no photo has. `if_none` is its remedy in a library whose
    photos have no such names.
    """
    found = f"no photo has the {what} '{printable(name)}'"
    if not known:
        return FactValueError(found, if_none)
    if near := nearest(name, known):
        return FactValueError(found, f"the nearest names here: {_listed(near)}")
    more = f" and {len(known) - _NEAREST:,} more" if len(known) > _NEAREST else ""
    return FactValueError(found, f"photos here have: {_listed(sorted(known)[:_NEAREST])}{more}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(printable, names))


def _not_empty(found: list[str], what: str, name: str, known: Sequence[str]) -> list[str]:
    """Return the names that were found. Raises FactValueError when there are none."""
    if not found:
        raise unknown(what, name, known, f"no photo of this library has a {what}")
    return found


def names_of_camera(camera: str) -> list[str]:
    """Return the whole name, the model, the maker, the brand, and the brand with the model. The
    brand of "OLYMPUS IMAGING CORP. E-M5" is OLYMPUS.
    """
    words = camera.split()
    is_makers = [_MAKERS_WORDS.fullmatch(word) is not None for word in words]
    place = is_makers.index(False) if False in is_makers else 0
    brand, count = words[place], place + 1
    while count < len(words) and is_makers[count]:
        count += 1
    maker, model = words[:count], words[count:]
    if model and folded(model[0]) == folded(brand):
        model = model[1:]  # EASTMAN KODAK COMPANY KODAK DC290
    return [camera, " ".join(model), " ".join(maker), brand, " ".join([brand, *model])]


def _has_levels(levels: Sequence[str], wanted: Sequence[Callable[[str], bool]]) -> bool:
    """Return whether the wanted levels follow each other among those of a keyword."""
    return any(
        all(test(level) for test, level in zip(wanted, levels[start:], strict=False))
        for start in range(len(levels) - len(wanted) + 1)
    )
