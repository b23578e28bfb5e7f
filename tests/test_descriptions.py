from fractions import Fraction

import pytest
from PIL import ExifTags
from PIL.TiffImagePlugin import IFDRational

from sigseek.indexer.decoding.coordinates import exif_position, position, xmp_position
from sigseek.indexer.decoding.exif_text import user_comment
from sigseek.indexer.decoding.metadata import Metadata, metadata_of
from sigseek.indexer.decoding.metadata_blocks import MetadataBlocks
from sigseek.indexer.decoding.ratings import rating
from sigseek.indexer.decoding.xmp import read_xmp
from tests.photos import exif, xmp


def said_by(elements: str, attributes: str = "", **tags: object) -> Metadata:
    return metadata_of(MetadataBlocks(exif(**tags), xmp(elements, attributes)))


def bag(name: str, *values: str) -> str:
    members = "".join(f"<rdf:li>{value}</rdf:li>" for value in values)
    return f"<{name}><rdf:Bag>{members}</rdf:Bag></{name}>"


def test_a_keyword_that_is_part_of_a_hierarchy_is_not_said_again() -> None:
    said = said_by(
        bag("dc:subject", "harbour", "Gull", "bird", "Places")
        + bag("lr:hierarchicalSubject", "Animal", "Animal|Bird", "Animal|Bird|Gull", "Mood")
        + bag("digiKam:TagsList", "Places/Lisbon", "Animal/Bird/Gull")
    )
    assert said.keywords == ("Animal|Bird|Gull", "Places|Lisbon", "harbour", "Mood")


def test_keywords_of_windows() -> None:
    text = "sea; gull;;sea".encode("utf-16-le") + b"\0\0"
    assert said_by("", XPKeywords=text).keywords == ("sea", "gull")
    assert said_by("", XPKeywords=tuple(text)).keywords == ("sea", "gull")


def test_people_of_all_kinds_each_once() -> None:
    microsoft = """<MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag><rdf:li>
        <rdf:Description MPReg:PersonDisplayName="Cem" MPReg:Rectangle="0,0,1,1"/></rdf:li>
        </rdf:Bag></MPRI:Regions></rdf:Description></MP:RegionInfo>"""
    faces = """<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:RegionList><rdf:Seq>
        <rdf:li><rdf:Description mwg-rs:Name="Ann" mwg-rs:Type="Face"/></rdf:li>
        <rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet"/></rdf:li>
        <rdf:li><rdf:Description mwg-rs:Name="Ben" mwg-rs:Type="Face"/></rdf:li>
        </rdf:Seq></mwg-rs:RegionList></mwg-rs:Regions>"""
    said = said_by(bag("Iptc4xmpExt:PersonInImage", "Zoe", "Ann") + faces + microsoft)
    assert said.people == ("Zoe", "Ann", "Ben", "Cem")


def test_titles_in_their_order() -> None:
    title = "<dc:title><rdf:Alt><rdf:li xml:lang='x-default'>XMP's</rdf:li></rdf:Alt></dc:title>"
    windows = "Windows'".encode("utf-16-le")
    fields = b"\x1c\x02\x69\0\x08Headline", b"\x1c\x02\x05\0\x04Name"
    blocks = MetadataBlocks(exif(XPTitle=windows), xmp(title), b"".join(fields))
    assert metadata_of(blocks).title == "XMP's"
    blocks = MetadataBlocks(exif(XPTitle=windows), xmp(""), b"".join(fields))
    assert metadata_of(blocks).title == "Name"
    assert metadata_of(MetadataBlocks(exif(XPTitle=windows), iptc=fields[0])).title == "Headline"
    assert metadata_of(MetadataBlocks(exif(XPTitle=windows))).title == "Windows'"


@pytest.mark.parametrize(
    ("stars", "percents", "expected"),
    [
        (["5"], [], 5), (["-1"], [75], -1), ([4.0], [], 4), ([None, 3], [], 3),
        ([], ["1"], 1), ([], [25], 2), ([], [50], 3), ([], [75], 4), ([], ["99"], 5),
        (["0"], ["0"], None), (["nan"], [float("inf")], None), ([IFDRational(0, 0)], [], None),
        (["6"], ["101"], None), ([(3,)], [], None),
    ],
)  # fmt: skip
def test_ratings(stars: list[object], percents: list[object], expected: int | None) -> None:
    assert rating(stars, percents) == expected


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        (b"ASCII\0\0\0By the sea\0", "By the sea"),
        (b"UNICODE\0" + "Blåbär".encode("utf-16-le"), "Blåbär"),
        (b"UNICODE\0" + "Blåbär".encode("utf-16-be"), "Blåbär"),
        (b"UNICODE\0" + "Blåbär".encode("utf-16"), "Blåbär"),
        (b"UNICODE\0" + "Привет".encode("utf-16-le"), "Привет"),
        (b"UNICODE\0" + "Привет".encode("utf-16-be"), "Привет"),
        (b"UNICODE\0" + "ひらがな".encode("utf-16-be"), "ひらがな"),
        (b"Unicode\0" + "Blåbär".encode("utf-16-le"), "Blåbär"),
        (b"JIS\0\0\0\0\0" + "海".encode("iso2022_jp"), "海"),
        (bytes(8) + "Blåbär".encode(), "Blåbär"),
        (b"By the sea", "By the sea"),
        (b"ASCII\0\0\0   \0\0", ""),
        (b"ASCII\0\0\0....", ""),
        (b"", ""),
        (None, ""),
    ],
)
def test_user_comments(comment: bytes | None, text: str) -> None:
    assert user_comment(comment) == text


