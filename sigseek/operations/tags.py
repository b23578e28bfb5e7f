"""Tags: labels that are kept with the photos that match them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.lists import check_list
from sigseek.operations.opened import OpenedLibrary
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
    library.checkpoint.state_to_query()  # raises before the text tower is loaded
    told, until = listener or library.listener, stop or Stop()
    vectors = library.model.embed_texts(texts, told, until)
    for label, text in zip(wanted, texts, strict=True):
        library.model.warn_if_cut(f"the label '{label.name}'", text)
    with library.directory.writing():
        searcher = library.searcher.get()
        return tag_photos(library.directory.catalog(), searcher, wanted, vectors, told, until)


def tag_photos(
    catalog: Catalog,
    searcher: Searcher,
    labels: Sequence[Label],
    vectors: npt.NDArray[np.float32],
    listener: Listener,
    stop: Stop,
) -> tuple[TagCount, ...]:
    """Give each label to the photos that match its text, and take it from all others.

    `vectors` are the texts' unit-norm embeddings (n, dim). Each label is committed by itself.
    """
    counts: list[TagCount] = []
    listener.advanced(Progress(Phase.TAGGING, 0, len(labels)))
    for label, (ids, probabilities) in zip(labels, searcher.matching(vectors), strict=True):
        stop.check()
        with catalog.transaction() as transaction:
            transaction.put_tag(label.name, searcher.checkpoint.id, ids, probabilities)
        counts.append(TagCount(label.name, len(ids)))
        listener.advanced(Progress(Phase.TAGGING, len(counts), len(labels)))
    return tuple(counts)


def count_tags(catalog: Catalog) -> tuple[TagCount, ...]:
    """Count the photos of each tag; the tags are in alphabetical order."""
    return tuple(TagCount(name, photos) for name, photos in catalog.tags().items())


def drop_tag(directory: LibraryDirectory, name: str) -> TagCount:
    """Take a tag from all photos and count them. Raises UnknownTagError when there is no such
    tag.
    """
    catalog = directory.catalog()
    with directory.writing():
        known = catalog.tags()
        if name not in known:
            raise UnknownTagError(name, list(known))
        with catalog.transaction() as transaction:
            transaction.remove_tag(name)
    return TagCount(name, known[name])
