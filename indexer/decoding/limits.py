"""What decoding one photo may take: pixels, memory, time."""

import os
from dataclasses import dataclass
from pathlib import Path

from sigseek.indexer.errors import LargePhotoError, UndecidedError

_BYTES_PER_PIXEL = 32
"""That decoding takes at most: JPEG 2000 with transparency, turned upright. A JPEG takes a third of
it.
"""
_FOR_ANY_PICTURE = 512_000_000
"""Bytes that the decoders may take whatever the picture's size: stacks of their threads, compressed
content, metadata.
"""
_MOST_PIXELS = 250_000_000
"""Of the default: phones make 200 megapixels."""
_UNKNOWN_MEMORY = 8_000_000_000
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class MostPixels:
    """How large a picture may be."""

    picture: int
    """Width times height."""
    held: int | None = None
    """Pixels that the decoder may hold at once."""

    def check(self, width: int, height: int) -> None:
        """UndecidedError for a larger picture."""
        if width * height > self.picture:
            raise UndecidedError(f"too large: {width} x {height} pixels; {self.limit}")

    def check_held(self, width: int, height: int) -> None:
        """LargePhotoError when the decoder would hold more."""
        if self.held is not None and width * height > self.held:
            raise LargePhotoError

    @property
    def limit(self) -> str:
        """The limit as a reason names it."""
        return f"the limit is {self.picture / 1e6:g} megapixels; see index --max-megapixels"


@dataclass(frozen=True)
class Limits:
    """What one task of a worker process may take."""

    memory: int
    """Bytes on top of what the process has after its imports. In force on Linux; macOS knows no
    such limit that works, and Windows another kind, so there the number of pixels is what bounds
    memory.
    """
    processor: int
    """Seconds of processor time. In force where there are POSIX limits."""
    wall: float
    """Seconds until the answer, the disk's included."""


def decoding_limits(pixels: int) -> Limits:
    """The limits for decoding a picture of up to so many pixels. Generous: only what is hostile or
    broken comes near.
    """
    processor = (
        30 + pixels // 1_000_000
    )  # a second a megapixel is ten times what the slowest decoder takes on a slow machine
    return Limits(_FOR_ANY_PICTURE + _BYTES_PER_PIXEL * pixels, processor, 5 * processor)


def default_max_pixels() -> int:
    """The largest picture that is decoded unless told otherwise: half of the memory is enough for
    it.
    """
    return min(_MOST_PIXELS, memory_at_hand() // 2 // _BYTES_PER_PIXEL)


def memory_at_hand() -> int:
    """Bytes of memory that this machine, or the container around this process, has. Not what is
    free just now: a photo must not be refused because another program was busy.
    """
    found = [
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if hasattr(os, "sysconf")
        else _UNKNOWN_MEMORY
    ]
    for path in _CGROUPS:
        try:
            found.append(int(Path(path).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return min(found)
