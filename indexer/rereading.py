"""Files of known photos, read once more by several threads, for whatever is missing of them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from sigseek.indexer.errors import UndecidedError
from sigseek.indexer.ingest import THREADS
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.map_ahead import map_ahead
from sigseek.progress import Phase, Progress, Stop
from sigseek.storage import Catalog, PhotoFile

_Found = TypeVar("_Found")
_LOOKED_UP = 1_000
"""Photos whose files are asked for together."""
_STORED = 200
"""Photos that are stored in one transaction."""
_AHEAD = 8 * THREADS


class Rereading(Generic[_Found]):
    """Reads something of known photos again and stores it, a few hundred photos at a time.

    `read` gets a photo's id and its files. It returns what the files give, or None when they hold
    no picture, and raises OSError or UndecidedError when none of them can be read now. `store` gets
    what was found by photo, and the files that it was found in by photo.
    """

    def __init__(
        self,
        catalog: Catalog,
        ledger: Ledger,
        phase: Phase,
        read: Callable[[int, Sequence[PhotoFile]], _Found | None],
        store: Callable[[dict[int, _Found | None], dict[int, Sequence[PhotoFile]]], None],
    ) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._phase = phase
        self._read = read
        self._store = store

    def run(self, photo_ids: Sequence[int], stop: Stop) -> bool:
        """Read these photos again. Returns False when stopped before all were read.

        Photos whose files cannot be read now are left for a later run.
        """
        found: dict[int, _Found | None] = {}
        read: dict[int, Sequence[PhotoFile]] = {}
        pool = ThreadPoolExecutor(THREADS, f"sigseek-{self._phase.value}")
        try:
            for done, ((photo_id, files), result) in enumerate(
                map_ahead(pool, self._read_photo, self._files(photo_ids), lambda: _AHEAD, stop), 1
            ):
                if isinstance(result, OSError | UndecidedError):
                    continue
                if isinstance(result, Exception):
                    raise result
                found[photo_id], read[photo_id] = result, files
                if len(found) >= _STORED:
                    self._store(found, read)
                    found, read = {}, {}
                self._ledger.advanced(Progress(self._phase, done, len(photo_ids)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if found:
            self._store(found, read)
        return not stop.is_set()

    def _read_photo(self, photo: tuple[int, Sequence[PhotoFile]]) -> _Found | None:
        return self._read(*photo)

    def _files(self, photo_ids: Sequence[int]) -> Iterator[tuple[int, list[PhotoFile]]]:
        for start in range(0, len(photo_ids), _LOOKED_UP):
            yield from self._catalog.present_files(photo_ids[start : start + _LOOKED_UP]).items()
