"""The file of a vector index: written whole or not at all, opened by memory map, its damage noticed.

A flat index lies in it as FAISS writes it, with a footer behind. A quantised one lies in it as `codes, ids, quantiser,
footer`, the codes and ids being FAISS's single list of both: FAISS maps no fast-scan list of its own files (with the
flag for it, it reads them twice), but scans one in place that it takes for a list on disk.
"""

import contextlib
import os
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import faiss
import numpy as np
import numpy.typing as npt

from sigseek.storage.records import CheckpointRecord

FastScan = Any
"""A faiss.IndexIVFPQFastScan."""

INDEX, SAMPLE = ".faiss", ".sample"
"""What the names of files end with: indexes of everything, and of some embeddings that stand for
all.
"""

_swig: Any = faiss  # its annotations know little of what is used here

_FOOTER = struct.Struct(
    "<8sQQQQL"
)  # magic, rows, trained on, bytes before this, bytes of the structure, their CRC-32
_CHECKSUM = struct.Struct(
    "<L"
)  # of the structure and the footer, behind both: opening a quantised index reads no more of it
_FLAT, _QUANTISED = b"sigseekf", b"sigseekq"
_FLAT_STRUCTURE = 64  # bytes; FAISS's magic numbers, dimension and counts


@dataclass(frozen=True)
class StoredIndex:
    """An index as its file has it, mapped: to be searched, never to be changed."""

    index: faiss.Index
    generation: int
    """The checkpoint's, whose embeddings it holds."""
    trained_on: int
    """Embeddings that there were when its quantiser was trained."""


def is_quantised(index: faiss.Index) -> TypeGuard[faiss.IndexIVFPQFastScan]:
    """Whether the index is a fast-scan one; otherwise it is flat."""
    return isinstance(index, faiss.IndexIVFPQFastScan)


def open_newest(
    directory: Path, checkpoint: CheckpointRecord, suffix: str = INDEX
) -> StoredIndex | None:
    """The checkpoint's index of the latest generation that the catalog has reached; None when
    missing or damaged.
    """
    pattern = re.compile(rf"{checkpoint.token}-(\d+){re.escape(suffix)}")
    found = [
        (int(match[1]), path)
        for path in directory.glob(f"*{suffix}")
        if (match := pattern.fullmatch(path.name))
    ]
    generation, path = max(
        ((at, path) for at, path in found if at <= checkpoint.generation), default=(0, None)
    )
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            index, trained_on = _mapped(file)
            if not os.path.samestat(
                os.fstat(file.fileno()), path.stat()
            ):  # FAISS opens by name: what it mapped came later
                return None
    except (
        OSError,
        RuntimeError,
        TypeError,
    ):  # unreadable; not FAISS's; a name that SWIG does not pass on
        return None
    return StoredIndex(index, generation, trained_on) if index.d == checkpoint.dimension else None


