"""Which camera RAW files and pictures are one photo."""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path, PurePath

import pytest
from PIL import Image

from sigseek.indexer.decoding.metadata import Metadata
from sigseek.indexer.decoding.raw_header import read_capture
from sigseek.indexer.raw_pairs import are_pair, find_candidates
from sigseek.indexer.scan import scan_folder
from sigseek.storage import DateSource, PhotoRecord
from tests.photos import exif, picture
from tests.raw_files import Tags, save_dng
from tests.test_pipeline import Library, counts

pytestmark = pytest.mark.both_databases

TAKEN = "2021:07:03 18:05:09"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library")
    yield library
    library.catalog.close()


def names(library: Library) -> set[str]:
    return {Path(path).name for path in library.contents()}


def save_raw(path: Path, seed: int, taken: str = "", model: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    more: Tags = {272: (2, list(f"{model}\0".encode()))}
    save_dng(path, picture(seed, (64, 48)), picture(seed, (320, 240)), more=more, taken=taken)


def save_jpeg(path: Path, seed: int, taken: str = "", model: str = "Model 7") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = exif(Make="Maker", Model=model, **({"DateTimeOriginal": taken} if taken else {}))
    picture(seed).save(path, exif=tags)


def test_candidates() -> None:
    paths = [
        "1.NEF", "1.jpg", "2.cr2", "3.dng", "3.JPEG", "a/1.nef", "a/4.heic", "a/4.dng", "5.raf",
        "5.png", "6.HIF", "6.ARW", "7.heic", "7.jpg", "7.cr3", "b/raw/8.nef", "b/8.JPG", "c/8.nef",
        "PXL_1.RAW-01.COVER.jpg", "PXL_1.RAW-02.ORIGINAL.dng", "PXL_2.RAW-01.MP.COVER.jpg",
        "PXL_2.RAW-02.ORIGINAL.dng", "a/b/c/1.nef", "d/9.nef", "e/9.jpg",
    ]  # fmt: skip
    paths = [path.replace("/", os.sep) for path in paths]
    directories = {path.rpartition(os.sep)[0] for path in paths}
    found = find_candidates(paths, directories)
    assert {raw.replace(os.sep, "/"): kept.replace(os.sep, "/") for raw, kept in found.items()} == {
        "1.NEF": "1.jpg",
        "3.dng": "3.JPEG",
        "a/1.nef": "1.jpg",
        "a/4.dng": "a/4.heic",
        "6.ARW": "6.HIF",
        "7.cr3": "7.jpg",
        "b/raw/8.nef": "b/8.JPG",
        "PXL_1.RAW-02.ORIGINAL.dng": "PXL_1.RAW-01.COVER.jpg",
        "PXL_2.RAW-02.ORIGINAL.dng": "PXL_2.RAW-01.MP.COVER.jpg",
    }


def test_candidates_are_taken_out_of_the_listing(tmp_path: Path) -> None:
    for name in ("1.jpg", "1.nef", "2.nef", "a/2.nef", "a/1.cr2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    listing = scan_folder(tmp_path, PurePath())
    assert sorted(listing.files) == ["1.jpg", "2.nef", os.path.join("a", "2.nef")]
    assert {raw.path: kept for raw, kept in listing.raw_pairs.items()} == {
        "1.nef": "1.jpg",
        os.path.join("a", "1.cr2"): "1.jpg",
    }
    assert {raw.path: raw[1:3] for raw in listing.raw_pairs}["1.nef"] == (
        5,
        (tmp_path / "1.nef").stat().st_mtime_ns,
    )


@pytest.mark.parametrize(
    ("raw", "other", "beside", "below"),
    [
        ({}, {}, True, False),
        ({"taken_at": "2021-07-03T18:05:09"}, {}, True, False),
        ({"taken_at": "2021-07-03T18:05:09"}, {"taken_at": "2021-07-03T18:05:09"}, True, True),
        (
            {"taken_at": "2021-07-03T18:05:09+02:00"},
            {"taken_at": "2021-07-03T18:05:10", "camera": "A"},
            True,
            True,
        ),
        ({"taken_at": "2021-07-03T18:05:09"}, {"taken_at": "2021-07-03T18:05:19"}, False, False),
        ({"taken_at": "2021-07-03T18:05:09"}, {"taken_at": "2021-07-03"}, True, False),
        (
            {"taken_at": "2021-07-03T18:05:09"},
            {"taken_at": "2023-07-03T18:05:19", "date_source": DateSource.XMP},
            True,
            False,
        ),
        ({"camera": "Maker A"}, {"camera": "maker a"}, True, False),
        ({"camera": "Maker A"}, {"camera": "Maker B"}, False, False),
    ],
)
def test_what_two_files_say(
    raw: dict[str, str], other: dict[str, str], beside: bool, below: bool
) -> None:
    source = DateSource.EXIF_ORIGINAL
    said = Metadata(**{"date_source": source, **raw})  # type: ignore[arg-type]
    photo = PhotoRecord(1, (), 1, 1, **{"date_source": source, **other})  # type: ignore[arg-type]
    assert are_pair("1.nef", said, "1.jpg", photo) is beside
    assert are_pair(os.path.join("raw", "1.nef"), said, "1.jpg", photo) is below


@pytest.mark.parametrize(
    ("raw", "other"),
    [
        ("x.dng", "x.jpg"),
        ("PXL_1.RAW-02.ORIGINAL.dng", "PXL_1.RAW-01.COVER.jpg"),
        ("raw/x.dng", "x.jpg"),
        ("x.DNG", "x.heic"),
    ],
)
def test_a_pair_is_one_photo(library: Library, tmp_path: Path, raw: str, other: str) -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    folder = tmp_path / "photos"
    save_raw(folder / raw, 60, TAKEN, "Model 7")
    save_jpeg(folder / other, 61, TAKEN)
    assert counts(library.index(folder)) == {"scanned": 1, "added": 1}
    assert counts(library.index(folder)) == {"scanned": 1, "unchanged": 1}
    assert names(library) == {other}
    (folder / other).unlink()
    assert counts(library.index(folder, accept_missing=True)) == {
        "scanned": 1,
        "added": 1,
        "missing": 1,
    }


@pytest.mark.parametrize(
    ("raw", "taken", "model"),
    [
        ("x.dng", "2020:07:03 18:05:09", "Model 7"),
        ("x.dng", TAKEN, "Model 8"),
        ("trip/x.dng", "2020:07:03 18:05:09", "Model 7"),
        ("trip/x.dng", "", ""),
    ],
)
def test_other_cameras_and_times_are_other_photos(
    library: Library, tmp_path: Path, raw: str, taken: str, model: str
) -> None:
    folder = tmp_path / "photos"
    save_raw(folder / raw, 60, taken, model)
    save_jpeg(folder / "x.jpg", 61, TAKEN)
    assert counts(library.index(folder)) == {"scanned": 2, "added": 2}
    for _ in range(2):
        assert counts(library.index(folder)) == {"scanned": 2, "unchanged": 2}
    assert names(library) == {"x.dng", "x.jpg"}


def test_a_raw_file_that_comes_later_is_looked_at(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    save_jpeg(folder / "x.jpg", 61, TAKEN)
    save_jpeg(folder / "y.jpg", 62, TAKEN)
    library.index(folder)
    save_raw(folder / "x.dng", 60, TAKEN, "Model 8")
    save_raw(folder / "y.dng", 63, TAKEN, "Model 7")
    os.utime(folder / "x.dng", (10**9, 10**9))  # as it was copied from a card
    assert counts(library.index(folder)) == {"scanned": 3, "added": 1, "unchanged": 2}
    assert names(library) == {"x.dng", "x.jpg", "y.jpg"}


def test_the_headers_of_raw_files(tmp_path: Path) -> None:
    tags = exif(Make="Maker", Model="Model 7", DateTimeOriginal=TAKEN)
    tags.endian = "<"
    tiff = tags.tobytes().removeprefix(b"Exif\0\0")
    jpeg = BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG", exif=tags)
    fujifilm = b"FUJIFILMCCD-RAW".ljust(84, b"\0") + (100).to_bytes(4) + bytes(12)
    for contents in (tiff, b"IIRO" + tiff[4:], b"IIU\0" + tiff[4:], fujifilm + jpeg.getvalue()):
        (tmp_path / "a").write_bytes(contents)
        said = read_capture(tmp_path / "a")
        assert (said.camera, said.taken_at, said.date_source) == (
            "Maker Model 7",
            "2021-07-03T18:05:09",
            DateSource.EXIF_ORIGINAL,
        )
    for contents in (b"", b"II*\0", b"FUJIFILMCCD-RAW", b"\0\0\0\x18ftypcrx ", b"no RAW at all"):
        (tmp_path / "a").write_bytes(contents)
        assert read_capture(tmp_path / "a") == Metadata()
    assert read_capture(tmp_path / "nowhere") == Metadata()
