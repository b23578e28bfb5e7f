"""The file of the embeddings that a quantised index was made from, which scores candidates exactly.

    embeddings float16 (rows, dim) | ids int64 (rows), ascending | checksums uint64 (rows) | footer

The footer is described in `index_files`. The catalog, which is the truth, takes ten times as long
to give a thousand embeddings. The file is opened by memory map and too large to be read whole, so
each row has a checksum. A row that is not as it was written is read from the catalog. So nobody
waits until the file is on the disk: what a power cut takes of it costs time alone.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from sigseek.files import written_whole
from sigseek.storage.index import index_files
from sigseek.storage.index.contract import Embeddings
from sigseek.storage.index.index_files import CHECKSUM, FOOTER, VECTORS

Float16s = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]

_MAGIC = b"sigseekv"
_WORD = 4
"""Dimensions in one word of 8 bytes. Checksums are sums of such words."""
_CHUNK = 256
"""Embeddings in one chunk: so many stay in the processor's cache while they are scored."""
_READ, _WRITTEN = 512, 4_096
"""Embeddings in memory at a time while the whole file is read and while it is written."""

NO_IDS = np.zeros(0, np.int64)


class VectorFile:
    """The embeddings of one checkpoint in one generation. Several threads may read it."""

    def __init__(self, path: Path, rows: int, dimension: int) -> None:
        """Map the file, whose length has been checked."""
        self._path = path
        # As plain arrays: each use of a memmap object takes longer than what it is used for here.
        self._vectors = np.asarray(np.memmap(path, "<f2", "r", 0, (rows, dimension)))
        numbers = np.asarray(np.memmap(path, "<i8", "r", self._vectors.nbytes, (2, rows)))
        self._ids = numbers[0]
        self._checksums = numbers[1].view("<u8")

    def chunks(self, ids: Ids) -> Iterator[tuple[Ids, Float16s]]:
        """Yield the embeddings of those of `ids`, ascending, that the file has as they were
        written.
        """
        places = self._places(ids)
        for start in range(0, len(ids), _CHUNK):
            rows, wanted = places[start : start + _CHUNK], ids[start : start + _CHUNK]
            # take needs half the time of self._vectors[rows].
            yield self._sound(wanted, self._vectors.take(rows, 0), rows)

    def read(self, ids: Ids) -> tuple[Ids, Float16s]:
        """Return what `chunks` yields, of ids that lie close together in the file. All from the
        first to the last is read and not mapped, because what is mapped counts as this program's
        memory.
        """
        dimension = self._vectors.shape[1]
        places = self._places(ids)
        first, count = (places[0], places[-1] - places[0] + 1) if len(ids) else (0, 0)
        vectors = np.zeros(0, np.float16)
        # Another process may have removed the file, or put a shorter one in its place.
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(2 * dimension * first)
            vectors = np.fromfile(file, "<f2", dimension * count)
        if not count or len(vectors) < dimension * count:
            return ids[:0], np.zeros((0, dimension), np.float16)
        return self._sound(ids, vectors.reshape(count, dimension)[places - first], places)

    def _places(self, ids: Ids) -> npt.NDArray[np.intp]:
        """Return the row of each id, if the file has it."""
        return np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)

    def _sound(
        self, ids: Ids, vectors: Float16s, rows: npt.NDArray[np.intp]
    ) -> tuple[Ids, Float16s]:
        """Return those of the ids and embeddings that are in these rows as they were written."""
        sound = (self._ids[rows] == ids) & (_checksums(vectors, ids) == self._checksums[rows])
        return (ids, vectors) if sound.all() else (ids[sound], vectors[sound])


