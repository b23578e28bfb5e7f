"""XMP of a JPEG that one segment is too small for."""

from hashlib import md5
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.indexer.decoding.extended_xmp import SEGMENT, extended_xmp
from sigseek.indexer.decoding.limits import PixelLimit
from sigseek.indexer.decoding.metadata import Metadata, read_metadata
from sigseek.indexer.decoding.opening import open_picture
from sigseek.indexer.decoding.xmp import MAX_BYTES
from tests.photos import picture, with_segment, xmp

LONG = xmp(
    "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>"
    f"<dc:title>Other</dc:title><crs:Long>{'x' * 150_000}</crs:Long>"
)
DIGEST = md5(LONG).hexdigest().upper()
FIRST = xmp("<dc:title>Harbour</dc:title>", f'xmpNote:HasExtendedXMP="{DIGEST}"')


def part(content: bytes, start: int, end: int, digest: str = DIGEST) -> bytes:
    header = digest.encode() + len(content).to_bytes(4) + start.to_bytes(4)
    return SEGMENT + header + content[start:end]


PARTS = [part(LONG, start, start + 65_000) for start in range(0, len(LONG), 65_000)]


def metadata_of_jpeg(*segments: bytes) -> Metadata:
    made = BytesIO()
    picture().save(made, "JPEG")
    contents = made.getvalue()
    for segment in reversed(segments):
        contents = with_segment(contents, 0xE1, segment)
    return read_metadata(open_picture(BytesIO(contents), ".jpg", PixelLimit(10**6)).image)


def test_the_rest_of_the_packet_is_read() -> None:
    first = b"http://ns.adobe.com/xap/1.0/\0" + FIRST
    other = part(LONG, 0, 65_000, "0" * 32)
    found = metadata_of_jpeg(first, other, PARTS[1], PARTS[0], PARTS[2])
    assert (found.title, found.keywords) == ("Harbour", ("sea",))
    assert metadata_of_jpeg(first, *PARTS[:2]) == Metadata(title="Harbour")
    assert metadata_of_jpeg(*PARTS) == Metadata()


@pytest.mark.parametrize(
    "named", [f'="{DIGEST}"', f" = '{DIGEST.lower()}'", f">{DIGEST}</xmpNote:HasExtendedXMP>"]
)
def test_how_the_first_packet_names_the_second(named: str) -> None:
    packet = f"<a xmpNote:HasExtendedXMP{named}".encode()
    assert extended_xmp(packet, PARTS) == LONG


def test_parts_that_do_not_make_a_whole() -> None:
    again = part(LONG, 60_000, 125_000)
    short = PARTS[0][:-1]
    for parts in (PARTS[1:], [*PARTS, again], [short, *PARTS[1:]], [SEGMENT], []):
        assert extended_xmp(FIRST, parts) == b""
    assert extended_xmp(xmp(""), PARTS) == b""


def test_what_is_too_large_is_not_put_together() -> None:
    most = b" " * (MAX_BYTES + 1)
    parts = [part(most, start, start + 65_000) for start in range(0, len(most), 65_000)]
    assert extended_xmp(FIRST, parts) == b""
    assert len(extended_xmp(FIRST, [part(most[1:], 0, MAX_BYTES)])) == MAX_BYTES


SHORT = LONG[:300]


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda ends: part(SHORT, *ends))
        | st.binary(max_size=60).map(lambda rest: SEGMENT + DIGEST.encode() + rest),
        max_size=6,
    )
)
def test_it_is_the_whole_or_nothing(parts: list[bytes]) -> None:
    found = extended_xmp(FIRST, parts)
    assert found in (b"", SHORT) or any(found in one for one in parts)