def write(
    index: faiss.Index,
    trained_on: int,
    directory: Path,
    checkpoint: CheckpointRecord,
    suffix: str = INDEX,
) -> None:
    """Write aside, flush to disk, rename; then drop the files of other generations. OSError where
    that fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / f"{checkpoint.token}-{checkpoint.generation}{suffix}"
    aside = target.with_suffix(f"{suffix}.{os.getpid()}.part")
    try:
        with aside.open("w+b") as file:
            structure = (
                _write_quantised(index, file) if is_quantised(index) else _write_flat(index, file)
            )
            magic = _QUANTISED if is_quantised(index) else _FLAT
            length = file.tell()
            footer = _FOOTER.pack(
                magic, index.ntotal, trained_on, length, len(structure), _checksum(file, length)
            )
            file.write(footer + _CHECKSUM.pack(zlib.crc32(structure + footer)))
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    for path in directory.glob(f"{checkpoint.token}-*{suffix}"):
        if path != target:
            with contextlib.suppress(OSError):  # another process may have removed it
                path.unlink()


def remove(directory: Path, token: str) -> None:
    """Remove all files of the checkpoint with this token."""
    for path in directory.glob(f"{token}-*"):
        with contextlib.suppress(OSError):  # another process may have removed it
            path.unlink()


def is_sound(path: Path) -> bool:
    """Whether every byte of the file can be read and is as it was written, or another process has
    removed it meanwhile.
    """
    try:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END) - _FOOTER.size - _CHECKSUM.size
            if length < 0:
                return False
            file.seek(length)
            *_, checksum = _FOOTER.unpack(file.read(_FOOTER.size))
            return bool(_checksum(file, length) == checksum)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _checksum(file: BinaryIO, length: int) -> int:
    """CRC-32 of the first bytes of the file, which is then read on from where it was."""
    before = file.tell()
    file.seek(0)
    checksum = 0
    while length > 0 and (part := file.read(min(length, 1 << 20))):
        checksum = zlib.crc32(part, checksum)
        length -= len(part)
    file.seek(before)
    return checksum


def changeable(index: FastScan) -> FastScan:
    """A copy in memory of a mapped quantised index: FAISS ends the process on an attempt to change
    the mapped one.
    """
    copy: FastScan = _swig.deserialize_index(_quantiser(index))
    if rows := int(index.ntotal):
        copy.invlists.resize(0, rows)
        (codes, ids), (old_codes, old_ids) = codes_and_ids(copy, rows), codes_and_ids(index, rows)
        codes[:], ids[:] = old_codes, old_ids
        copy.ntotal = rows
    return copy


def indexed_ids(index: Any) -> npt.NDArray[np.int64]:
    """The ids (n,) in an index, in no particular order."""
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
    """The index in the file and what it was trained on. Raises RuntimeError when the file is not as
    it was written.

    Its length is checked before anything is mapped: reading past the end of a mapped file would end
    the process.
    """
    start = file.seek(0, os.SEEK_END) - _FOOTER.size - _CHECKSUM.size
    if start < 0:
        raise RuntimeError("too short")
    file.seek(start)
    footer, checksum = file.read(_FOOTER.size), file.read()
    magic, rows, trained_on, length, structure_length, body_checksum = _FOOTER.unpack(footer)
    if magic not in (_FLAT, _QUANTISED) or length != start or structure_length > length:
        raise RuntimeError("truncated")
    file.seek(0 if magic == _FLAT else length - structure_length)
    structure = file.read(structure_length)
    if _CHECKSUM.pack(zlib.crc32(structure + footer)) != checksum:
        raise RuntimeError("damaged")
    if magic == _FLAT:
        # Its cosines count as exact, so every byte has to be right; a quantised one only gives
        # candidates, and is large.
        if _checksum(file, length) != body_checksum:
            raise RuntimeError("damaged")
        return faiss.read_index(file.name, faiss.IO_FLAG_MMAP_IFC), trained_on
    index: FastScan = faiss.deserialize_index(np.frombuffer(structure, np.uint8))
    if rows:
        index.replace_invlists(_list_on_disk(file.name, rows, length, index), True)
        index.ntotal = rows
    return index, trained_on


def _list_on_disk(name: str, rows: int, length: int, index: FastScan) -> Any:
    lists = _swig.OnDiskInvertedLists()
    lists.read_only = True
    lists.prefetch_nthread = (
        0  # the threads would read beside the scan what it reads itself, and double its time
    )
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
    """Codes and ids where they lie in the index, which must outlive them."""
    lists = index.invlists
    codes = _swig.rev_swig_ptr(lists.get_codes(0), _padded(rows, index) * index.code_size)
    return codes, _swig.rev_swig_ptr(lists.get_ids(0), rows)


def _padded(rows: int, index: FastScan) -> int:
    """Codes lie in blocks of 32, the last one filled up."""
    return -(-rows // int(index.bbs)) * int(index.bbs)


def _quantiser(index: FastScan) -> npt.NDArray[np.uint8]:
    """The index without its rows, as FAISS writes it."""
    lists, rows, owned = index.invlists, index.ntotal, index.own_invlists
    empty = _swig.BlockInvertedLists(1, index.bbs, index.bbs * index.code_size)
    index.own_invlists = False
    index.invlists, index.ntotal = empty, 0
    try:
        return faiss.serialize_index(index)
    finally:
        index.invlists, index.ntotal, index.own_invlists = lists, rows, owned