def chunks(
    file: VectorFile | None, embeddings: Embeddings, ids: Ids, changed: Ids = NO_IDS
) -> Iterator[tuple[Ids, Float16s]]:
    """Yield the embeddings of `ids`, ascending: from the file what it has, which takes a fraction
    of the time, and from the catalog what is left. The file is not asked for the ids, ascending, of
    what has `changed` since it was written.
    """
    if file is None:
        yield from embeddings.chunks(ids)
        return
    for start in range(0, len(ids), _READ):
        embeddings.check_stop()
        wanted = ids[start : start + _READ]
        found, vectors = file.read(np.setdiff1d(wanted, changed, assume_unique=True))
        yield found, vectors
        if len(left := np.setdiff1d(wanted, found, assume_unique=True)):
            yield from embeddings.chunks(left)


def write(
    ids: Ids,
    directory: Path,
    embeddings: Embeddings,
    generation: int,
    earlier: VectorFile | None = None,
    changed: Ids = NO_IDS,
) -> VectorFile | None:
    """Write the file of the photos with these ids, ascending, remove those of earlier generations,
    and return the new one; None where that is not possible. What has not `changed` since an earlier
    file was written is copied from there.
    """
    if embeddings.dimension % _WORD or not len(ids):
        return None
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
        target = index_files.path_of(directory, embeddings.token, generation, VECTORS)
        with written_whole(target, flush=False) as unfinished, unfinished.open("xb") as file:
            length = len(ids) * _row_bytes(embeddings.dimension)
            checksum = _write_rows(file, ids, embeddings, earlier, changed)
            footer = FOOTER.pack(_MAGIC, len(ids), len(ids), length, 0, checksum)
            file.write(footer + CHECKSUM.pack(zlib.crc32(footer)))
        index_files.remove_older(directory, embeddings.token, generation, VECTORS)
    return open_exactly(directory, embeddings, generation)


def open_exactly(directory: Path, embeddings: Embeddings, generation: int) -> VectorFile | None:
    """Return the file of this very generation; None when it is missing or damaged."""
    path = index_files.path_of(directory, embeddings.token, generation, VECTORS)
    try:
        with path.open("rb") as file:
            read = index_files.read_structure(file)
            if read is None:
                return None
            found = read[0]
            whole = found.length == found.rows * _row_bytes(embeddings.dimension)
            if found.magic != _MAGIC or not found.rows or not whole:
                return None
            return VectorFile(path, found.rows, embeddings.dimension)
    except (OSError, ValueError):  # ValueError: another process has just put a shorter one here
        return None


def _write_rows(
    file: BinaryIO, ids: Ids, embeddings: Embeddings, earlier: VectorFile | None, changed: Ids
) -> int:
    """Write the embeddings as the catalog has them now, and return the CRC-32 of all that was
    written. The row of a photo that was removed meanwhile has no valid checksum.
    """
    checksums = np.zeros(len(ids), np.uint64)
    written = 0
    for start in range(0, len(ids), _WRITTEN):
        wanted = ids[start : start + _WRITTEN]
        vectors = np.zeros((len(wanted), embeddings.dimension), "<f2")
        for found, halves in chunks(earlier, embeddings, wanted, changed):
            places = np.searchsorted(wanted, found)
            vectors[places] = halves
            checksums[start + places] = _checksums(halves, found)
        written = zlib.crc32(vectors.data, written)
        file.write(vectors.data)
    for numbers in (ids.astype("<i8"), checksums.astype("<u8")):
        written = zlib.crc32(numbers.data, written)
        file.write(numbers.data)
    return written


def _row_bytes(dimension: int) -> int:
    return 2 * dimension + 16


def _checksums(vectors: Float16s, ids: Ids) -> npt.NDArray[np.uint64]:
    """Return the checksums uint64 (n,) of embeddings float16 (n, dim) of these photos. No row of
    zeros has the checksum 0, because no photo has the id 0 and embeddings are of unit length.
    """
    sums: npt.NDArray[np.uint64] = np.ascontiguousarray(vectors).view(np.uint64).sum(axis=1)
    return sums + ids.astype(np.uint64)
