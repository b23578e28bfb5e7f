from hypothesis import given
from hypothesis import strategies as st

from sigseek.indexer.decoding.iptc import CITY, KEYWORDS, RESOURCE, TITLE, read_iptc, resources


def field(number: int, value: bytes, record: int = 2) -> bytes:
    return b"\x1c" + bytes([record, number]) + len(value).to_bytes(2) + value


def test_texts_by_field() -> None:
    block = field(0, b"\0\4") + field(TITLE, b"Harbour") + field(KEYWORDS, b"sea")
    assert read_iptc(block + field(KEYWORDS, b"gull")) == {
        0: ("\0\4",),
        TITLE: ("Harbour",),
        KEYWORDS: ("sea", "gull"),
    }


def test_a_field_of_length_0_costs_nothing() -> None:
    assert read_iptc(field(80, b"") + field(CITY, b"Lisbon")) == {CITY: ("Lisbon",)}


def test_utf8_declared_or_not_and_both_kinds_of_latin() -> None:
    declared = field(90, b"\x1b%G", record=1) + field(CITY, "Zürich".encode())
    assert read_iptc(declared) == {CITY: ("Zürich",)}
    assert read_iptc(field(CITY, "Zürich".encode())) == {CITY: ("Zürich",)}
    assert read_iptc(field(CITY, "Zürich".encode("latin-1"))) == {CITY: ("Zürich",)}
    assert read_iptc(field(TITLE, b"Anna\x92s")) == {TITLE: ("Anna\u2019s",)}
    assert read_iptc(field(TITLE, b"\x81x")) == {TITLE: ("\x81x",)}


def test_a_long_field_and_a_cut_one() -> None:
    long = b"\x1c\x02\x78\x80\x04" + (40_000).to_bytes(4) + b"x" * 40_000
    assert read_iptc(long + b"\x1c\x02\x05\x00\x09cut") == {120: ("x" * 40_000,)}
    assert read_iptc(b"\x1c\x02\x78\x80\x09") == {}


def test_blocks_of_resources() -> None:
    named = b"8BIM\x03\xed\x03abc" + (3).to_bytes(4) + b"xyz\0"
    plain = b"8BIM\x04\x04\0\0" + (2).to_bytes(4)
    assert resources(named + plain + b"ab" + plain + b"cd") == {0x03ED: b"xyz", RESOURCE: b"abcd"}
    assert resources(b"8BIM\x04\x04") == {}
    assert resources(b"") == {}


@given(st.binary(), st.binary())
def test_any_bytes(start: bytes, end: bytes) -> None:
    read_iptc(start)
    read_iptc(b"\x1c\x02" + start + b"\x1c\x02" + end)
    resources(b"8BIM" + start + b"8BIM" + end)
