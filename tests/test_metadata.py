import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.ImageCms import ImageCmsProfile, createProfile
from PIL.PngImagePlugin import PngInfo

from sigseek.indexer.decoding.dates import read_date
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.file_metadata import read_file_metadata
from sigseek.indexer.decoding.metadata import Metadata, metadata_of, read_metadata
from sigseek.indexer.decoding.metadata_blocks import MetadataBlocks
from sigseek.siglip import Preprocessing
from sigseek.storage import DateSource
from tests.conftest import CORPORA, needs_corpora
from tests.photos import exif, iptc, picture, with_segment, xmp

PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)


def metadata_with(folder: Path, **tags: object) -> Metadata:
    picture().save(folder / "a.jpg", exif=exif(**tags))
    with Image.open(folder / "a.jpg") as image:
        image.load()
        return read_metadata(image)


def test_all_there_is(tmp_path: Path) -> None:
    found = metadata_with(
        tmp_path,
        Make="Canon",
        Model="Canon EOS 5D",
        DateTime="2024:01:01 00:00:00",
        DateTimeOriginal="2021:07:03 18:05:09",
        OffsetTimeOriginal="+02:00",
        GPSLatitudeRef="S",
        GPSLatitude=(33.0, 51.0, 36.0),
        GPSLongitudeRef="E",
        GPSLongitude=(151.0, 12.0, 36.0),
        Orientation=6,
    )
    assert found == Metadata(
        taken_at="2021-07-03T18:05:09+02:00",
        date_source=DateSource.EXIF_ORIGINAL,
        camera="Canon EOS 5D",
        latitude=-33.86,
        longitude=151.21,
        orientation=6,
    )


def test_maker_and_model_that_differ(tmp_path: Path) -> None:
    assert (
        metadata_with(tmp_path, Make="NIKON CORPORATION", Model="NIKON D90").camera == "NIKON D90"
    )
    assert metadata_with(tmp_path, Make="Apple", Model="iPhone 15").camera == "Apple iPhone 15"
    assert metadata_with(tmp_path, Make="DJI").camera == "DJI"
    kodak = metadata_with(tmp_path, Make="KODAK", Model="KODAK DX4900 ZOOM DIGITAL CAMERA")
    assert kodak.camera == "KODAK DX4900 ZOOM DIGITAL CAMERA"


@pytest.mark.parametrize(
    "date", ["0000:00:00 00:00:00", "2021:13:45 99:00:00", "yesterday", "", "    :  :     :  :  "]
)
def test_a_date_that_is_none(tmp_path: Path, date: str) -> None:
    assert metadata_with(tmp_path, DateTimeOriginal=date).taken_at is None
    assert (
        metadata_with(tmp_path, DateTimeOriginal=date, DateTime="2020:02:02 02:02:02").taken_at
        == "2020-02-02T02:02:02"
    )


def test_a_broken_offset_costs_only_the_offset(tmp_path: Path) -> None:
    found = metadata_with(
        tmp_path, DateTimeOriginal="2021:07:03 18:05:09", OffsetTimeOriginal="zone!"
    )
    assert found.taken_at == "2021-07-03T18:05:09"


@pytest.mark.parametrize("extension", ["jpg", "tif", "png", "webp"])
def test_tags_in_the_first_directory_as_tiff_ep_has_them(tmp_path: Path, extension: str) -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.DateTimeOriginal] = "2021:07:03 18:05:09"
    tags[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    path = tmp_path / f"a.{extension}"
    picture().save(path, exif=tags)
    found = read_file_metadata(path)
    assert (found.taken_at, found.date_source) == ("2021-07-03T18:05:09+02:00", "exif original")


def test_exifs_own_directory_comes_before_the_first(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.DateTimeOriginal] = "2021:07:03 18:05:09"
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:01:01 00:00:00"
    picture().save(tmp_path / "a.jpg", exif=tags)
    assert read_file_metadata(tmp_path / "a.jpg").taken_at == "2019-01-01T00:00:00"


def test_half_a_place_is_none(tmp_path: Path) -> None:
    assert metadata_with(tmp_path, GPSLatitudeRef="N", GPSLatitude=(1.0, 2.0, 3.0)).latitude is None
    far = metadata_with(tmp_path, GPSLatitude=(91.0, 0.0, 0.0), GPSLongitude=(1.0, 0.0, 0.0))
    assert (far.latitude, far.longitude) == (None, None)


VALUES = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.lists(st.floats() | st.integers(), max_size=4).map(tuple)
)


