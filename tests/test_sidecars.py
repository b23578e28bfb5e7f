"""Which files are a photo's sidecars, and what they say of it."""

import json
from pathlib import Path

import pillow_heif
import pillow_jxl  # noqa: F401 - registers itself
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.indexer.decoding.file_metadata import read_file_metadata
from sigseek.indexer.decoding.metadata import Metadata
from sigseek.indexer.decoding.sidecars import with_sidecars
from sigseek.indexer.sidecars import DirectorySidecars, Sidecar, changes_in, described, names_in
from tests.photos import exif, picture, save, xmp

pytestmark = pytest.mark.both_databases

STARS = xmp("<dc:description>Grandmother's garden</dc:description>", 'xmp:Rating="5"')
LONG = "a_name_so_long_that_takeout_cuts_it_short_0123456789"


def names_of(photo: str, *beside: str) -> list[str]:
    found = DirectorySidecars([Sidecar(name, 1, 2) for name in beside])
    return [sidecar.name for sidecar in found.of(photo)]


def test_xmp_files_are_found_by_either_name_in_any_case() -> None:
    beside = ("a.xmp", "A.JPG.XMP", "b.jpg.xmp", "a.png.xmp")
    assert names_of("a.jpg", *beside) == ["A.JPG.XMP", "a.xmp"]
    assert names_of("a.cr2", *beside) == ["a.xmp"]
    assert names_of("c.jpg", *beside) == []


@pytest.mark.parametrize(
    ("photo", "takeout"),
    [
        ("IMG_1.jpg", "IMG_1.jpg.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-metadata.json"),
        ("IMG_1.jpg", "IMG_1.jpg.supplemental-me.json"),
        ("IMG_1(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1-edited.jpg", "IMG_1.jpg.json"),
        ("IMG_1-edited(2).jpg", "IMG_1.jpg(2).json"),
        ("IMG_1-edited(2).jpg", "IMG_1.jpg.supplemental-metadata(2).json"),
        ("IMG_1.jpg", "IMG_1.json"),
        (f"{LONG}.jpg", f"{LONG[:46]}.json"),
        (f"{LONG[:40]}.jpg", f"{LONG[:40]}.jpg.s.json"),
    ],
)
def test_names_of_takeout(photo: str, takeout: str) -> None:
    assert names_of(photo, takeout, "other.json", "IMG_2.jpg.json") == [takeout]


def test_accents_may_be_spelled_in_two_ways() -> None:
    composed, decomposed = "K\u00f6ln.jpg", "Ko\u0308ln.jpg"
    assert names_of(decomposed, f"{composed}.xmp", f"{composed}.json") == [
        f"{composed}.xmp",
        f"{composed}.json",
    ]
    assert names_of(composed, f"{decomposed}.xmp") == [f"{decomposed}.xmp"]


def test_other_photos_takeout() -> None:
    assert names_of("IMG_1.jpg", "IMG_1.jpg(1).json", "IMG_10.jpg.json", "IMG.json") == []


def test_sidecars_as_text() -> None:
    sidecars = [Sidecar("a.jpg.xmp", 10, 20), Sidecar("a b.xmp", 30, -40)]
    assert described(sidecars) == "10 20 a.jpg.xmp\n30 -40 a b.xmp"
    assert names_in(described(sidecars)) == ("a.jpg.xmp", "a b.xmp")
    assert changes_in(described(sidecars)) == (20, -40)
    assert (described([]), names_in(None), changes_in(None)) == (None, (), ())
    noted = described([Sidecar("a.jpg.xmp", 10, 20, 30)])
    assert noted == "10 20/30 a.jpg.xmp"
    assert (names_in(noted), changes_in(noted)) == (("a.jpg.xmp",), (20,))
    assert described([Sidecar("a\n.xmp", 1, 2), *sidecars]) == described(sidecars)


def test_a_sidecar_wins_where_it_says_something(tmp_path: Path) -> None:
    tags = exif(DateTimeOriginal="2021:07:03 18:05:09", ImageDescription="Old", Rating=2)
    packet = xmp("<dc:subject><rdf:Bag><rdf:li>old</rdf:li></rdf:Bag></dc:subject>")
    path = save(tmp_path / "a.jpg", exif=tags, xmp=packet)
    (tmp_path / "a.jpg.xmp").write_bytes(STARS)
    (tmp_path / "a.xmp").write_bytes(xmp("<dc:title>Not asked</dc:title>"))
    found = read_file_metadata(path, ("a.jpg.xmp", "a.xmp"))
    assert found == Metadata(
        taken_at="2021-07-03T18:05:09",
        date_source="exif original",
        rating=5,
        description="Grandmother's garden",
        keywords=("old",),
    )


