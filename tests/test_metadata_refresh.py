"""Metadata that is out of date is read again, and nothing is embedded for it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import sigseek
from sigseek.indexer.decoding.metadata import Metadata
from sigseek.indexer.facts_version import FACTS_VERSION
from sigseek.indexer.metadata_refresh import combined
from sigseek.search.results import Hit
from tests.catalogs import execute
from tests.photos import exif, picture, save, xmp
from tests.raw_files import Tags, save_dng

pytestmark = pytest.mark.both_databases


@pytest.fixture
def library(tmp_path: Path) -> Iterator[sigseek.Library]:
    with sigseek.open(tmp_path / "library", model="mini") as opened:
        yield opened


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "photos"


def hits(library: sigseek.Library) -> dict[str, Hit]:
    found = library.search("a photo", include_all=True, limit=100)
    return {Path(hit.path).name: hit for hit in found}


def write_sidecar(path: Path, stars: int) -> None:
    path.write_bytes(xmp("", f'xmp:Rating="{stars}"'))


def test_a_sidecar_is_read_when_it_comes_changes_and_goes(
    library: sigseek.Library, photos: Path
) -> None:
    save(photos / "a.jpg")
    save(photos / "b.jpg", seed=1)
    write_sidecar(photos / "a.jpg.xmp", 3)
    report = library.index(photos)
    assert (report.added, report.metadata_read) == (2, 1)
    assert {name: hit.rating for name, hit in hits(library).items()} == {"a.jpg": 3, "b.jpg": None}
    report = library.index(photos)
    assert (report.unchanged, report.changed, report.metadata_read) == (2, 0, 0)

    write_sidecar(photos / "a.jpg.xmp", 5)
    os.utime(photos / "a.jpg.xmp", (1, 1))  # a change is seen though size and second are the same
    report = library.index(photos)
    assert (report.unchanged, report.changed, report.metadata_read) == (1, 1, 1)
    assert report.device is None, "nothing was embedded"
    assert hits(library)["a.jpg"].rating == 5

    (photos / "a.jpg.xmp").rename(photos / "b.xmp")
    report = library.index(photos)
    assert (report.unchanged, report.changed, report.metadata_read) == (0, 2, 2)
    assert {name: hit.rating for name, hit in hits(library).items()} == {"a.jpg": None, "b.jpg": 5}


@pytest.mark.parametrize("has_ctime", [True, False])
def test_an_edit_of_a_sidecar_that_keeps_size_and_mtime(
    library: sigseek.Library, photos: Path, monkeypatch: pytest.MonkeyPatch, has_ctime: bool
) -> None:
    if not has_ctime:
        monkeypatch.setattr("sigseek.indexer.directory.ctime_ns", lambda _: None)
    sidecar = save(photos / "a.jpg").with_suffix(".jpg.xmp")
    write_sidecar(sidecar, 3)
    library.index(photos)
    before = sidecar.stat()
    write_sidecar(sidecar, 5)
    os.utime(sidecar, ns=(before.st_atime_ns, before.st_mtime_ns))
    report = library.index(photos)
    assert (report.changed, report.metadata_read) == ((1, 1) if has_ctime else (0, 0))
    report = library.index(photos, reread=True)
    assert (report.unchanged, report.metadata_read, report.device) == (1, 1, None)
    assert hits(library)["a.jpg"].rating == 5


def test_a_raw_file_and_its_sidecar(library: sigseek.Library, photos: Path) -> None:
    photos.mkdir()
    size = (400, 300)
    save_dng(photos / "alone.dng", picture(0, size), picture(0, size))
    write_sidecar(photos / "alone.dng.xmp", 4)
    save_dng(photos / "pair.dng", picture(1, size), picture(1, size))
    save(photos / "pair.jpg", seed=2)
    write_sidecar(photos / "pair.xmp", 2)
    library.index(photos)
    assert {name: hit.rating for name, hit in hits(library).items()} == {
        "alone.dng": 4,
        "pair.jpg": 2,
    }
    assert library.index(photos).metadata_read == 0


SIDECARS = (
    ("x.dng", "x.xmp"),
    ("x.dng", "x.dng.xmp"),
    ("raw/x.dng", "raw/x.xmp"),
    ("raw/x.dng", "raw/x.dng.xmp"),
)


# Each place of a sidecar has one size of parts; the other combinations are slow.
@pytest.mark.parametrize(
    ("raw", "sidecar", "part"),
    [
        pytest.param(*files, part, marks=() if number in fast else pytest.mark.slow)
        for part, fast in ((1, (0, 3)), (1000, (1, 2)))
        for number, files in enumerate(SIDECARS)
    ],
)
def test_the_sidecar_of_a_raw_file_is_its_pictures(
    library: sigseek.Library,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    raw: str,
    sidecar: str,
    part: int,
) -> None:
    monkeypatch.setattr("sigseek.indexer.scan._PART", part)
    taken = {"taken": "2021:07:03 18:05:09"}
    (photos / raw).parent.mkdir(parents=True)
    save_dng(photos / raw, picture(1, (400, 300)), picture(1, (400, 300)), **taken)
    save(photos / "x.jpg", seed=2, exif=exif(DateTimeOriginal=taken["taken"]))
    (photos / "x.jpg.json").write_text('{"photoTakenTime": {}, "description": "By the sea"}')

    def facts() -> tuple[int, int | None, str | None, str | None]:
        report = library.index(photos)
        (hit,) = hits(library).values()
        return report.metadata_read, hit.rating, hit.title, hit.description

    def indexed(stars: int | None, title: str | None) -> None:
        assert facts()[1:] == (stars, title, "By the sea")
        assert facts() == (0, stars, title, "By the sea")

    indexed(None, None)
    (photos / sidecar).write_bytes(xmp("<dc:title>Raw</dc:title>", 'xmp:Rating="3"'))
    indexed(3, "Raw")
    write_sidecar(photos / "x.jpg.xmp", 5)
    indexed(5, None if sidecar == "x.xmp" else "Raw")
    (photos / "x.jpg.xmp").unlink()
    indexed(3, "Raw")
    write_sidecar(photos / sidecar, 4)
    indexed(4, None)
    if (photos / raw).parent != photos:
        write_sidecar(photos / "x.jpg.xmp", 1)
        (photos / sidecar).unlink()
        (photos / raw).unlink()
        indexed(1, None)
    else:
        (photos / sidecar).unlink()
        indexed(None, None)


@pytest.mark.parametrize(
    ("written", "stars"),
    [
        ("", None),
        ('photoshop:SidecarForExtension="DNG"', None),
        ('tiff:Make="Maker" tiff:Model="Model 8"', None),
        ('photoshop:SidecarForExtension="JPG"', 4),
        ('tiff:Make="Maker" tiff:Model="Model 7"', 4),
    ],
)
def test_the_sidecar_of_another_cameras_raw_file(
    library: sigseek.Library, photos: Path, written: str, stars: int | None
) -> None:
    photos.mkdir()
    more: Tags = {271: (2, list(b"Maker\0")), 272: (2, list(b"Model 8\0"))}
    save_dng(photos / "x.dng", picture(1, (400, 300)), picture(1, (400, 300)), more=more)
    save(photos / "x.jpg", seed=2, exif=exif(Make="Maker", Model="Model 7"))
    packet = xmp("", f'xmp:Rating="4" {written}')
    (photos / "x.xmp").write_bytes(packet)
    (photos / "x.dng.xmp").write_bytes(packet)
    library.index(photos)
    assert hits(library)["x.jpg"].rating == stars
    assert hits(library)["x.dng"].rating == 4
    assert library.index(photos).metadata_read == 0


def set_version(library: sigseek.Library, version: int) -> None:
    execute(
        library.directory,
        "UPDATE photo SET facts_version = :version, title = NULL, date_source = NULL",
        version=version,
    )
    execute(library.directory, "DELETE FROM photo_keyword")


def test_metadata_of_an_older_reader_is_read_again(library: sigseek.Library, photos: Path) -> None:
    words = (
        "<dc:title>Harbour</dc:title>"
        "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>"
    )
    save(photos / "a.jpg", xmp=xmp(words), exif=exif(DateTimeOriginal="2021:07:03 18:05:09"))
    save(photos / "20161224.jpg", seed=1)
    library.index(photos)
    before = hits(library)
    assert {hit.date_source for hit in before.values()} == {"exif original", "file name"}
    set_version(library, FACTS_VERSION - 1)
    report = library.index(photos)
    assert (report.unchanged, report.metadata_read, report.device) == (2, 2, None)
    assert hits(library) == before
    assert (before["a.jpg"].title, before["a.jpg"].keywords) == ("Harbour", ("sea",))
    assert library.index(photos).metadata_read == 0


def test_photos_that_are_away_are_read_again_when_they_are_back(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    save(photos / "20161224.jpg")
    save(photos / "b.jpg", seed=1)
    library.index(photos)
    set_version(library, FACTS_VERSION - 1)
    photos.rename(tmp_path / "away")
    assert library.index().metadata_read == 0
    (tmp_path / "away").rename(photos)
    (photos / "b.jpg").write_bytes(b"no picture")
    report = library.index()
    assert (report.metadata_read, report.failed) == (1, 1)
    assert hits(library)["20161224.jpg"].date_source == "file name"


def test_a_copy_tells_what_the_photo_does_not(library: sigseek.Library, photos: Path) -> None:
    save(photos / "a.jpg")
    library.index(photos)
    shutil.copy(photos / "a.jpg", photos / "2011-07-19 11.36.39.jpg")
    write_sidecar(photos / "2011-07-19 11.36.39.xmp", 4)
    report = library.index(photos)
    assert (report.added, report.metadata_read) == (1, 1)
    (hit,) = hits(library).values()
    assert (hit.taken_at, hit.rating) == ("2011-07-19T11:36:39", 4)


def test_a_file_with_a_new_name_has_a_new_date(library: sigseek.Library, photos: Path) -> None:
    save(photos / "20161224.jpg")
    library.index(photos)
    (photos / "20161224.jpg").rename(photos / "a.jpg")
    report = library.index(photos)
    assert (report.moved, report.metadata_read) == (1, 1)
    assert hits(library)["a.jpg"].taken_at is None


def test_what_several_files_say_together() -> None:
    edited = Metadata(rating=5, latitude=1.0, longitude=2.0, keywords=("new",))
    edited = Metadata(**vars(edited) | {"taken_at": "2024", "date_source": "file name"})
    other = Metadata(
        taken_at="2021",
        date_source="exif original",
        rating=3,
        latitude=3.0,
        longitude=4.0,
        city="Paris",
        place_source="xmp",
        keywords=("old",),
        title="Noon",
    )
    assert combined([edited, other, Metadata()]) == Metadata(
        taken_at="2021",
        date_source="exif original",
        rating=5,
        latitude=1.0,
        longitude=2.0,
        city="Paris",
        place_source="xmp",
        keywords=("new",),
        title="Noon",
    )
