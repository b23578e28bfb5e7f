"""The searcher of a library, which is kept between queries."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sigseek.operations.calibration import read_calibration
from sigseek.operations.checkpoint import LibraryCheckpoint
from sigseek.operations.fair_semaphore import FairSemaphore
from sigseek.operations.location import LibraryLocation
from sigseek.operations.model import ModelInUse
from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.storage import CheckpointState
from sigseek.storage.embeddings import CheckpointEmbeddings

if TYPE_CHECKING:
    from sigseek.search.searcher import Searcher

_Answer = TypeVar("_Answer")

_AT_ONCE = max(2, os.cpu_count() or 2)
"""The most questions that are asked of a searcher at a time. With 32 at once on 2 cores, each takes
twice the processor time, because threads wait for Python's lock and empty each other's caches.
"""


class _Loaded(NamedTuple):
    """A searcher, and the state of the library that it was loaded in."""

    searcher: Searcher
    state: CheckpointState


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
        self._last: _Loaded | None = None
        self._turns = FairSemaphore(_AT_ONCE)

    def get(self, listener: Listener | None = None, stop: Stop | None = None) -> Searcher:
        """Return the searcher of the library as it is now."""
        told, until = listener or self._model.listener, stop or Stop()
        return _stopped_by(stop, self._current(told, until).searcher)

    def ask(
        self,
        question: Callable[[Searcher], _Answer],
        listener: Listener | None = None,
        stop: Stop | None = None,
        *,
        takes_long: bool = False,
    ) -> _Answer:
        """Return what `question` gets from the searcher, all of it from one moment of the library.

        Everything is read in one transaction, so that what other processes change meanwhile does
        not reach the question. A question that `takes_long` is asked outside of a transaction
        first, and once more in one if the library has changed meanwhile. Such a question waits for
        no turn.
        """
        told, until = listener or self._model.listener, stop or Stop()
        catalog = self._directory.catalog()
        if self._last is None:
            self._current(told, until)
        if takes_long:
            loaded = self._current(told, until)
            revision = catalog.order_revision()
            answer = question(_stopped_by(stop, loaded.searcher))
            state = self._checkpoint.state_to_query(told, until)
            if (state, catalog.order_revision()) == (loaded.state, revision):
                return answer
        with nullcontext() if takes_long else self._turns.holding(until):
            last = self._last  # another thread may have loaded it meanwhile
            with catalog.moment():
                state = self._checkpoint.state_to_query(told, until)
                if last and state == last.state:
                    return question(_in_moment(stop, last.searcher, state))
            # Loading may take long, so it is done outside of the transaction, unless the library
            # goes on changing.
            loaded = self._current(told, until)
            with catalog.moment():
                state = self._checkpoint.state_to_query(told, until)
                if state != loaded.state:
                    loaded = self._load(state, told, until)
                return question(_in_moment(stop, loaded.searcher, state))

    def _current(self, listener: Listener, stop: Stop) -> _Loaded:
        # The state is read under the lock, too: a thread that read it earlier could otherwise
        # replace a newer searcher.
        with stop.holding(self._lock):
            state = self._checkpoint.state_to_query(listener, stop)
            if self._last is None or self._last.state != state:
                self._last = self._load(state, listener, stop)
            return self._last

    def _load(self, state: CheckpointState, listener: Listener, stop: Stop) -> _Loaded:
        """Return a searcher of the library in this state, which no token stops."""
        from sigseek.search.searcher import Searcher  # brings numpy

        catalog = self._directory.catalog()
        embeddings = CheckpointEmbeddings(catalog, state.record, stop)
        if not self._directory.index_store.is_current(embeddings):
            listener.advanced(Progress(Phase.INDEXING))
        searcher = Searcher(
            catalog,
            state.record,
            self._directory.index_store.open(embeddings),
            read_calibration(state.calibration, self._directory, self._model),
        )
        return _Loaded(searcher, state)

    @property
    def is_loaded(self) -> bool:
        """Whether `get` has little to load: nothing, or what changed since the last call."""
        return self._last is not None

    def close(self) -> None:
        """Drop the searcher that was kept."""
        with self._lock:
            self._last = None


def _in_moment(stop: Stop | None, searcher: Searcher, state: CheckpointState) -> Searcher:
    """Return the searcher for the moment in which the library has this state."""
    return _stopped_by(stop, searcher.with_newest(state.newest_photo))


def _stopped_by(stop: Stop | None, searcher: Searcher) -> Searcher:
    return searcher.until(stop) if stop else searcher
