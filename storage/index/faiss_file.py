"""The file of a FAISS index: written whole or not at all, opened by memory map, its damage noticed.

    flat index         as FAISS writes it | footer
    quantised index    codes | ids | quantiser without rows, as FAISS writes it | footer

The footer is described in `index_files`. The codes and ids are the one inverted list of the index,
as it lies in memory: FAISS cannot map a fast-scan list from its own file format (with the flag for
it, it reads the list twice), but it can map one that is declared to be an on-disk list.
"""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import faiss
import numpy as np
import numpy.typing as npt

from sigseek.files import written_whole
from sigseek.storage.index import index_files
from sigseek.storage.index.contract import Embeddings
from sigseek.storage.index.index_files import CHECKSUM, FLAT, FOOTER, INDEX, QUANTISED

FastScan = Any
"""A faiss.IndexIVFPQFastScan."""

_swig: Any = faiss  # its annotations know little of what is used here

_FLAT_STRUCTURE = 64  # bytes; FAISS's magic numbers, dimension and counts
_ATTEMPTS = 3


@dataclass(frozen=True)
class StoredIndex:
    """An index as its file has it, mapped: to be searched, never to be changed."""

    index: faiss.Index
    generation: int
    """The generation of the embeddings that it holds."""
    trained_on: int
    """How many embeddings there were when its quantiser was trained."""

    @property
    def rows(self) -> int:
        """How many embeddings it holds."""
        return int(self.index.ntotal)


def is_quantised(index: faiss.Index) -> TypeGuard[faiss.IndexIVFPQFastScan]:
    """Return whether the index is a fast-scan one; otherwise it is flat."""
    return isinstance(index, faiss.IndexIVFPQFastScan)


def open_newest(directory: Path, embeddings: Embeddings) -> StoredIndex | None:
    """Return the newest index that is not newer than the embeddings; None when it is missing or
    damaged.
    """
    for _ in range(_ATTEMPTS):
        token, reached = embeddings.token, embeddings.generation
        generation = index_files.newest_generation(directory, token, reached)
        if generation is None:
            return None
        stored = open_exactly(directory, embeddings, generation)
        if stored or index_files.path_of(directory, token, generation).exists():
            return stored
        # Another process has just replaced this file by a newer one.
    return None


def open_exactly(
    directory: Path, embeddings: Embeddings, generation: int, suffix: str = INDEX
) -> StoredIndex | None:
    """Return the index of this very generation; None when it is missing or damaged."""
    path = index_files.path_of(directory, embeddings.token, generation, suffix)
    try:
        with path.open("rb") as file:
            index, trained_on = _mapped(file)
            # FAISS opens files by name: another one may have come in this one's place.
            if not os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return None
    # Unreadable, not FAISS's, or a name that SWIG does not pass on.
    except (OSError, RuntimeError, TypeError):
        return None
    return StoredIndex(index, generation, trained_on) if index.d == embeddings.dimension else None


