"""The names and footers of index files: what is known of an index without FAISS and numpy.

A file's name holds the token of its checkpoint and the generation that it was made from, so file
and generation cannot disagree. A file ends with this footer, little-endian:

    8 bytes   magic: what kind of index it is
    uint64    rows: how many embeddings it holds
    uint64    trained on: how many embeddings there were when its quantiser was trained
    uint64    length of all before the footer
    uint64    length of the structure: what is checked at every opening
    uint32    CRC-32 of all before the footer
    uint32    CRC-32 of the structure and of the footer up to here
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from sigseek.errors import ErrorKind
from sigseek.files import PART
from sigseek.storage.errors import LibraryError

INDEX, SAMPLE, VECTORS = ".faiss", ".sample", ".vectors"
"""What the names of files end with: indexes of all embeddings, indexes of the sample that stands
for them, and the embeddings themselves.
"""

FOOTER = struct.Struct("<8sQQQQL")
CHECKSUM = struct.Struct("<L")
FLAT, QUANTISED = b"sigseekf", b"sigseekq"

_STALE_SHARE = 0.1
_STALE_MOST = 5_000  # reading so many newer embeddings at every opening takes 30 ms


class Footer(NamedTuple):
    """The numbers at the end of a file."""

    magic: bytes
    rows: int
    trained_on: int
    length: int
    structure_length: int
    body_checksum: int


def path_of(directory: Path, token: str, generation: int, suffix: str = INDEX) -> Path:
    """Return where the file of this checkpoint and generation lies."""
    return directory / f"{token}-{generation}{suffix}"


def newest_generation(directory: Path, token: str, reached: int) -> int | None:
    """Return the highest generation that has an index file, up to the one that the catalog has
    reached.
    """
    found = (generation for generation, _ in _files(directory, token, INDEX))
    return max((generation for generation in found if generation <= reached), default=None)


def read_footer(file: BinaryIO) -> Footer | None:
    """Return the footer of an open file; None where the file is too short for one."""
    start = file.seek(0, os.SEEK_END) - FOOTER.size - CHECKSUM.size
    if start < 0:
        return None
    file.seek(start)
    return Footer._make(FOOTER.unpack(file.read(FOOTER.size)))


def read_structure(file: BinaryIO) -> tuple[Footer, bytes] | None:
    """Return the footer and the structure of an open file; None unless both are as they were
    written, and the file has the length that it says.

    The length is checked before anything is read at a place that the footer names, and before
    anybody maps the file: reading past the end of a mapped file would end the process.
    """
    found = read_footer(file)
    start = file.seek(0, os.SEEK_END) - FOOTER.size - CHECKSUM.size
    if found is None or found.length != start or found.structure_length > start:
        return None
    file.seek(start)
    footer, written = file.read(FOOTER.size), file.read()
    file.seek(0 if found.magic == FLAT else start - found.structure_length)
    structure = file.read(found.structure_length)
    return (found, structure) if CHECKSUM.pack(zlib.crc32(structure + footer)) == written else None


def read_rows(path: Path) -> int | None:
    """Return how many embeddings the file holds; None where it cannot be read or is of another
    length than when it was written.
    """
    try:
        with path.open("rb") as file:
            footer = read_footer(file)
            size = file.seek(0, os.SEEK_END)
    except OSError:
        return None
    whole = footer is not None and footer.length == size - FOOTER.size - CHECKSUM.size
    return footer.rows if footer and whole else None


def most_stale(rows: int) -> int:
    """Return how many of an index's embeddings may be out of date before it is made again."""
    return int(min(_STALE_MOST, _STALE_SHARE * rows))


def may_serve(rows: int, later: int, count: int) -> bool:
    """Return whether a file of so many rows still serves, of `count` embeddings of which `later`
    are newer.
    """
    # Every row that is no longer true was removed or embedded again, and this counts both.
    superseded = rows + later - count
    return later + abs(superseded) <= most_stale(rows)


def remove_older(directory: Path, token: str, generation: int, suffix: str) -> None:
    """Remove the checkpoint's files of earlier generations.

    A newer one stays: another process may have written it meanwhile.
    """
    for found, path in list(_files(directory, token, suffix)):
        if found < generation:
            with contextlib.suppress(OSError):  # another process may have removed it
                path.unlink()


def remove_all(directory: Path, token: str) -> None:
    """Remove all files of the checkpoint."""
    for path in directory.glob(f"{token}-*"):
        with contextlib.suppress(OSError):  # another process may have removed it
            path.unlink()


def tidy(directory: Path, generations: Mapping[str, int]) -> None:
    """See `IndexStore.tidy`."""
    for path in directory.glob("*"):
        match = re.match(r"([0-9a-f]{16})-(\d+)\.", path.name)
        unreached = match and int(match[2]) > generations.get(match[1], -1)
        if path.suffix == PART or unreached:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise LibraryError(
                    f"{path} is out of date and cannot be removed ({error.strerror})",
                    "remove it",
                    ErrorKind.UNAVAILABLE,
                ) from error


def total_bytes(directory: Path) -> int:
    """Return the size of all index files."""
    total = 0
    for path in directory.glob("*"):
        with contextlib.suppress(OSError):  # another process may have removed it
            total += path.stat().st_size
    return total


def damaged_names(directory: Path, token: str) -> list[str]:
    """Return the paths of the checkpoint's files that are not as they were written."""
    paths = [
        path for suffix in (INDEX, SAMPLE, VECTORS) for _, path in _files(directory, token, suffix)
    ]
    return [str(path) for path in sorted(paths) if not is_sound(path)]


def is_sound(path: Path) -> bool:
    """Return whether every byte of the file can be read and is as it was written, or another
    process has removed it meanwhile.
    """
    try:
        with path.open("rb") as file:
            found = read_structure(file)
            return found is not None and checksum(file, found[0].length) == found[0].body_checksum
    except FileNotFoundError:
        return True
    except OSError:
        return False


def checksum(file: BinaryIO, length: int) -> int:
    """Return CRC-32 of the first bytes of the file, which is then read on from where it was."""
    before = file.tell()
    file.seek(0)
    value = 0
    while length > 0 and (part := file.read(min(length, 1 << 20))):
        value = zlib.crc32(part, value)
        length -= len(part)
    file.seek(before)
    return value


def _files(directory: Path, token: str, suffix: str) -> Iterator[tuple[int, Path]]:
    """Yield the checkpoint's files with this suffix, by generation."""
    pattern = re.compile(rf"{token}-(\d+){re.escape(suffix)}")
    for path in directory.glob(f"{token}-*{suffix}"):
        if match := pattern.fullmatch(path.name):
            yield int(match[1]), path
