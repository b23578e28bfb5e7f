"""How many pixels and how much memory and time decoding one photo may take."""

import os
from dataclasses import dataclass
from pathlib import Path

from sigseek.indexer.errors import LargePhotoError, TooLargeError

_BYTES_PER_PIXEL = 32
"""The most that decoding takes. The worst case is a rotated JPEG 2000 with transparency; a JPEG
takes a third.
"""
_FOR_ANY_PICTURE = 512_000_000
"""Bytes that decoders may take for a picture of any size: for the stacks of their threads, the
compressed content and the metadata.
"""
_MOST_PIXELS = 250_000_000
"""The default limit is never above this. Phones make pictures of 200 megapixels."""
LEAST_PREVIEW = 224
"""How many pixels the shorter side of a preview must have. Some cameras put in only a thumbnail."""
_UNKNOWN_MEMORY = 8_000_000_000
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class PixelLimit:
    """How large a picture may be."""

    picture: int
    """The most pixels of a picture: width times height."""
    held: int | None = None
    """The most pixels that the decoder may hold at once."""

    def check(self, width: int, height: int) -> None:
        """Raise TooLargeError for a larger picture."""
        if width * height > self.picture:
            found = f"too large: {width} x {height} pixels; {self.limit}"
            raise TooLargeError(found, width * height)

    def check_held(self, width: int, height: int) -> None:
        """Raise LargePhotoError when the decoder would hold more."""
        if self.held is not None and width * height > self.held:
            raise LargePhotoError

    @property
    def limit(self) -> str:
        """The limit, in the words of a failure's reason."""
        return f"the limit is {self.picture / 1e6:g} megapixels"


@dataclass(frozen=True)
class Limits:
    """What one task of a worker process may take."""

    memory: int
    """The most bytes on top of what the process has after its imports. Only Linux enforces this.
    Elsewhere the limit of pixels is what bounds memory.
    """
    processor: int
    """The most seconds of processor time. Windows does not enforce this."""
    wall: float
    """The most seconds until the answer, including the time that the disk takes."""


def decoding_limits(pixels: int) -> Limits:
    """Return the limits for decoding a picture of up to `pixels`. Only hostile or broken files come
    near them.
    """
    # a second per megapixel is ten times what the slowest decoder takes on a slow machine
    processor = 30 + pixels // 1_000_000
    return Limits(_FOR_ANY_PICTURE + _BYTES_PER_PIXEL * pixels, processor, 5 * processor)


def default_max_pixels() -> int:
    """Return the pixels of the largest picture that is decoded unless another limit is given: half
    of the memory is enough to decode it.
    """
    return min(_MOST_PIXELS, memory_at_hand() // 2 // _BYTES_PER_PIXEL)


def memory_at_hand() -> int:
    """Return the bytes of memory that this machine, or the container around this process, has.

    Memory that is free at the moment does not count: a photo must not be refused because another
    program was busy.
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
