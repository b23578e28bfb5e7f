"""Answering text queries: parse, embed, retrieve and judge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from sigseek.operations.calibrating import calibration_in_use
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.model import ModelInUse
from sigseek.storage import CheckpointRecord

if TYPE_CHECKING:
    from sigseek.search.calibration import Calibration
    from sigseek.search.results import SearchResults
    from sigseek.search.searcher import Searcher


class SearcherInUse:
    """The searcher of a library, kept for as long as nothing changes in the library.

    Another process may change the library, so every call asks the catalog for its state.
    """

    def __init__(self, directory: LibraryDirectory, model: ModelInUse) -> None:
        self._directory = directory
        self._model = model
        self._last: Searcher | None = None
        self._last_state: (
            tuple[CheckpointRecord, tuple[int, int, int] | None, Calibration | None] | None
        ) = None

    def get(self) -> Searcher:
        """The searcher of the library as it is now."""
        catalog = self._directory.catalog()
        record = self._model.record_to_query()
        calibration = calibration_in_use(self._directory, self._model)
        state = (record, catalog.measured(record.id), calibration)
        if self._last is None or self._last_state != state:
            from sigseek.search.searcher import Searcher  # brings faiss

            self._last = Searcher(catalog, record, self._directory.index_directory, calibration)
            self._last_state = state
        return self._last

    def close(self) -> None:
        """Drop the searcher that was kept."""
        self._last = self._last_state = None


def search(
    model: ModelInUse,
    searcher: SearcherInUse,
    query: str,
    limit: int,
    *,
    min_probability: float,
    include_all: bool,
    explain: bool,
    closer: int,
) -> SearchResults:
    """Answer a query as `Library.search` describes."""
    from sigseek.search.parse import parse
    from sigseek.search.query import Text, terms
    from sigseek.search.searcher import CloserLook, check_search  # brings faiss

    asked = parse(query)
    look = CloserLook(closer, model.embed_views) if closer else None
    check_search(asked, limit, min_probability, look)
    model.record_to_query()  # raises here, in this thread, when something is missing
    with ThreadPoolExecutor(1) as loading:  # the text tower and the index load side by side
        embeddings = loading.submit(model.embed_terms, terms(asked))
        current = searcher.get()
        vectors = embeddings.result()
    for term in terms(asked):
        if isinstance(term, Text):
            model.warn_if_cut("the query", term.text)
    return current.search(
        asked,
        vectors,
        limit,
        min_probability=min_probability,
        include_all=include_all,
        explain=explain,
        closer=look,
    )