def test_the_byte_order_of_a_user_comment_is_that_of_the_exif_where_nothing_else_tells() -> None:
    for endian, encoding in (("<", "utf-16-le"), (">", "utf-16-be")):
        tags = exif()
        tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = b"UNICODE\0" + "日本".encode(
            encoding
        )
        tags.endian = endian
        assert metadata_of(MetadataBlocks(tags)).description == "日本"


@pytest.mark.parametrize(
    ("attributes", "place"),
    [
        ('exif:GPSLatitude="48,53.322N" exif:GPSLongitude="2,18.0E"', (48.8887, 2.3)),
        ('exif:GPSLatitude="48,53,19.32N" exif:GPSLongitude="2,18,0W"', (48.8887, -2.3)),
        ('exif:GPSLatitude="48.8887" exif:GPSLongitude="-2.3"', (48.8887, -2.3)),
        (
            'exif:GPSLatitude="33.86" exif:GPSLatitudeRef="S" '
            'exif:GPSLongitude="151/1,126/10" exif:GPSLongitudeRef="East"',
            (-33.86, 151.21),
        ),
        ('exif:GPSLatitude="N 48° 53\' 19.32" exif:GPSLongitude="E 2° 18\'"', (48.8887, 2.3)),
        (
            'exif:GPSLatitude="48 deg 53\' 19.32&quot; S" '
            'exif:GPSLongitude="2 deg 18\' 0.00&quot;" exif:GPSLongitudeRef="West"',
            (-48.8887, -2.3),
        ),
        ('exif:GPSLatitude="48,53.322South" exif:GPSLongitude="2,18.0west"', (-48.8887, -2.3)),
        ('exif:GPSLatitude="-48,53.322" exif:GPSLongitude="-0,18"', (-48.8887, -0.3)),
        ('exif:GPSLatitude="1.2e-05" exif:GPSLongitude="2.3"', (0.000012, 2.3)),
        ('exif:GPSLatitude="91,0N" exif:GPSLongitude="2,0E"', None),
        ('exif:GPSLatitude="0,0N" exif:GPSLongitude="0,0E"', None),
        ('exif:GPSLatitude="48,1/0N" exif:GPSLongitude="2,0E"', None),
        ('exif:GPSLatitude="north" exif:GPSLongitude="2,0E"', None),
        ('exif:GPSLatitude="48,0N"', None),
    ],
)
def test_places_in_xmp(attributes: str, place: tuple[float, float] | None) -> None:
    assert xmp_position(read_xmp(xmp("", attributes))) == place


def test_places_in_exif() -> None:
    assert exif_position({1: "S", 2: (33.0, 51.6), 3: "E", 4: (151.21,)}) == (-33.86, 151.21)
    unknown = (IFDRational(33), IFDRational(51), IFDRational(0, 0))
    assert exif_position({1: b"N\0", 2: unknown, 3: "W", 4: 151.5}) == (33.85, -151.5)
    assert exif_position({2: (IFDRational(0, 0),) * 3, 4: (1.0,)}) is None
    assert exif_position({2: "48", 4: None}) is None
    assert position(Fraction(97, 2), "-2.5") == (48.5, -2.5)
    assert position(float("nan"), 2.5) is None


def test_the_names_of_places() -> None:
    said = said_by("", 'photoshop:City="Lisbon" photoshop:Country="Portugal"')
    assert (said.city, said.region, said.country) == ("Lisbon", None, "Portugal")
    assert said.place_source == "xmp"
    structure = """<Iptc4xmpExt:LocationCreated><rdf:Bag><rdf:li rdf:parseType="Resource">
        <Iptc4xmpExt:City>Porto</Iptc4xmpExt:City>
        <Iptc4xmpExt:ProvinceState>Norte</Iptc4xmpExt:ProvinceState>
        <Iptc4xmpExt:CountryName>Portugal</Iptc4xmpExt:CountryName>
        </rdf:li></rdf:Bag></Iptc4xmpExt:LocationCreated>"""
    said = said_by(structure)
    assert (said.city, said.region, said.country) == ("Porto", "Norte", "Portugal")
    fields = b"\x1c\x02\x5a\0\x04Faro\x1c\x02\x65\0\x08Portugal"
    by_iptc = metadata_of(MetadataBlocks(exif(), iptc=fields))
    assert (by_iptc.city, by_iptc.country, by_iptc.place_source) == ("Faro", "Portugal", "iptc")


def test_the_camera_and_the_lens_that_xmp_alone_names() -> None:
    said = said_by("", 'tiff:Make="NIKON" tiff:Model="NIKON D90" aux:Lens="50 mm"')
    assert (said.camera, said.lens) == ("NIKON D90", "50 mm")
    assert said_by("", 'aux:Lens="A" exifEX:LensModel="B"').lens == "B"
