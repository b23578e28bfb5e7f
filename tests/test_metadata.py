from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from indexer.metadata import Metadata, read_metadata
from tests.conftest import CORPORA, needs_corpora
from tests.photos import exif, picture


def metadata_of(folder: Path, **tags: object) -> Metadata:
    picture().save(folder / "a.jpg", exif=exif(**tags))
    with Image.open(folder / "a.jpg") as image:
        image.load()
        return read_metadata(image)


def test_all_there_is(tmp_path: Path) -> None:
    found = metadata_of(
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
    assert found == Metadata("2021-07-03T18:05:09+02:00", "Canon EOS 5D", -33.86, 151.21, 6)


def test_maker_and_model_that_differ(tmp_path: Path) -> None:
    assert metadata_of(tmp_path, Make="NIKON CORPORATION", Model="NIKON D90").camera == "NIKON D90"
    assert metadata_of(tmp_path, Make="Apple", Model="iPhone 15").camera == "Apple iPhone 15"
    assert metadata_of(tmp_path, Make="DJI").camera == "DJI"


@pytest.mark.parametrize("date", ["0000:00:00 00:00:00", "2021:13:45 99:00:00", "yesterday", "", "    :  :     :  :  "])
def test_a_date_that_is_none(tmp_path: Path, date: str) -> None:
    assert metadata_of(tmp_path, DateTimeOriginal=date).taken_at is None
    assert metadata_of(tmp_path, DateTimeOriginal=date, DateTime="2020:02:02 02:02:02").taken_at == "2020-02-02T02:02:02"


def test_a_broken_offset_costs_only_the_offset(tmp_path: Path) -> None:
    found = metadata_of(tmp_path, DateTimeOriginal="2021:07:03 18:05:09", OffsetTimeOriginal="zone!")
    assert found.taken_at == "2021-07-03T18:05:09"


def test_half_a_place_is_none(tmp_path: Path) -> None:
    assert metadata_of(tmp_path, GPSLatitudeRef="N", GPSLatitude=(1.0, 2.0, 3.0)).latitude is None
    far = metadata_of(tmp_path, GPSLatitude=(91.0, 0.0, 0.0), GPSLongitude=(1.0, 0.0, 0.0))
    assert (far.latitude, far.longitude) == (None, None)


VALUES = st.none() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.floats(), max_size=4).map(tuple)


class OddImage:
    """An image whose EXIF holds anything."""

    def __init__(self, base: dict[int, object], detail: dict[int, object], gps: dict[int, object]) -> None:
        self._tags = {ExifTags.IFD.Exif: detail, ExifTags.IFD.GPSInfo: gps}
        self._base = base

    def getexif(self) -> "OddImage":
        return self

    def __iter__(self) -> object:
        return iter(self._base.items())

    def get_ifd(self, ifd: int) -> dict[int, object]:
        return self._tags[ifd]


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from([271, 272, 274, 306]), VALUES),
    st.dictionaries(st.sampled_from([36867, 36868, 36881, 36882]), VALUES),
    st.dictionaries(st.sampled_from([1, 2, 3, 4]), VALUES),
)
def test_any_values_give_some_metadata(base: dict[int, object], detail: dict[int, object], gps: dict[int, object]) -> None:
    found = read_metadata(OddImage(base, detail, gps))  # type: ignore[arg-type]
    assert found.orientation in range(1, 9)
    assert found.latitude is None or -90 <= found.latitude <= 90
    assert (found.latitude is None) == (found.longitude is None)


@needs_corpora
def test_a_drone_knows_where_it_was() -> None:
    with Image.open(CORPORA / "photos" / "drone" / "DJI_0018.JPG") as image:
        image.load()
        found = read_metadata(image)
    assert found.camera is not None
    assert found.camera.startswith("DJI")
    assert found.taken_at is not None
    assert found.latitude is not None
