import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.indexer.decoding.xmp import MAX_BYTES, Xmp, read_xmp
from tests.photos import xmp

ELEMENTS = (
    "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li><rdf:li>Åland</rdf:li></rdf:Bag></dc:subject>"
    '<dc:description><rdf:Alt><rdf:li xml:lang="sv">Vid havet</rdf:li>'
    '<rdf:li xml:lang="x-default">By the sea</rdf:li>'
    "</rdf:Alt></dc:description><xmp:Rating>3</xmp:Rating>"
)


def test_properties_as_elements() -> None:
    assert read_xmp(xmp(ELEMENTS)) == Xmp(
        rating="3", keywords=("sea", "Åland"), description="By the sea"
    )


def test_properties_as_attributes() -> None:
    packet = xmp(
        "",
        'xmp:Rating="-1" xmp:CreateDate="2020-01-01T00:00:00" '
        'exif:DateTimeOriginal="2021-07-03T18:05:09+02:00"',
    )
    assert read_xmp(packet) == Xmp(
        dates=("2021-07-03T18:05:09+02:00", "2020-01-01T00:00:00"), rating="-1"
    )


def test_the_lens() -> None:
    assert read_xmp(xmp("<aux:Lens>A</aux:Lens><exifEX:LensModel>B</exifEX:LensModel>")).lens == "B"
    assert read_xmp(xmp("", 'aux:Lens="A"')).lens == "A"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_any_encoding(encoding: str) -> None:
    bomb = (
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
        + xmp("<dc:rights>&b;</dc:rights>").decode()
    )
    with pytest.raises(ValueError, match="document type"):
        read_xmp(bomb.encode(encoding))


def test_what_is_too_large_is_not_read() -> None:
    with pytest.raises(ValueError, match="bytes of XMP"):
        read_xmp(xmp(" " * MAX_BYTES))


def test_padding_and_wrapping() -> None:
    packet = (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0"?>\n'
        + xmp(ELEMENTS)
        + b'\n<?xpacket end="w"?>   \n\0'
    )
    assert read_xmp(packet).rating == "3"


@given(st.binary(max_size=200) | st.text(alphabet="<>/&;ax:! \"'=[]", max_size=80).map(str.encode))
def test_anything_else_is_a_value_error(packet: bytes) -> None:
    try:
        found = read_xmp(packet)
    except ValueError as error:
        found = error
    assert found
