"""The opened library of the operations, as tests of them need it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sigseek.operations import location
from sigseek.operations.opened import OpenedLibrary
from sigseek.progress import Listener, Silence


@contextmanager
def opened(
    directory: Path, model: str | None = "mini", listener: Listener | None = None
) -> Iterator[OpenedLibrary]:
    """Open the library on the CPU in fp32."""
    place = location.library_location(directory, listener or Silence())
    library = OpenedLibrary(place, model, "cpu", "fp32", listener or Silence())
    try:
        yield library
    finally:
        library.close()