class OddExif:
    """EXIF that holds anything."""

    def __init__(
        self, base: dict[int, object], detail: dict[int, object], gps: dict[int, object]
    ) -> None:
        self._tags = {ExifTags.IFD.Exif: detail, ExifTags.IFD.GPSInfo: gps}
        self._base = base

    def get(self, tag: int) -> object:
        return self._base.get(tag)

    def get_ifd(self, ifd: int) -> dict[int, object]:
        return self._tags[ifd]


@settings(max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from([270, 271, 272, 274, 306, 0x4746, 0x4749, 0x9C9B, 0x9C9C, 0x9C9E]),
        VALUES,
    ),
    st.dictionaries(st.sampled_from([36867, 36868, 36880, 36881, 36882, 37510, 42036]), VALUES),
    st.dictionaries(st.sampled_from([1, 2, 3, 4, 7, 29]), VALUES),
    st.binary() | st.text().map(str.encode) | st.just(xmp("", 'xmp:Rating="5"')),
    st.binary()
    | st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=8))).map(
        lambda fields: b"".join(
            b"\x1c\x02" + bytes([number]) + len(value).to_bytes(2) + value
            for number, value in fields
        )
    ),
)
def test_any_values_give_some_metadata(
    base: dict[int, object],
    detail: dict[int, object],
    gps: dict[int, object],
    packet: bytes,
    fields: bytes,
) -> None:
    odd: Any = OddExif(base, detail, gps)
    assert is_sane(metadata_of(MetadataBlocks(odd, packet, fields)))


def metadata_in(jpeg: bytes) -> Metadata:
    with Image.open(BytesIO(jpeg)) as image:
        image.load()
        return read_metadata(image)


@pytest.fixture(scope="module")
def jpeg() -> bytes:
    made = BytesIO()
    picture().save(made, "JPEG")
    return made.getvalue()


XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
WORDS = (
    "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li><rdf:li> blue\n boat </rdf:li>"
    "<rdf:li/></rdf:Bag></dc:subject>"
    "<dc:description>By the sea</dc:description>"
)


def test_what_people_wrote(jpeg: bytes) -> None:
    both = with_segment(jpeg, 0xE1, XMP_SEGMENT + xmp(WORDS, 'xmp:Rating="5"'))
    both = with_segment(
        both,
        0xED,
        iptc(
            (25, b"sea"), (25, "Åland".encode()), (25, "Öland".encode("latin-1")), (120, b"Other")
        ),
    )
    found = metadata_in(both)
    assert found == Metadata(
        rating=5, description="By the sea", keywords=("sea", "blue boat", "Åland", "Öland")
    )


def test_iptc_alone(jpeg: bytes) -> None:
    assert metadata_in(with_segment(jpeg, 0xED, iptc((25, b"one"), (120, b"Text")))) == Metadata(
        description="Text", keywords=("one",)
    )


@pytest.mark.parametrize(
    ("extension", "options"),
    [
        ("png", {}),
        ("webp", {"xmp": xmp(WORDS)}),
        ("avif", {"xmp": xmp(WORDS)}),
        ("tiff", {"tiffinfo": {700: xmp(WORDS)}}),
    ],
)
def test_xmp_in_other_formats(tmp_path: Path, extension: str, options: dict[str, object]) -> None:
    if extension == "png":
        options = {"pnginfo": PngInfo()}
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp(WORDS).decode())
    picture().save(tmp_path / f"a.{extension}", **options)
    with Image.open(tmp_path / f"a.{extension}") as image:
        image.load()
        assert read_metadata(image).keywords == ("sea", "blue boat")


def test_exif_s_rating_lens_and_description(tmp_path: Path) -> None:
    found = metadata_with(
        tmp_path, LensModel="EF 50mm f/1.8", ImageDescription="Blåbär".encode(), Rating=4
    )
    assert (found.lens, found.description, found.rating) == ("EF 50mm f/1.8", "Blåbär", 4)


@pytest.mark.parametrize("rating", ["0", "6", "-2", "many", "nan", "1e999", ""])
def test_a_rating_that_is_none(jpeg: bytes, rating: str) -> None:
    assert (
        metadata_in(
            with_segment(jpeg, 0xE1, XMP_SEGMENT + xmp(f"<xmp:Rating>{rating}</xmp:Rating>"))
        ).rating
        is None
    )


@pytest.mark.parametrize(
    "junk",
    [
        "OLYMPUS DIGITAL CAMERA",
        "SONY DSC",
        "KONICA MINOLTA DIGITAL CAMERA",
        "DCIM\\100MEDIA\\DJI_0018.JPG",
        "  ",
        "default",
    ],
)
def test_what_cameras_write_is_no_description(tmp_path: Path, junk: str) -> None:
    assert metadata_with(tmp_path, ImageDescription=junk).description is None


