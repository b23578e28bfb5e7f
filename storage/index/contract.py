"""What a vector index promises, whichever engine keeps it.

An index is a copy of one checkpoint's embeddings, arranged for search. The catalog is the truth: an
index can be deleted at any time and is made again from there. An `IndexStore` keeps the indexes of
a library, and a `VectorIndex` is one of them, opened.

Embeddings have unit norm, so the cosine of two is their inner product. Ids are those of photos.

Threads: several threads may search one `VectorIndex`, and several threads and processes may use one
store. An opened index goes on giving the same answers while the store writes a newer one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids: TypeAlias = npt.NDArray[np.int64]
    Floats: TypeAlias = npt.NDArray[np.float32]
    Float16s: TypeAlias = npt.NDArray[np.float16]


FEWEST_SAMPLED = 1_000
"""The photos of a selection that a sample must have to represent them. Where the sample of all
photos has fewer, another one is drawn of the selection.
"""


class Embeddings(Protocol):
    """The embeddings of one checkpoint, which an index is made from.

    A generation is a number that grows whenever embeddings of the checkpoint are added or removed.
    """

    @property
    def token(self) -> str:
        """The checkpoint's name in the store: 16 hexadecimal digits, never used again."""
        ...

    @property
    def dimension(self) -> int:
        """The length of an embedding."""
        ...

    @property
    def generation(self) -> int:
        """The generation when this was read."""
        ...

    @property
    def count(self) -> int:
        """How many embeddings there were in that generation."""
        ...

    def ids(self, up_to_generation: int | None = None) -> Ids:
        """Return ids (n,) of the photos that are embedded now, ascending; those of the generation
        or earlier, or all.
        """
        ...

    def removed_after(self, generation: int) -> Ids:
        """Return ids (n,) of photos whose embeddings were removed after the generation, ascending.
        Removals of long ago may be forgotten, and some of the photos may be embedded again.
        """
        ...

    def count_after(self, generation: int, most: int) -> int:
        """Return how many embeddings are newer than the generation; counted up to `most` only."""
        ...

    def chunks(self, ids: Ids | None = None) -> Iterator[tuple[Ids, Float16s]]:
        """Yield the embeddings of `ids`, or all: ids (n,) and float16 (n, dim) at a time, in any
        order.
        """
        ...

    def chunks_after(self, generation: int) -> Iterator[tuple[Ids, Float16s]]:
        """Yield the embeddings newer than the generation, as `chunks` does."""
        ...

    def without_stop(self) -> Embeddings:
        """Return the same embeddings, for what is read after the opening, when that stop says
        nothing any more.
        """
        ...

    def check_stop(self) -> None:
        """Raise StoppedError if whoever wants the index has asked to stop. Reading chunks does so,
        too.
        """


@dataclass(frozen=True)
class Neighbours:
    """Photos near to a query."""

    ids: Ids
    """The ids (n,), ascending, each once."""
    cosines: Floats
    """The photos' cosines to the query, (n,)."""
    exact: bool
    """Whether the cosines are those of the embeddings. Otherwise they are estimates."""


@dataclass(frozen=True)
class Estimates:
    """The cosines of all photos to several queries."""

    ids: Ids
    """The ids (n,), ascending, each once."""
    cosines: tuple[Floats, ...]
    """The cosines (n,) of the photos to each query."""
    exact: bool
    """Whether the cosines are those of the embeddings."""


class VectorIndex(Protocol):
    """The embeddings of one checkpoint, complete as of the moment when the index was opened.

    It holds every photo that the catalog had then, in its newest embedding, and no other photo.
    `within` limits an answer to some photos: ids ascending, each once. Ids that the index does not
    hold are passed over.
    """

    def __len__(self) -> int:
        """Return how many photos are searched."""
        ...

    def held(self, ids: Ids) -> Ids:
        """Return those of `ids`, ascending, that the index holds."""
        ...

    def nearest(self, query: Floats, count: int, within: Ids | None = None) -> Neighbours:
        """Return the `count` photos nearest to the unit-norm query (dim,), as far as the index can
        tell; fewer only where there are fewer. By their cosines here, no other photo is nearer than
        the farthest of them.

        With exact cosines, of equally near photos those of the lowest ids are returned.
        """
        ...

    def sample(
        self, queries: Sequence[Floats], within: Ids | None = None
    ) -> tuple[Ids, list[Floats]]:
        """Return photos that stand for all, or for all of `within`: ids (n,), ascending, and each
        query's exact cosines (n,).

        The same photos each time: all where they are few, a random sample where they are many.
        """
        ...

    def kept(self, ids: Ids) -> Iterator[tuple[Ids, Float16s]]:
        """Yield the embeddings of those of `ids`, ascending, that this index gives faster than the
        catalog: ids (n,), ascending, and float16 (n, dim) at a time, as the catalog has them. Most
        indexes give none.
        """
        ...


@runtime_checkable
class EstimatingIndex(VectorIndex, Protocol):
    """An index that can also tell about all photos at once, which few engines can.

    Queries of several terms use it where it is offered. Otherwise they score all photos exactly.
    """

    def estimates(self, queries: Sequence[Floats], within: Ids | None = None) -> Estimates:
        """Return the cosines of all photos, or of all of `within`, to each query (dim,)."""
        ...


@dataclass(frozen=True)
class IndexCheck:
    """What is wrong with the stored index of a checkpoint."""

    damaged: tuple[str, ...]
    """What cannot be read as it was written, by name."""
    lacking: tuple[int, ...]
    """Ids of photos that the index should hold and does not."""


class IndexStore(Protocol):
    """Keeps the vector indexes of a library."""

    def open(self, embeddings: Embeddings) -> VectorIndex:
        """Return the index of these embeddings, complete; brought up to date or made again where
        needed.

        A store that cannot be written is no obstacle: the index is then made in memory.
        """
        ...

    def is_current(self, embeddings: Embeddings) -> bool:
        """Return whether there is nothing for `open` to make. It loads no engine."""
        ...

    def catch_up(self, embeddings: Embeddings) -> None:
        """Make the next `open` quick."""

    def remove(self, token: str) -> None:
        """Remove what is kept for the checkpoint with this token."""

    def tidy(self, generations: Mapping[str, int]) -> None:
        """Remove what killed writers left, and every index newer than its checkpoint's generation.

        `generations` are those of all checkpoints, by token. The caller holds the writer's lock.
        After a restored backup or a power cut, the catalog's generation is lower than that of some
        index. It would reach that number again with other embeddings, so such an index is removed.
        An index that belongs to no checkpoint is removed, too. Raises LibraryError where something
        cannot be removed.
        """

    def bytes(self) -> int:
        """Return how much space the indexes take."""
        ...

    def check(self, embeddings: Embeddings) -> IndexCheck:
        """Read all that is kept for the checkpoint, and compare it with its embeddings."""
        ...
