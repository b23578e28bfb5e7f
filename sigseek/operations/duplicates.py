"""Duplicates in a library, and what a person said are none."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.errors import Call, ErrorKind, Remedy, SigseekError
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.operations.given_paths import given_paths
from sigseek.operations.lists import check_list
from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.photo_files import known_photos, possible_paths
from sigseek.operations.searching import NamedPhotos, matching_photos
from sigseek.paths import typed_path
from sigseek.progress import Listener, Stop
from sigseek.search.duplicates.results import KINDS, DuplicateKind, Duplicates
from sigseek.search.errors import QueryError, printable
from sigseek.storage import CatalogReader, LibraryError
from sigseek.storage.thumbnails import THUMBNAIL_SIZES

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.search.duplicates.finder import ComparingProgress
    from sigseek.search.duplicates.pairs import UnkeptPairs
    from sigseek.storage.records.arrays import Ids


def find_duplicates(
    library: OpenedLibrary,
    query: str | None,
    within: str = "",
    *,
    kinds: Sequence[DuplicateKind],
    prefer: Sequence[str | os.PathLike[str]],
    keep_pairs: bool = True,
    named_photos: NamedPhotos | None = None,
    listener: Listener | None,
    stop: Stop | None,
) -> Duplicates:
    """Find the duplicates of a library, or among the photos that match a query and the facts in
    `within`, as `Library.duplicates` describes.
    """
    from sigseek.search.duplicates.finder import ComparingProgress, DuplicateFinder
    from sigseek.search.duplicates.pairs import NOTHING_UNKEPT

    check_list("kinds", kinds, QueryError)
    preferred = given_paths("prefer", prefer, QueryError)
    _check_kinds(kinds)
    state = library.checkpoint.state_to_query()
    asked, selected = None, None
    notes = list(library.checkpoint.notes)
    if query is not None or within:
        asked, selected, of_query = matching_photos(
            library, query or "", within, named_photos, listener, stop
        )
        notes = list(of_query)
    stop = stop or Stop()
    photos = len(library.directory.catalog().photos_with_files() if selected is None else selected)
    progress = ComparingProgress(listener or library.listener, photos)
    unkept = NOTHING_UNKEPT
    if keep_pairs and selected is None and set(kinds) != {"identical"}:
        by_embedding = state.record.id if "alike" in kinds else None
        unkept = _keep_pairs(library, stop, progress, by_embedding)
    with library.directory.catalog().snapshot() as moment:
        ids = moment.photos_with_files()
        if selected is not None:
            ids = ids[_among(ids, selected)]
        finder = DuplicateFinder(
            moment,
            state.record,
            ids,
            _known_directories(moment, preferred),
            partial(_picture, library),
            progress,
            stop,
            whole=selected is None,
            unkept=unkept,
        )
        groups = tuple(finder.find(kinds))
        notes += _unhashed(moment)
    return Duplicates(groups, len(ids), tuple(notes), str(asked) if asked else None)


def _keep_pairs(
    library: OpenedLibrary, stop: Stop, progress: ComparingProgress, checkpoint_id: int | None
) -> UnkeptPairs:
    """Compare new photos with all others by their hashes, and also by their embeddings if a
    checkpoint is given, and keep the pairs. While others change the library, or where it cannot be
    written, the pairs are found again by each call. Returns those that were found by hashes and
    could not be kept.
    """
    from sigseek.search.duplicates.embedding_pairs import keep_embedding_pairs
    from sigseek.search.duplicates.pairs import NOTHING_UNKEPT, keep_pairs

    catalog, writing = library.directory.catalog(), library.directory.writing_at_once
    unkept = NOTHING_UNKEPT
    with suppress(LibraryError):
        pictures = partial(_picture, library)
        unkept = keep_pairs(catalog, pictures, writing, stop, progress.compared_by_hash)
        if checkpoint_id is not None:
            keep_embedding_pairs(
                catalog, checkpoint_id, writing, stop, progress.compared_by_embedding
            )
    return unkept


def _picture(library: OpenedLibrary, photo_id: int) -> bytes | None:
    """Return the small thumbnail of a photo, or None if none is kept and no file gives one."""
    try:
        return library.thumbnails.get(photo_id, min(THUMBNAIL_SIZES)).data
    except (SigseekError, OSError):
        return None


def keep_distinct(library: OpenedLibrary, photos: Sequence[str | os.PathLike[str] | int]) -> int:
    """Note that these photos are not duplicates of each other, as `Library.not_duplicates`
    describes, and return how many pairs they are.
    """
    check_list("photos", photos, QueryError)
    with library.directory.writing():
        pairs = _pairs_of(library, photos)
        with library.directory.catalog().transaction() as transaction:
            transaction.put_distinct_pairs(pairs)
    return len(pairs)


def group_again(library: OpenedLibrary, photos: Sequence[str | os.PathLike[str] | int]) -> int:
    """Take back that these photos are not duplicates of each other, as `Library.group_again`
    describes, and return of how many pairs it was said.
    """
    check_list("photos", photos, QueryError)
    with library.directory.writing():
        pairs = _pairs_of(library, photos)
        with library.directory.catalog().transaction() as transaction:
            return transaction.remove_distinct_pairs(pairs)


def _pairs_of(
    library: OpenedLibrary, photos: Sequence[str | os.PathLike[str] | int]
) -> list[tuple[int, int]]:
    """Return the ids of each two of these photos. Raises QueryError for fewer than two photos, and
    for one that is named twice.
    """
    ids = known_photos(library.photo_files, photos)
    if len(ids) < 2:
        raise QueryError("fewer than two photos were named", "name two or more")
    if len(set(ids)) < len(ids):
        raise QueryError(
            "two of these files hold the same picture, so nothing was changed",
            "name photos whose pictures differ",
        )
    return list(itertools.combinations(ids, 2))


def _check_kinds(kinds: Collection[str]) -> None:
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise QueryError(
            f"there is no kind of duplicates called {unknown[0]!r}",
            f"the kinds are {', '.join(KINDS)}",
            ErrorKind.INVALID,
        )


def _known_directories(catalog: CatalogReader, directories: Sequence[Path]) -> list[Path]:
    """Return the paths of directories as the library has them.

    Raises QueryError for a directory without photos: if a mistyped one were ignored, the wrong
    files would be called the ones to keep.
    """
    known: list[Path] = []
    for directory in directories:
        path = typed_path(directory).absolute()
        found = [catalog.directory(possible) for possible in possible_paths(path)]
        here = [Path(one.path) for one in found if one is not None]
        if not here:
            raise QueryError(
                f"no photo of this library is in {printable(str(path))}, so it cannot be preferred",
                "check the name of the folder",
                ErrorKind.NOT_FOUND,
            )
        known += here
    return known


def _among(ids: Ids, within: Ids) -> npt.NDArray[np.bool_]:
    import numpy as np

    return np.isin(ids, within)


def _unhashed(catalog: CatalogReader) -> list[Remedy | str]:
    """Return a note on photos that have no perceptual hash yet."""
    without = catalog.count_photos_without_hash(HASH_VERSION)
    if not without:
        return []
    photos = "1 photo has" if without == 1 else f"{without:,} photos have"
    return [
        Remedy(
            f"{photos} no perceptual hash yet, so other forms of them were not found; "
            "to make the hashes: {}",
            (Call("index"),),
        )
    ]
