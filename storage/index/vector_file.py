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
_WRITTEN = 4_096
"""Embeddings in memory at a time while the file is written."""


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
        places = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        for start in range(0, len(ids), _CHUNK):
            rows, wanted = places[start : start + _CHUNK], ids[start : start + _CHUNK]
            vectors = self._vectors.take(rows, 0)  # in half the time of self._vectors[rows]
            sound = (self._ids[rows] == wanted) & (
                _checksums(vectors, wanted) == self._checksums[rows]
            )
            yield (wanted, vectors) if sound.all() else (wanted[sound], vectors[sound])

    def all_chunks(self) -> Iterator[tuple[Ids, Float16s]]:
        """Yield the embeddings that are as they were written. They are read instead of mapped,
        because all of the file would count as this program's memory.
        """
        rows, dimension = self._vectors.shape
        # Another process may have removed the file, or put a shorter one in its place.
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            for start in range(0, rows, _CHUNK):
                ids = self._ids[start : start + _CHUNK]
                vectors = np.fromfile(file, "<f2", len(ids) * dimension)
                if len(vectors) < len(ids) * dimension:
                    return
                vectors = vectors.reshape(len(ids), dimension)
                sound = _checksums(vectors, ids) == self._checksums[start : start + _CHUNK]
                yield ids[sound], vectors[sound]


def write(ids: Ids, directory: Path, embeddings: Embeddings, generation: int) -> VectorFile | None:
    """Write the file of the photos with these ids, ascending, remove those of earlier generations,
    and return the new one; None where that is not possible.
    """
    if embeddings.dimension % _WORD or not len(ids):
        return None
    with contextlib.suppress(OSError):
        directory.mkdir(parents=True, exist_ok=True)
        target = index_files.path_of(directory, embeddings.token, generation, VECTORS)
        with written_whole(target, flush=False) as unfinished, unfinished.open("xb") as file:
            length = len(ids) * _row_bytes(embeddings.dimension)
            checksum = _write_rows(file, ids, embeddings)
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


def _write_rows(file: BinaryIO, ids: Ids, embeddings: Embeddings) -> int:
    """Write the embeddings as the catalog has them now, and return the CRC-32 of all that was
    written. The row of a photo that was removed meanwhile has no valid checksum.
    """
    checksums = np.zeros(len(ids), np.uint64)
    written = 0
    for start in range(0, len(ids), _WRITTEN):
        wanted = ids[start : start + _WRITTEN]
        vectors = np.zeros((len(wanted), embeddings.dimension), "<f2")
        for found, halves in embeddings.chunks(wanted):
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
