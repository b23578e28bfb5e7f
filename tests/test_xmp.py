import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.indexer.decoding.keywords import merged_keywords, xmp_keywords
from sigseek.indexer.decoding.xmp import MAX_BYTES, read_xmp
from tests.photos import xmp

ELEMENTS = (
    "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li><rdf:li>Åland</rdf:li></rdf:Bag></dc:subject>"
    '<dc:description><rdf:Alt><rdf:li xml:lang="sv">Vid havet</rdf:li>'
    '<rdf:li xml:lang="x-default">By the sea</rdf:li>'
    "</rdf:Alt></dc:description><xmp:Rating>3</xmp:Rating>"
)


def test_properties_as_elements() -> None:
    found = read_xmp(xmp(ELEMENTS))
    assert found.texts("dc:subject", "xmp:Rating") == ("sea", "Åland", "3")
    assert found.first("dc:title", "dc:description") == "By the sea"
    assert found.first("dc:title") == ""


def test_properties_as_attributes() -> None:
    found = read_xmp(xmp("", 'xmp:Rating="-1" xmp:CreateDate="2020-01-01T00:00:00" aux:Lens=" "'))
    assert found.first("xmp:Rating") == "-1"
    assert found.first("aux:Lens", "xmp:CreateDate") == "2020-01-01T00:00:00"


def test_structures_at_any_depth() -> None:
    regions = """<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Bag>
        <rdf:li><rdf:Description mwg-rs:Name="Ann" mwg-rs:Type="Face"/></rdf:li>
        <rdf:li rdf:parseType="Resource"><mwg-rs:Name>Rex</mwg-rs:Name>
            <mwg-rs:Type>Pet</mwg-rs:Type></rdf:li>
        <rdf:li rdf:parseType="Resource"><mwg-rs:Name>Ben</mwg-rs:Name></rdf:li>
        </rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"""
    found = read_xmp(xmp(regions))
    assert found.within("mwg-rs:Regions", "mwg-rs:Name") == ["Ann", "Rex", "Ben"]
    faces = found.within("mwg-rs:Regions", "mwg-rs:Name", unless=("mwg-rs:Type", "Face"))
    assert faces == ["Ann", "Ben"]


TREES = """<mwg-kw:Keywords rdf:parseType="Resource"><mwg-kw:Hierarchy><rdf:Bag>
  <rdf:li rdf:parseType="Resource"><mwg-kw:Keyword>Animal</mwg-kw:Keyword>
    <mwg-kw:Children><rdf:Bag>
      <rdf:li rdf:parseType="Resource"><mwg-kw:Keyword>Bird</mwg-kw:Keyword>
        <mwg-kw:Applied>True</mwg-kw:Applied>
        <mwg-kw:Children><rdf:Bag>
          <rdf:li rdf:parseType="Resource"><mwg-kw:Keyword>Gull</mwg-kw:Keyword></rdf:li>
          <rdf:li rdf:parseType="Resource"><mwg-kw:Keyword>Tern</mwg-kw:Keyword>
            <mwg-kw:Applied>False</mwg-kw:Applied></rdf:li>
        </rdf:Bag></mwg-kw:Children></rdf:li>
      <rdf:li><rdf:Description mwg-kw:Keyword="Cat"/></rdf:li>
    </rdf:Bag></mwg-kw:Children></rdf:li>
  <rdf:li><rdf:Description mwg-kw:Keyword="sea|side"/></rdf:li>
</rdf:Bag></mwg-kw:Hierarchy></mwg-kw:Keywords>"""


def test_trees_of_keywords() -> None:
    found = read_xmp(xmp(TREES))
    assert found.keyword_trees() == ["Animal|Bird", "Animal|Bird|Gull", "Animal|Cat", "sea side"]
    assert merged_keywords(*xmp_keywords(found)) == ("Animal|Bird|Gull", "Animal|Cat", "sea side")
    bare = TREES.replace(' rdf:parseType="Resource"', "", 1).replace(
        "<mwg-kw:Hierarchy>", "<rdf:Description><mwg-kw:Hierarchy>"
    )
    bare = bare.replace("</mwg-kw:Hierarchy>", "</mwg-kw:Hierarchy></rdf:Description>")
    assert read_xmp(xmp(bare)).keyword_trees() == found.keyword_trees()


def test_a_tree_of_keywords_without_end_is_cut() -> None:
    begin = (
        '<rdf:li rdf:parseType="Resource"><mwg-kw:Keyword>a</mwg-kw:Keyword>'
        "<mwg-kw:Children><rdf:Bag>"
    )
    end = "</rdf:Bag></mwg-kw:Children></rdf:li>"
    deep = (
        '<mwg-kw:Keywords rdf:parseType="Resource"><mwg-kw:Hierarchy><rdf:Bag>'
        f"{begin * 3000}{end * 3000}</rdf:Bag></mwg-kw:Hierarchy></mwg-kw:Keywords>"
    )
    assert read_xmp(xmp(deep)).keyword_trees() == ["|".join("a" * 9)]


pieces = st.sampled_from(
    [
        '<mwg-kw:Keywords rdf:parseType="Resource">', "</mwg-kw:Keywords>", "<mwg-kw:Hierarchy>",
        "</mwg-kw:Hierarchy>", "<rdf:Bag>", "</rdf:Bag>", "<rdf:li>", "</rdf:li>",
        "<mwg-kw:Keyword>a</mwg-kw:Keyword>", "<mwg-kw:Children>", "</mwg-kw:Children>",
        "<mwg-kw:Applied>x</mwg-kw:Applied>", "<rdf:Description/>",
    ]
)  # fmt: skip


@given(st.lists(pieces, max_size=30).map("".join))
def test_whatever_a_tree_of_keywords_is_made_of(elements: str) -> None:
    try:
        found = read_xmp(xmp(elements))
    except ValueError:  # no XML
        return
    assert all("<" not in keyword for keyword in found.keyword_trees())


def test_what_describes_other_pictures_does_not_count() -> None:
    inside = "<dc:source><rdf:Bag><rdf:li><rdf:Description dc:title='Other'/></rdf:li></rdf:Bag>"
    assert read_xmp(xmp(inside + "</dc:source>")).first("dc:title") == ""


def test_a_namespace_without_its_last_character() -> None:
    packet = xmp("", 'MicrosoftPhoto:Rating="75"').replace(b"photo/1.0/", b"photo/1.0")
    assert read_xmp(packet).first("MicrosoftPhoto:Rating") == "75"


@pytest.mark.parametrize("behind", [b"\0\0", b"garbage", b"<x/>", b"\xff\xfe<", b"&"])
def test_bytes_behind_the_document_cost_nothing(behind: bytes) -> None:
    assert read_xmp(xmp(ELEMENTS) + behind).first("xmp:Rating") == "3"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16(encoding: str) -> None:
    packet = f'<?xpacket begin="\ufeff"?>{xmp(ELEMENTS).decode()}<?xpacket end="w"?>'
    assert read_xmp(packet.encode(encoding)).texts("dc:subject") == ("sea", "Åland")
    declared = f'<?xml version="1.0" encoding="UTF-16"?>{xmp(ELEMENTS).decode()}'
    assert read_xmp(declared.encode(encoding)).texts("dc:subject") == ("sea", "Åland")


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
    assert read_xmp(packet).first("xmp:Rating") == "3"


@given(st.binary(max_size=200) | st.text(alphabet="<>/&;ax:! \"'=[]", max_size=80).map(str.encode))
def test_anything_else_is_a_value_error(packet: bytes) -> None:
    try:
        found = read_xmp(packet)
    except ValueError:
        return
    assert found.first("dc:title") == ""
