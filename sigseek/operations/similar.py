"""Finding photos that look like a given photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.operations.model import ModelInUse, existing_photo
from sigseek.operations.searching import SearcherInUse

if TYPE_CHECKING:
    from sigseek.search.results import SimilarHit


def find_similar(
    model: ModelInUse, searcher: SearcherInUse, photo: Path, limit: int
) -> list[SimilarHit]:
    """The photos nearest to the one in the file `photo`, as `Library.similar` describes."""
    from sigseek.search.searcher import check_limit  # brings faiss

    path = existing_photo(photo)
    check_limit(limit)
    current = searcher.get()
    vector, known = model.photo_vector(path)
    return current.by_photo(vector, limit, leave_out=known)
