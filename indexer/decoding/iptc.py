"""IPTC: the fields that agencies and older programs write into photos."""

from collections.abc import Iterator

RESOURCE = 0x0404
"""The number that Photoshop's blocks of resources give to IPTC."""

TITLE, HEADLINE, KEYWORDS, CAPTION = 5, 105, 25, 120
CITY, REGION, COUNTRY = 90, 95, 101
DATE_CREATED, TIME_CREATED = 55, 60

_FIELD = 0x1C
_APPLICATION = 2
_SIGNATURES = (b"8BIM", b"AgHg", b"DCSR", b"MeSa", b"PHUT")
_MOST_FIELDS = 10_000
_MOST_RESOURCES = 1_000


def read_iptc(block: bytes) -> dict[int, tuple[str, ...]]:
    """Return the texts of the application record by the numbers of their fields, none empty.

    A damaged block gives the fields before the damage.
    """
    found: dict[int, tuple[str, ...]] = {}
    for record, number, value in _fields(block):
        if record == _APPLICATION and value.strip(b"\0 "):
            found[number] = (*found.get(number, ()), decoded(value))
    return found


def resources(blocks: bytes) -> dict[int, bytes]:
    """Return the contents of Photoshop's blocks of resources, by number. Blocks of one number are
    joined. Damaged blocks end the list.
    """
    found: dict[int, bytes] = {}
    at = 0
    for _ in range(_MOST_RESOURCES):
        if blocks[at : at + 4] not in _SIGNATURES or at + 12 > len(blocks):
            break
        number = int.from_bytes(blocks[at + 4 : at + 6])
        name = blocks[at + 6]
        start = at + 7 + name + (name + 1) % 2  # padded to an even length
        size = int.from_bytes(blocks[start : start + 4])
        content = blocks[start + 4 : start + 4 + size]
        found[number] = found.get(number, b"") + content
        at = start + 4 + size + size % 2
    return found


def decoded(value: bytes) -> str:
    """Return the text of bytes that are UTF-8, or else Windows' or standard Latin-1, which were
    usual before.

    What a block says about its characters is not asked: UTF-8 is often written and not declared,
    and text in Latin-1 is hardly ever valid UTF-8.
    """
    for encoding in ("utf-8", "cp1252"):
        try:
            return value.decode(encoding)
        except UnicodeDecodeError:
            continue
    return value.decode("latin-1")


def _fields(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield record, number and value of each field."""
    at = max(0, block.find(_FIELD)) if block[:1] == b"\0" else 0
    for _ in range(_MOST_FIELDS):
        if at + 5 > len(block) or block[at] != _FIELD:
            return
        record, number = block[at + 1], block[at + 2]
        size = int.from_bytes(block[at + 3 : at + 5])
        at += 5
        if size & 0x8000:  # so many bytes hold the size
            length = size & 0x7FFF
            if length > 4:
                return
            size = int.from_bytes(block[at : at + length])
            at += length
        if at + size > len(block):
            return
        yield record, number, block[at : at + size]
        at += size