def test_a_lens_of_dashes_is_none(tmp_path: Path) -> None:
    assert metadata_with(tmp_path, LensModel="----").lens is None


def test_no_position_is_written_as_zero(tmp_path: Path) -> None:
    zero = (0.0, 0.0, 0.0)
    found = metadata_with(
        tmp_path, GPSLatitudeRef="N", GPSLatitude=zero, GPSLongitudeRef="E", GPSLongitude=zero
    )
    assert (found.latitude, found.longitude) == (None, None)


def is_sane(found: Metadata) -> bool:
    texts = [
        text
        for text in (
            *(found.camera, found.lens, found.title, found.description),
            *(found.city, found.region, found.country),
            *(*found.keywords, *found.people),
        )
        if text is not None
    ]
    return (
        found.orientation in range(1, 9)
        and (found.latitude is None) == (found.longitude is None)
        and (
            found.latitude is None
            or (-90 <= found.latitude <= 90 and -180 <= found.longitude <= 180)
        )
        and found.rating in (None, -1, 1, 2, 3, 4, 5)
        and (found.taken_at is None) == (found.date_source is None)
        and (found.taken_at is None or read_date(found.taken_at) is not None)
        and len(found.keywords) <= 200
        and len(set(found.keywords)) == len(found.keywords)
        and all(0 < len(text) <= 2000 and text == " ".join(text.split()) for text in texts)
        and not any(letter < " " or "\x7f" <= letter < "\xa0" for text in texts for letter in text)
    )


def test_far_too_much_is_cut(jpeg: bytes) -> None:
    words = "".join(
        f"<rdf:li>{'x' * 300}{number}</rdf:li><rdf:li>{number}</rdf:li>" for number in range(300)
    )
    packet = xmp(
        f"<dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>"
        f"<dc:description>{'y' * 9000}</dc:description>"
    )
    with Image.open(BytesIO(jpeg)) as image:
        image.load()
        image.info["xmp"] = packet
        found = read_metadata(image)
    assert is_sane(found)
    assert (len(found.keywords), len(found.description or "")) == (200, 2000)


SEGMENTS = {
    "exif": (
        0xE1,
        b"Exif\0\0",
        exif(Make="Maker", Orientation=6, DateTimeOriginal="2021:07:03 18:05:09").tobytes()[6:],
    ),
    "xmp": (0xE1, XMP_SEGMENT, xmp(WORDS, 'xmp:Rating="5"')),
    "iptc": (0xED, b"", iptc((25, b"sea"), (120, b"Text"))),
    "icc": (0xE2, b"ICC_PROFILE\0\1\1", ImageCmsProfile(createProfile("sRGB")).tobytes()),
}


@given(st.sampled_from(sorted(SEGMENTS)), st.data())
def test_broken_metadata_never_costs_the_photo(
    tmp_path_factory: pytest.TempPathFactory, jpeg: bytes, kind: str, data: st.DataObject
) -> None:
    marker, prefix, good = SEGMENTS[kind]
    contents = bytearray(data.draw(st.just(good) | st.binary(max_size=300)))
    for place in data.draw(st.lists(st.integers(0, max(0, len(contents) - 1)), max_size=10)):
        contents[place : place + 1] = data.draw(st.binary(max_size=3))
    folder = tmp_path_factory.mktemp("broken")
    (folder / "a.jpg").write_bytes(with_segment(jpeg, marker, prefix + contents))
    options = {"exif": {"exif": bytes(contents)}, "icc": {"icc_profile": bytes(contents)}}.get(
        kind, {}
    )
    if kind == "xmp":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", contents.decode("utf-8", "replace").replace("\0", "?"))
        options = {"pnginfo": text}
    picture().save(folder / "a.png", **options)
    for name in ("a.jpg", "a.png"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            decoded = decode_photo(folder / name, PREPROCESSING)
        assert decoded.pixels.shape == (32, 32, 3)
        assert sorted((decoded.width, decoded.height)) == [48, 64]
        assert is_sane(decoded.metadata)


@needs_corpora
def test_a_drone_knows_where_it_was() -> None:
    with Image.open(CORPORA / "photos" / "drone" / "DJI_0018.JPG") as image:
        image.load()
        found = read_metadata(image)
    assert found.camera is not None
    assert found.camera.startswith("DJI")
    assert found.taken_at is not None
    assert found.latitude is not None