def write(
    index: faiss.Index,
    trained_on: int,
    directory: Path,
    embeddings: Embeddings,
    generation: int,
    suffix: str = INDEX,
) -> None:
    """Write the index under another name, flush it to disk and rename it; then remove the files of
    earlier generations. Raises OSError where that fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = index_files.path_of(directory, embeddings.token, generation, suffix)
    with written_whole(target) as unfinished, unfinished.open("x+b") as file:
        structure = (
            _write_quantised(index, file) if is_quantised(index) else _write_flat(index, file)
        )
        magic = QUANTISED if is_quantised(index) else FLAT
        length = file.tell()
        body = index_files.checksum(file, length)
        footer = FOOTER.pack(magic, index.ntotal, trained_on, length, len(structure), body)
        file.write(footer + CHECKSUM.pack(zlib.crc32(structure + footer)))
    index_files.remove_older(directory, embeddings.token, generation, suffix)


def writable_copy(index: FastScan) -> FastScan:
    """Return a copy in memory of a mapped quantised index: FAISS ends the process on an attempt to
    change the mapped one.
    """
    copy: FastScan = _swig.deserialize_index(_quantiser(index))
    if rows := int(index.ntotal):
        copy.invlists.resize(0, rows)
        (codes, ids), (old_codes, old_ids) = codes_and_ids(copy, rows), codes_and_ids(index, rows)
        codes[:], ids[:] = old_codes, old_ids
        copy.ntotal = rows
    return copy


def indexed_ids(index: Any) -> npt.NDArray[np.int64]:
    """Return the ids (n,) in an index, in no particular order."""
    if not is_quantised(index):
        return np.array(_swig.vector_to_array(index.id_map))
    return (
        np.array(codes_and_ids(index, int(index.ntotal))[1])
        if index.ntotal
        else np.zeros(0, np.int64)
    )


def _write_flat(index: faiss.Index, file: BinaryIO) -> bytes:
    contents = faiss.serialize_index(index)
    file.write(contents.data)
    return contents[:_FLAT_STRUCTURE].tobytes()


def _write_quantised(index: FastScan, file: BinaryIO) -> bytes:
    for part in codes_and_ids(index, int(index.ntotal)) if index.ntotal else ():
        file.write(part.data)
    structure = _quantiser(index).tobytes()
    file.write(structure)
    return structure


def _mapped(file: BinaryIO) -> tuple[faiss.Index, int]:
    """Return the index in the file and what it was trained on. Raises RuntimeError when the file is
    not as it was written.
    """
    read = index_files.read_structure(file)
    if read is None or read[0].magic not in (FLAT, QUANTISED):
        raise RuntimeError("damaged")
    found, structure = read
    if found.magic == FLAT:
        # Its cosines count as exact, so every byte has to be right. A quantised index only gives
        # candidates, and is large.
        if index_files.checksum(file, found.length) != found.body_checksum:
            raise RuntimeError("damaged")
        return faiss.read_index(file.name, faiss.IO_FLAG_MMAP_IFC), found.trained_on
    index: FastScan = faiss.deserialize_index(np.frombuffer(structure, np.uint8))
    if found.rows:
        index.replace_invlists(_list_on_disk(file.name, found.rows, found.length, index), True)
        index.ntotal = found.rows
    return index, found.trained_on


def _list_on_disk(name: str, rows: int, length: int, index: FastScan) -> Any:
    lists = _swig.OnDiskInvertedLists()
    lists.read_only = True
    # Threads that prefetch would read what the scan itself reads, and double its time.
    lists.prefetch_nthread = 0
    lists.filename, lists.totsize = name, length
    lists.nlist, lists.code_size = 1, index.code_size
    one = _swig.OnDiskOneList()
    one.size, one.capacity, one.offset = rows, _padded(rows, index), 0
    lists.lists.push_back(one)
    lists.do_mmap()
    lists.this.disown()  # it is the index's from here on
    return lists


def codes_and_ids(
    index: FastScan, rows: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return codes and ids where they lie in the index, which must outlive them."""
    lists = index.invlists
    codes = _swig.rev_swig_ptr(lists.get_codes(0), _padded(rows, index) * index.code_size)
    return codes, _swig.rev_swig_ptr(lists.get_ids(0), rows)


def _padded(rows: int, index: FastScan) -> int:
    """Return how many rows the codes take room for: they are kept in blocks of 32, the last one
    filled up.
    """
    return -(-rows // int(index.bbs)) * int(index.bbs)


def _quantiser(index: FastScan) -> npt.NDArray[np.uint8]:
    """Return the index without its rows, as FAISS writes it."""
    lists, rows, owned = index.invlists, index.ntotal, index.own_invlists
    empty = _swig.BlockInvertedLists(1, index.bbs, index.bbs * index.code_size)
    index.own_invlists = False
    index.invlists, index.ntotal = empty, 0
    try:
        return faiss.serialize_index(index)
    finally:
        index.invlists, index.ntotal, index.own_invlists = lists, rows, owned
