"""Tags: labels that are kept with the photos that match them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.model import ModelInUse
from sigseek.operations.searching import SearcherInUse
from sigseek.progress import Listener, Phase, Progress
from sigseek.search.errors import UnknownTagError
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
    directory: LibraryDirectory,
    model: ModelInUse,
    searcher: SearcherInUse,
    labels: Sequence[str | Label],
    template: str,
    listener: Listener,
) -> tuple[TagCount, ...]:
    """Keep labels with the photos that match them, as `Library.tag` describes."""
    wanted = distinct_labels(labels)
    texts = label_texts(wanted, template)
    model.state_to_query()  # raises before the text tower is loaded
    vectors = model.embed_texts(texts)
    for label, text in zip(wanted, texts, strict=True):
        model.warn_if_cut(f"the label '{label.name}'", text)
    with directory.writing():
        return tag_photos(directory.catalog(), searcher.get(), wanted, vectors, listener)


def tag_photos(
    catalog: Catalog,
    searcher: Searcher,
    labels: Sequence[Label],
    vectors: npt.NDArray[np.float32],
    listener: Listener,
) -> tuple[TagCount, ...]:
    """Give each label to the photos that match its text, and take it from all others.

    `vectors` are the texts' unit-norm embeddings (n, dim). Each label is committed by itself.
    """
    counts: list[TagCount] = []
    for label, (ids, probabilities) in zip(labels, searcher.matching(vectors), strict=True):
        with catalog.transaction() as transaction:
            transaction.put_tag(label.name, searcher.checkpoint.id, ids, probabilities)
        counts.append(TagCount(label.name, len(ids)))
        listener.advanced(Progress(Phase.TAGGING, len(counts), len(labels)))
    return tuple(counts)


def count_tags(catalog: Catalog) -> tuple[TagCount, ...]:
    """All tags that photos have, in alphabetical order."""
    return tuple(TagCount(name, photos) for name, photos in catalog.tags().items())


def drop_tag(directory: LibraryDirectory, name: str) -> TagCount:
    """Take a tag from all photos and count them; UnknownTagError when there is no such tag."""
    catalog = directory.catalog()
    with directory.writing():
        known = catalog.tags()
        if name not in known:
            raise UnknownTagError(name, list(known))
        with catalog.transaction() as transaction:
            transaction.remove_tag(name)
    return TagCount(name, known[name])
