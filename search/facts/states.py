"""What a photo is or is not: undated, damaged, missing, duplicate and so on."""

from dataclasses import dataclass

from sigseek.search.errors import printable
from sigseek.search.facts.values import FactValueError
from sigseek.storage import CatalogReader
from sigseek.storage.selection import Except, Selection, State

STATES: dict[str, Selection] = {
    "undated": State.UNDATED,
    "damaged": State.DAMAGED,
    "missing": State.MISSING,
    "duplicate": State.DUPLICATE,
    "tagged": State.TAGGED,
    "untagged": Except(State.TAGGED),
    "portrait": State.PORTRAIT,
    "landscape": State.LANDSCAPE,
}


@dataclass(frozen=True)
class Is:
    """A photo's state by its name."""

    state: str

    def __str__(self) -> str:
        return self.state

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo is in the state."""
        return STATES[self.state]


def parse_state(typed: str) -> Is:
    """Return the state of this name."""
    name = typed.strip().lower()
    if name not in STATES:
        raise FactValueError(
            f"a photo cannot be '{printable(typed)}'", f"it can be: {', '.join(STATES)}"
        )
    return Is(name)