def test_all_that_a_sidecar_can_say(tmp_path: Path) -> None:
    elements = (
        "<dc:title>New</dc:title><dc:subject><rdf:Bag><rdf:li>new</rdf:li></rdf:Bag></dc:subject>"
        "<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>Ann</rdf:li></rdf:Bag>"
        "</Iptc4xmpExt:PersonInImage>"
    )
    attributes = (
        'exif:DateTimeOriginal="1985-07" exif:GPSLatitude="48,53.322N" '
        'exif:GPSLongitude="2,18.0E" photoshop:City="Paris" aux:Lens="50 mm" '
        'MicrosoftPhoto:Rating="75"'
    )
    (tmp_path / "a.xmp").write_bytes(xmp(elements, attributes))
    before = Metadata(keywords=("old",), country="Italy", place_source="xmp")
    assert with_sidecars(before, tmp_path / "a.jpg", ("a.xmp",)) == Metadata(
        taken_at="1985-07",
        date_source="sidecar",
        latitude=48.8887,
        longitude=2.3,
        city="Paris",
        place_source="sidecar",
        lens="50 mm",
        rating=4,
        title="New",
        keywords=("new",),
        people=("Ann",),
    )


def test_a_date_that_says_the_same_less_precisely_changes_only_its_source(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").write_bytes(xmp("", 'photoshop:DateCreated="2021-07-03"'))
    before = Metadata(taken_at="2021-07-03T18:05:09+02:00", date_source="exif original")
    found = with_sidecars(before, tmp_path / "a.jpg", ("a.xmp",))
    assert (found.taken_at, found.date_source) == ("2021-07-03T18:05:09+02:00", "sidecar")


def test_stars_that_somebody_took_away(tmp_path: Path) -> None:
    (tmp_path / "a.xmp").write_bytes(xmp("", 'xmp:Rating="0"'))
    assert with_sidecars(Metadata(rating=4), tmp_path / "a.jpg", ("a.xmp",)).rating is None


@pytest.mark.parametrize(
    ("photo", "extension", "belongs"),
    [
        ("a.jpg", "png", False),
        ("a.png", "CR2", False),
        ("a.jpg", "CR2", True),
        ("a.cr2", "cr2", True),
        ("a.jpeg", "JPG", True),
        ("a.tif", "tiff", True),
        ("a.heic", "dng", True),
    ],
)
def test_a_sidecar_of_another_photo(
    tmp_path: Path, photo: str, extension: str, belongs: bool
) -> None:
    attributes = f'xmp:Rating="5" photoshop:SidecarForExtension="{extension}"'
    (tmp_path / "a.xmp").write_bytes(xmp("", attributes))
    found = with_sidecars(Metadata(), tmp_path / photo, ("a.xmp",))
    assert found.rating == (5 if belongs else None)


@pytest.mark.parametrize(
    ("camera", "written", "belongs"),
    [
        ("Canon EOS R5", 'tiff:Make="Canon" tiff:Model="Canon EOS R5"', True),
        ("NIKON Z 6", 'tiff:Make="Canon" tiff:Model="Canon EOS R5"', False),
        ("NIKON Z 6", 'tiff:Make="Canon"', True),
        (None, 'tiff:Make="Canon" tiff:Model="Canon EOS R5"', True),
        ("NIKON Z 6", "", True),
    ],
)
def test_a_sidecar_of_another_cameras_raw(
    tmp_path: Path, camera: str | None, written: str, belongs: bool
) -> None:
    packet = xmp("", f'xmp:Rating="5" photoshop:SidecarForExtension="CR3" {written}')
    before = Metadata(camera=camera)
    for name in ("a.xmp", "a.cr3.xmp"):
        (tmp_path / name).write_bytes(packet)
        found = with_sidecars(before, tmp_path / "a.jpg", (name,))
        assert found.rating == (5 if belongs else None)
    (tmp_path / "a.jpg.xmp").write_bytes(packet)
    assert with_sidecars(before, tmp_path / "a.jpg", ("a.jpg.xmp",)).rating == 5


@pytest.mark.parametrize("packet", [b"<a/>", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"])
def test_a_sidecar_without_properties_hides_no_other(tmp_path: Path, packet: bytes) -> None:
    (tmp_path / "a.jpg.xmp").write_bytes(packet)
    (tmp_path / "a.xmp").write_bytes(STARS)
    found = with_sidecars(Metadata(), tmp_path / "a.jpg", ("a.jpg.xmp", "a.xmp"))
    assert found.rating == 5


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [("", (48.8887, 2.3)), ('exif:GPSLatitude="1,0N" exif:GPSLongitude="2,0W"', (1.0, -2.0))],
)
def test_the_position_where_a_photo_was_taken(
    tmp_path: Path, attributes: str, expected: tuple[float, float]
) -> None:
    def place(kind: str, latitude: str) -> str:
        return (
            f"<Iptc4xmpExt:{kind}><rdf:Bag><rdf:li rdf:parseType='Resource'>"
            f"<exif:GPSLatitude>{latitude}</exif:GPSLatitude>"
            "<exif:GPSLongitude>2,18.0E</exif:GPSLongitude>"
            f"</rdf:li></rdf:Bag></Iptc4xmpExt:{kind}>"
        )

    places = place("LocationShown", "10,0N") + place("LocationCreated", "48,53.322N")
    (tmp_path / "a.xmp").write_bytes(xmp(places, attributes))
    found = with_sidecars(Metadata(), tmp_path / "a.jpg", ("a.xmp",))
    assert (found.latitude, found.longitude) == expected


def test_a_pictures_sidecar_wins_over_its_raw_files(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.xmp").write_bytes(xmp("<dc:title>Raw</dc:title>", 'xmp:Rating="2"'))
    (tmp_path / "a.jpg.xmp").write_bytes(STARS)
    names = ("a.jpg.xmp", str(Path("raw", "a.xmp")))
    found = with_sidecars(Metadata(), tmp_path / "a.jpg", names)
    assert (found.title, found.rating) == ("Raw", 5)


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>' + STARS


@pytest.mark.parametrize("contents", [b"", b"<x:xmpmeta", BOMB, STARS + b" " * 50_000_000, None])
def test_a_sidecar_that_cannot_be_read_says_nothing(tmp_path: Path, contents: bytes | None) -> None:
    path = save(tmp_path / "a.jpg")
    if contents is None:
        (tmp_path / "a.jpg.xmp").mkdir()
    else:
        (tmp_path / "a.jpg.xmp").write_bytes(contents)
    assert read_file_metadata(path, ("a.jpg.xmp",)) == Metadata()
    (tmp_path / "a.xmp").write_bytes(STARS)
    assert read_file_metadata(path, ("a.jpg.xmp", "a.xmp")).rating == 5


TAKEOUT = {
    "title": "IMG_1.jpg",
    "description": "By the sea",
    "photoTakenTime": {"timestamp": "1486157417", "formatted": "3 Feb 2017, 21:30:17 UTC"},
    "geoData": {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0},
    "geoDataExif": {"latitude": 48.8887, "longitude": 2.3, "altitude": 40.0},
    "people": [{"name": "Ann"}, {"name": "Ben"}],
}


def takeout(
    tmp_path: Path, before: Metadata, name: str = "IMG_1.jpg", **values: object
) -> Metadata:
    (tmp_path / "a.json").write_text(json.dumps(TAKEOUT | values))
    return with_sidecars(before, tmp_path / name, ("a.json",))


def test_takeout_tells_what_nothing_else_does(tmp_path: Path) -> None:
    assert takeout(tmp_path, Metadata()) == Metadata(
        taken_at="2017-02-03T21:30:17+00:00",
        date_source="takeout",
        latitude=48.8887,
        longitude=2.3,
        description="By the sea",
        people=("Ann", "Ben"),
    )
    known = Metadata(
        taken_at="1978", date_source="xmp", latitude=1.0, longitude=2.0, description="d",
        people=("Zoe",),
    )  # fmt: skip
    assert takeout(tmp_path, known) == known
    named = takeout(
        tmp_path, Metadata(), "IMG_20161224_100217.jpg", title="IMG_20161224_100217.jpg"
    )
    assert (named.taken_at, named.date_source) == ("2016-12-24T10:02:17", "file name")


def test_takeouts_name_may_be_cut_numbered_or_without_odd_characters(tmp_path: Path) -> None:
    for name, title in (
        ("IMG_1(2).jpg", "IMG_1.jpg"),
        ("Ann_s _ Ben_s.jpg", "Ann's & Ben's.jpg"),
        (f"{LONG[:47]}.jpg", f"{LONG}.jpg"),
        ("IMG_1-edited.jpg", "IMG_1.jpg"),
    ):
        assert takeout(tmp_path, Metadata(), name, title=title).date_source == "takeout", name
    assert takeout(tmp_path, Metadata(), title="IMG_2.jpg") == Metadata()


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{", '{"a": 1}', '{"photoTakenTime": "2017"}', "[" * 100_000,
        '{"photoTakenTime": {"timestamp": "soon"}, "geoData": 5, "people": {}, "description": 1}',
        '{"photoTakenTime": {"timestamp": "1e300"}, "people": [1, {"name": 2}]}',
    ],
)  # fmt: skip
def test_json_of_another_kind_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    assert with_sidecars(Metadata(), tmp_path / "a.jpg", ("a.json",)) == Metadata()


JSON = st.recursive(
    st.none() | st.floats() | st.text() | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*TAKEOUT, "timestamp", "latitude", "name"]), inner)
    ),
    max_leaves=10,
)


@given(st.binary() | JSON.map(lambda found: json.dumps(found).encode()), st.binary())
def test_any_bytes_in_sidecars(
    tmp_path_factory: pytest.TempPathFactory, found: bytes, packet: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "a.json").write_bytes(found)
    (folder / "a.xmp").write_bytes(packet)
    with_sidecars(Metadata(), folder / "a.jpg", ("a.xmp", "a.json"))


def test_the_metadata_of_a_file_is_read_without_its_pixels(tmp_path: Path) -> None:
    tags = exif(DateTimeOriginal="2021:07:03 18:05:09").tobytes()
    pillow_heif.register_heif_opener()
    for extension in ("jpg", "png", "webp", "tiff", "avif", "heic", "jxl"):
        path = tmp_path / f"a.{extension}"
        picture().save(path, exif=tags)
        found = read_file_metadata(path)
        assert (found.taken_at, found.date_source) == ("2021-07-03T18:05:09", "exif original")
