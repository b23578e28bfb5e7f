"""The searcher of a library, which is kept between queries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sigseek.operations.calibration import read_calibration
from sigseek.operations.checkpoint import LibraryCheckpoint
from sigseek.operations.location import LibraryLocation
from sigseek.operations.model import ModelInUse
from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.storage import CatalogReader, CheckpointState
from sigseek.storage.embeddings import CheckpointEmbeddings

if TYPE_CHECKING:
    from sigseek.search.searcher import Searcher

_Answer = TypeVar("_Answer")


class SearcherInUse:
    """The searcher of a library, kept for as long as nothing changes in the library.

    Another process may change the library, so every call asks the catalog for its state. Several
    threads may ask; when something has changed, one of them loads and the others wait.

    A call tells its own listener of what has to be loaded, or without one that of the library, and
    it raises StoppedError soon after its stop token is set.
    """

    def __init__(
        self, directory: LibraryLocation, model: ModelInUse, checkpoint: LibraryCheckpoint
    ) -> None:
        self._directory = directory
        self._model = model
        self._checkpoint = checkpoint
        self._lock = threading.Lock()
        self._last: Searcher | None = None
        self._last_state: CheckpointState | None = None

    def get(self, listener: Listener | None = None, stop: Stop | None = None) -> Searcher:
        """Return the searcher of the library as it is now."""
        told, until = listener or self._model.listener, stop or Stop()
        return _stopped_by(stop, self._current(told, until)[0])

    def ask(
        self,
        question: Callable[[Searcher], _Answer],
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> _Answer:
        """Return what `question` gets from the searcher, all of it from one state of the library.

        When another process changes the library in the middle, the question is asked once more, of
        a searcher that reads the catalog in a single transaction. What is changed meanwhile does
        not reach it. Such a searcher serves one question, and one thread.
        """
        told, until = listener or self._model.listener, stop or Stop()
        searcher, state = self._current(told, until)
        answer = question(_stopped_by(stop, searcher))
        if self._checkpoint.state_to_query() == state:
            return answer
        with self._directory.catalog().snapshot() as moment:
            state = self._checkpoint.state_to_query(moment=moment)
            return question(_stopped_by(stop, self._load(moment, state, told, until)))

    def _current(self, listener: Listener, stop: Stop) -> tuple[Searcher, CheckpointState]:
        # The state is read under the lock, too: a thread that read it earlier could otherwise
        # replace a newer searcher.
        with stop.holding(self._lock):
            state = self._checkpoint.state_to_query(listener, stop)
            if self._last is None or self._last_state != state:
                self._last = self._load(self._directory.catalog(), state, listener, stop)
                self._last_state = state
            return self._last, state

    def _load(
        self, catalog: CatalogReader, state: CheckpointState, listener: Listener, stop: Stop
    ) -> Searcher:
        """Return a searcher of the library in this state, which no token stops."""
        from sigseek.search.searcher import Searcher  # brings numpy

        embeddings = CheckpointEmbeddings(catalog, state.record, stop)
        if not self._directory.index_store.is_current(embeddings):
            listener.advanced(Progress(Phase.INDEXING))
        return Searcher(
            catalog,
            state.record,
            self._directory.index_store.open(embeddings),
            read_calibration(state.calibration, self._directory, self._model),
        )

    @property
    def is_loaded(self) -> bool:
        """Whether `get` has little to load: nothing, or what changed since the last call."""
        return self._last is not None

    def close(self) -> None:
        """Drop the searcher that was kept."""
        with self._lock:
            self._last = self._last_state = None


def _stopped_by(stop: Stop | None, searcher: Searcher) -> Searcher:
    return searcher.until(stop) if stop else searcher
