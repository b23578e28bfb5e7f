"""The embeddings of what a query asks for: of its texts, of the photos it names, and of parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sigseek.operations.lazy import side_by_side
from sigseek.operations.opened import OpenedLibrary
from sigseek.progress import Listener, Stop

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.search.known_photo import KnownPhoto
    from sigseek.search.query import Leaf

    Floats: TypeAlias = npt.NDArray[np.float32]
    Views: TypeAlias = Floats | None


def embed_beside_searcher(
    library: OpenedLibrary,
    asked: Sequence[Leaf],
    *,
    include_self: bool,
    listener: Listener | None = None,
    stop: Stop | None = None,
) -> tuple[dict[Leaf, Floats], dict[Leaf, KnownPhoto]]:
    """Return the unit-norm embedding (dim,) of each text and photo term, and the photos of the
    library that are named. If the searcher and the text tower must be loaded, that is done side by
    side.
    """
    embed = partial(_embed, library, asked, include_self, listener, stop)
    if library.searcher.is_loaded or library.model.reads_at_once:
        return embed()
    library.checkpoint.state_to_query()  # raises before anything is downloaded or loaded
    embedded, _ = side_by_side(embed, lambda: library.searcher.get(listener, stop))
    return embedded


def _embed(
    library: OpenedLibrary,
    asked: Sequence[Leaf],
    include_self: bool,
    listener: Listener | None,
    stop: Stop | None,
) -> tuple[dict[Leaf, Floats], dict[Leaf, KnownPhoto]]:
    """Return what `embed_beside_searcher` does."""
    from sigseek.search.query import PhotoById, PhotoTerm, Text

    vectors: dict[Leaf, Floats] = {}
    photos: dict[Leaf, KnownPhoto] = {}
    texts = [term for term in asked if isinstance(term, Text)]
    if texts:
        embedded = library.model.texts(listener, stop).embed([term.text for term in texts])
        vectors |= zip(texts, embedded, strict=True)
    for term in asked:
        if isinstance(term, PhotoById):
            vectors[term], photos[term] = library.photo_files.find_by_id(
                term.id, include_self=include_self, listener=listener, stop=stop
            )
        elif isinstance(term, PhotoTerm):
            path = Path(term.file or term.path)
            vectors[term], known = library.photo_files.find(
                path, include_self=include_self, listener=listener, stop=stop
            )
            if known:
                photos[term] = known
    return vectors, photos


class CountedViews:
    """Embeds parts of photos, and counts the photos that could be embedded."""

    def __init__(self, embed: Callable[[Sequence[tuple[Path, int]]], Iterable[Views]]) -> None:
        self._embed = embed
        self.seen = 0

    def embed(self, photos: Sequence[tuple[Path, int]]) -> Iterator[Views]:
        """Give what the function given to this class gives."""
        for views in self._embed(photos):
            self.seen += views is not None
            yield views
