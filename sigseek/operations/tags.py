"""Tags: labels that are kept with the photos that match them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigseek.search.errors import UnknownTagError
from sigseek.search.labels import Label
from sigseek.storage import Catalog

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.search.searcher import Searcher


@dataclass(frozen=True)
class TagCount:
    """A tag and how many photos bear it."""

    label: str
    photos: int


def tag_photos(
    catalog: Catalog,
    searcher: Searcher,
    labels: Sequence[Label],
    vectors: npt.NDArray[np.float32],
    on_done: Callable[[int], None],
) -> tuple[TagCount, ...]:
    """Keep, for each label, the photos that match its text's unit-norm embedding, of (n, dim), and
    no earlier ones.

    A label is kept as soon as its photos are known; `on_done` is then told how many are.
    """
    counts: list[TagCount] = []
    for label, (ids, probabilities) in zip(labels, searcher.matching(vectors), strict=True):
        with catalog.transaction() as transaction:
            transaction.put_tag(label.name, searcher.checkpoint.id, ids, probabilities)
        counts.append(TagCount(label.name, len(ids)))
        on_done(len(counts))
    return tuple(counts)


def count_tags(catalog: Catalog) -> tuple[TagCount, ...]:
    """All tags in alphabetical order."""
    return tuple(TagCount(name, photos) for name, photos in catalog.tags().items())


def drop_tag(catalog: Catalog, name: str) -> TagCount:
    """Take the tag from all photos, and say from how many; UnknownTagError where none has it."""
    known = catalog.tags()
    if name not in known:
        raise UnknownTagError(name, list(known))
    with catalog.transaction() as transaction:
        transaction.remove_tag(name)
    return TagCount(name, known[name])
