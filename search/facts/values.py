"""What the values of facts have in common."""

from typing import Protocol

from sigseek.storage import CatalogReader
from sigseek.storage.selection import Selection


class FactValue(Protocol):
    """What a fact asks of a photo, as a hashable value. `str` gives it as it is typed."""

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition on photos. Raises FactValueError when the value names something that
        the library does not know.
        """
        ...


class FactValueError(Exception):
    """A value that a fact cannot have: what was found, and what to do."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found, remedy)
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.found}; {self.remedy}"
