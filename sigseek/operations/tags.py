"""Tags: labels that are kept with the photos that match them, or that a person gave them to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigseek.operations.lists import check_list
from sigseek.operations.location import LibraryLocation
from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.photo_files import known_photos
from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.search.errors import QueryError, UnknownTagError
from sigseek.search.labels import Label, distinct_labels, label_texts
from sigseek.storage import Catalog

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.search.searcher import Searcher


@dataclass(frozen=True)
class TagCount:
    """A tag and how many photos have it."""

    label: str
    photos: int
    by_hand: int = 0
    """How many of these photos a person gave the tag to. The others were judged to match it."""


def tag(
    library: OpenedLibrary,
    labels: Sequence[str | Label],
    template: str,
    listener: Listener | None,
    stop: Stop | None,
) -> tuple[TagCount, ...]:
    """Keep labels with the photos that match them, as `Library.tag` describes."""
    check_list("labels", labels, QueryError)
    wanted = distinct_labels(labels)
    texts = label_texts(wanted, template)
    told, until = listener or library.listener, stop or Stop()
    # It raises before the text tower is loaded.
    state = library.checkpoint.state_to_query(told, until)
    with library.directory.writing(until):
        pass  # a read-only library is refused before what takes long
    vectors = library.model.embed_texts(texts, told, until)
    for label, text in zip(wanted, texts, strict=True):
        library.model.warn_if_cut(f"the label '{label.name}'", text)
    with library.directory.writing(until):
        searcher, catalog = library.searcher.get(told, until), library.directory.catalog()
        counts = tag_photos(catalog, searcher, wanted, vectors, told, until)
    library.checkpoint.note_tagging(state.record)
    return counts


def tag_photos(
    catalog: Catalog,
    searcher: Searcher,
    labels: Sequence[Label],
    vectors: npt.NDArray[np.float32],
    listener: Listener,
    stop: Stop,
) -> tuple[TagCount, ...]:
    """Give each label to the photos that match its text, and take it from all others, except for
    photos of which a person said whether they have the tag.

    `vectors` are the texts' unit-norm embeddings (n, dim). Each label is committed by itself.
    """
    counts: list[TagCount] = []
    listener.advanced(Progress(Phase.TAGGING, 0, len(labels)))
    for label, (ids, probabilities) in zip(labels, searcher.matching(vectors), strict=True):
        stop.check()
        with catalog.transaction() as transaction:
            transaction.put_tag(label.name, searcher.checkpoint.id, ids, probabilities)
        counts.append(TagCount(label.name, *catalog.count_tagged(label.name)))
        listener.advanced(Progress(Phase.TAGGING, len(counts), len(labels)))
    return tuple(counts)


def decide_tag(
    library: OpenedLibrary,
    name: str,
    photos: Sequence[str | os.PathLike[str] | int],
    *,
    given: bool,
) -> TagCount:
    """Give a tag to photos by hand, or take it back from them, and count its photos.

    Raises QueryError and changes nothing for an empty name, and for a file that is not in the
    library.
    """
    check_list("photos", photos, QueryError)
    if not name.strip():
        raise QueryError("an empty tag", "write its name")
    (tag_name,) = (label.name for label in distinct_labels([name.strip()]))
    catalog = library.directory.catalog()
    with library.directory.writing():
        known = catalog.tags()
        if not given and tag_name not in known:
            raise UnknownTagError(tag_name, list(known))
        ids = known_photos(library.photo_files, photos)
        with catalog.transaction() as transaction:
            transaction.put_hand_tag(tag_name, ids, given=given)
        return TagCount(tag_name, *catalog.count_tagged(tag_name))


def count_tags(catalog: Catalog) -> tuple[TagCount, ...]:
    """Count the photos of each tag; the tags are in alphabetical order."""
    with catalog.snapshot() as reader:
        counts, by_hand = reader.tags(), reader.tags_by_hand()
    return tuple(TagCount(name, photos, by_hand.get(name, 0)) for name, photos in counts.items())


def drop_tag(directory: LibraryLocation, name: str) -> TagCount:
    """Take a tag from all photos, whoever gave it, and count them.

    Raises UnknownTagError when there is no such tag.
    """
    catalog = directory.catalog()
    with directory.writing():
        known = catalog.tags()
        if name not in known:
            raise UnknownTagError(name, list(known))
        count = TagCount(name, *catalog.count_tagged(name))
        with catalog.transaction() as transaction:
            transaction.remove_tag(name)
    return count
