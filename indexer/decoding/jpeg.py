"""The layout of a JPEG file: where its coded picture begins, and how far it reaches."""

import re
from dataclasses import dataclass

_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_RESTART_INTERVAL, _SCAN = 0xDD, 0xDA
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_END = b"\xff\xd9"
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_AFTER_SCAN_WITH_RESTARTS = re.compile(rb"\xff[\xc4\xd9\xda\xdc]", re.DOTALL)
"""A decoder finds its way again at the next restart marker, whatever it meets before."""
_ZEROS = 16
"""More zeros than this at the end of a scan are a part of the file that was never written."""


@dataclass(frozen=True)
class FirstScan:
    """Where the first scan of a JPEG lies in the bytes of its file."""

    data: int
    """The place where the coded data begins."""
    end: int
    """The place behind the last byte of that data."""
    is_all: bool
    """Whether the scan holds the whole picture. That of a progressive JPEG does not."""
    is_complete: bool
    """Whether another scan follows, so that nothing of this one can be missing."""


def first_scan(content: bytes) -> FirstScan | None:
    """Return the first scan of the JPEG in these bytes, or None where none begins."""
    at, components, restarts, progressive = 2, 0, False, False
    while marker := _MARKER.match(content, at):
        kind, at = marker[1][0], marker.end()
        if kind in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(content[at : at + 2])
        if kind in _FRAMES:
            components, progressive = content[at + 7 : at + 8][0], kind in _PROGRESSIVE
        elif kind == _RESTART_INTERVAL:
            restarts = content[at + 2 : at + 4] != b"\0\0"
        elif kind == _SCAN:
            in_scan = content[at + 2 : at + 3][0]
            return _scan(content, at + length, restarts, in_scan == components and not progressive)
        at += length
    return None


def bits_per_sample(content: bytes) -> int | None:
    """Return how many bits of a colour the first frame of the JPEG has; None without a frame."""
    at = 2
    while marker := _MARKER.match(content, at):
        kind, at = marker[1][0], marker.end()
        if kind in _WITHOUT_LENGTH:
            continue
        if kind in _FRAMES:
            return int.from_bytes(content[at + 2 : at + 3]) or None
        at += int.from_bytes(content[at : at + 2])
    return None


def _scan(content: bytes, data: int, restarts: bool, is_all: bool) -> FirstScan:
    pattern = _AFTER_SCAN_WITH_RESTARTS if restarts else _AFTER_SCAN
    after = pattern.search(content, data)
    end = after.start() if after else len(content)
    written = data + len(content[data:end].rstrip(b"\0"))
    if end - written > _ZEROS:
        end = written
    return FirstScan(data, end, is_all, after is not None and after[0] != _END)
