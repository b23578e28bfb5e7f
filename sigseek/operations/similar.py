"""Finding photos that look like a given photo."""

from __future__ import annotations

from collections.abc import Callable
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
    from sigseek.search.results import SimilarHit

    Floats: TypeAlias = npt.NDArray[np.float32]


def find_similar(
    library: OpenedLibrary,
    photo: Path | int,
    limit: int,
    *,
    include_self: bool,
    listener: Listener | None = None,
    stop: Stop | None = None,
) -> list[SimilarHit]:
    """Return the photos nearest to one in a file, or to one of the library by its id, as
    `Library.similar` describes.
    """
    from sigseek.search.checks import check_limit

    check_limit(limit)
    files, searcher = library.photo_files, library.searcher
    find: Callable[[], tuple[Floats, KnownPhoto | None]]
    if isinstance(photo, int):
        find = partial(
            files.find_by_id, photo, include_self=include_self, listener=listener, stop=stop
        )
    else:
        files.check(photo)
        find = partial(files.find, photo, include_self=include_self, listener=listener, stop=stop)
    if searcher.is_loaded:
        vector, known = find()
    else:
        library.checkpoint.state_to_query()  # raises before anything is downloaded or loaded
        (vector, known), _ = side_by_side(find, lambda: searcher.get(listener, stop))
    found = searcher.ask(
        lambda current: current.by_photo(vector, limit, known=known), listener, stop
    )
    if found:
        library.checkpoint.note_mini(found[0].camera)
    return found
