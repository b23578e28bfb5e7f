"""Thumbnails of a library's photos, made when they are asked for, and kept."""

import os
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pillow_heif import register_heif_opener

import sigseek
from sigseek.errors import ErrorKind
from sigseek.indexer import DecodeError
from sigseek.operations.thumbnails import open_store
from sigseek.search.errors import QueryError
from tests.conftest import CORPORA, needs_corpora
from tests.photos import difference, exif, picture
from tests.raw_files import save_dng
from tests.silent_disks import silent_disk
from tests.test_color_profiles import swapped_profile
from tests.test_pipeline import Library

WIDE = (1600, 1200)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register_heif_opener()
    import pillow_jxl  # noqa: F401

    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


Opened = Callable[[], tuple[sigseek.Library, dict[str, int]]]


@pytest.fixture
def index(tmp_path: Path, photos: Path) -> Iterator[Opened]:
    """Index the folder of photos without thumbnails, and return the library and the ids of its
    photos by the names of their files.
    """
    opened = []

    def index() -> tuple[sigseek.Library, dict[str, int]]:
        made = Library(tmp_path / "library")
        made.index(photos)
        ids, _ = made.catalog.embeddings(made.checkpoint.id)
        records = made.catalog.photos(ids.tolist()).items()
        made.catalog.close()
        opened.append(sigseek.open(tmp_path / "library"))
        return opened[-1], {Path(path).name: id_ for id_, one in records for path in one.paths}

    yield index
    for library in opened:
        library.close()


def decoded(thumbnail: sigseek.Thumbnail) -> Image.Image:
    assert thumbnail.media_type == "image/jpeg"
    image = Image.open(BytesIO(thumbnail.data))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


# To write a large picture in the other formats takes seconds.
@pytest.mark.parametrize(
    "name",
    [
        *("a.jpg", "a.webp", "a.tif"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("a.png", "a.heic", "a.avif", "a.jxl")
        ),
    ],
)
def test_a_photo_of_any_format_is_shown_small_and_in_its_own_size(
    photos: Path, index: Opened, name: str
) -> None:
    whole = picture(1, WIDE)
    whole.save(photos / name, quality=92)
    library, ids = index()
    for longest, size in ((320, (320, 240)), (1280, (1280, 960))):
        found = library.thumbnail(ids[name], longest)
        assert found.size == longest
        image = decoded(found)
        assert image.size == size
        assert difference(image, whole.resize(size)) < 4
    copy = library.jpeg(ids[name])
    assert copy.size is None
    assert difference(decoded(copy), whole) < 4


@pytest.mark.parametrize("extension", ["jpg", "heic", "tiff"])
def test_a_turned_photo_is_upright(photos: Path, index: Opened, extension: str) -> None:
    whole = picture(2, (480, 360))
    name = f"a.{extension}"
    turned = whole.transpose(Image.Transpose.ROTATE_90)
    turned.save(photos / name, exif=exif(Orientation=6).tobytes(), quality=92)
    library, ids = index()
    assert difference(decoded(library.jpeg(ids[name])), whole) < 4
    small = decoded(library.thumbnail(ids[name]))
    assert difference(small, whole.resize((320, 240))) < 4
    assert small.getexif() == {}, "a browser must not turn it again"


def test_colours_are_srgb(photos: Path, index: Opened) -> None:
    whole = picture(3, (480, 360))
    red, green, blue = whole.split()
    swapped = Image.merge("RGB", (blue, green, red))
    swapped.save(photos / "a.jpg", icc_profile=swapped_profile(), quality=95)
    library, ids = index()
    small = decoded(library.thumbnail(ids["a.jpg"]))
    assert difference(small, whole.resize((320, 240))) < 4
    assert "icc_profile" not in small.info


def test_camera_raw_shows_its_preview(photos: Path, index: Opened) -> None:
    preview = picture(4, (640, 480))
    save_dng(photos / "a.dng", picture(5, (32, 24)), preview)
    library, ids = index()
    assert difference(decoded(library.jpeg(ids["a.dng"])), preview) < 4
    small = decoded(library.thumbnail(ids["a.dng"]))
    assert difference(small, preview.resize((320, 240))) < 4


def test_a_small_photo_is_not_enlarged(photos: Path, index: Opened) -> None:
    picture(1, (64, 48)).save(photos / "a.png")
    Image.new("RGB", (1, 5000), "red").save(photos / "line.png")
    library, ids = index()
    assert decoded(library.thumbnail(ids["a.png"], 1280)).size == (64, 48)
    assert decoded(library.thumbnail(ids["line.png"])).size == (1, 320)


def test_a_kept_thumbnail_needs_no_file(photos: Path, index: Opened) -> None:
    picture(1, WIDE).save(photos / "a.jpg")
    library, ids = index()
    before = library.thumbnail(ids["a.jpg"])
    assert len(before.digest) == 64
    (photos / "a.jpg").rename(photos / "away.jpg")
    assert library.thumbnail(ids["a.jpg"]) == before
    with pytest.raises(DecodeError, match="none of its files is there") as raised:
        library.jpeg(ids["a.jpg"])
    assert raised.value.kind is ErrorKind.UNAVAILABLE
    assert str(photos) not in raised.value.found, "over HTTP a path is told to nobody"


def test_a_file_has_the_thumbnail_of_its_photo(photos: Path, index: Opened) -> None:
    picture(1, WIDE).save(photos / "a.jpg")
    library, ids = index()
    assert library.thumbnail(photos / "a.jpg") == library.thumbnail(ids["a.jpg"])
    (photos / "a.jpg").unlink()
    assert library.thumbnail(photos / "a.jpg") == library.thumbnail(ids["a.jpg"])


@pytest.mark.parametrize("with_library", [True, False])
def test_a_file_that_is_not_in_the_library_has_one_that_is_not_kept(
    photos: Path, index: Opened, tmp_path: Path, with_library: bool
) -> None:
    picture(1, WIDE).save(photos / "a.jpg")
    library = index()[0] if with_library else sigseek.open(tmp_path / "none")
    picture(2, WIDE).save(tmp_path / "other.jpg")
    found = library.thumbnail(tmp_path / "other.jpg")
    assert difference(decoded(found), picture(2, WIDE).resize((320, 240))) < 4
    assert open_store().size_on_disk() == 0
    (tmp_path / "no photo.jpg").write_text("no photo")
    with pytest.raises(DecodeError, match=r"no photo\.jpg cannot be used"):
        library.thumbnail(tmp_path / "no photo.jpg")
    with pytest.raises(QueryError, match="no file"):
        library.thumbnail(tmp_path / "gone.jpg")
    library.close()


def test_away_photos_are_shown_in_the_size_that_there_is(photos: Path, index: Opened) -> None:
    picture(1, WIDE).save(photos / "a.jpg")
    picture(2, WIDE).save(photos / "b.jpg")
    library, ids = index()
    small, large = library.thumbnail(ids["a.jpg"]), library.thumbnail(ids["b.jpg"], 1280)
    photos.rename(photos.with_name("unplugged"))
    assert library.thumbnail(ids["a.jpg"], 1280) == small
    assert library.thumbnail(ids["b.jpg"], 320) == large


def test_another_copy_is_used_when_the_first_is_away(photos: Path, index: Opened) -> None:
    for name in ("a.jpg", "b.jpg"):
        picture(1, WIDE).save(photos / name)
    library, ids = index()
    (photos / "a.jpg").unlink()
    assert ids["a.jpg"] == ids["b.jpg"]
    assert difference(decoded(library.jpeg(ids["a.jpg"])), picture(1, WIDE)) < 4


def test_a_file_that_holds_another_picture_by_now_is_not_shown(photos: Path, index: Opened) -> None:
    picture(1, WIDE).save(photos / "a.jpg")
    library, ids = index()
    picture(2, WIDE).save(photos / "a.jpg")
    with pytest.raises(DecodeError, match="it changed since it was indexed"):
        library.thumbnail(ids["a.jpg"])


def test_a_file_with_another_time_and_the_same_picture_is_shown(
    photos: Path, index: Opened
) -> None:
    """As on a drive whose times depend on the machine's time zone."""
    picture(1, WIDE).save(photos / "a.jpg")
    library, ids = index()
    os.utime(photos / "a.jpg", (1_000_000_000, 1_000_000_000))
    assert decoded(library.thumbnail(ids["a.jpg"])).size == (320, 240)


def test_a_disk_that_does_not_answer_is_given_up(
    photos: Path, index: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(1, WIDE).save(photos / "a.jpg")
    library, ids = index()
    with silent_disk(monkeypatch) as silent:
        silent.paths.add(photos)
        with pytest.raises(DecodeError, match="its disk does not answer"):
            library.thumbnail(ids["a.jpg"])


def test_unknown_photos_and_sizes(photos: Path, index: Opened) -> None:
    picture(1).save(photos / "a.jpg")
    library, ids = index()
    with pytest.raises(QueryError, match="the library has no photo 77") as raised:
        library.thumbnail(77)
    assert raised.value.kind is ErrorKind.NOT_FOUND
    with pytest.raises(QueryError, match="no thumbnails of 640 pixels; ask for 320 or 1280"):
        library.thumbnail(ids["a.jpg"], 640)


def test_a_photo_that_was_forgotten_is_unknown(photos: Path, index: Opened) -> None:
    picture(1).save(photos / "a.jpg")
    library, ids = index()
    library.thumbnail(ids["a.jpg"])
    library.forget(photos)
    with pytest.raises(QueryError, match="the library has no photo"):
        library.thumbnail(ids["a.jpg"])


def test_a_cut_thumbnail_is_made_again(photos: Path, index: Opened) -> None:
    picture(1, WIDE).save(photos / "a.jpg")
    library, ids = index()
    before = library.thumbnail(ids["a.jpg"])
    (file,) = open_store().directory.rglob("*.jpg")
    os.truncate(file, 0)
    assert library.thumbnail(ids["a.jpg"]) == before
    assert file.stat().st_size > 1000


def test_a_cache_that_cannot_be_written_costs_nothing_else(
    photos: Path, index: Opened, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "file"))
    picture(1, WIDE).save(photos / "a.jpg")
    library, ids = index()
    assert decoded(library.thumbnail(ids["a.jpg"])).size == (320, 240)
    with pytest.raises(sigseek.SigseekError, match="thumbnails cannot be written"):
        library.limit_thumbnails(1000)


def test_a_limit_holds_at_once_and_later(photos: Path, index: Opened) -> None:
    picture(1, WIDE).save(photos / "a.jpg")
    library, ids = index()
    library.thumbnail(ids["a.jpg"])
    assert open_store().size_on_disk() > 0
    library.limit_thumbnails(0)
    assert open_store().size_on_disk() == 0
    assert open_store().max_bytes == 0
    assert decoded(library.thumbnail(ids["a.jpg"])).size == (320, 240)
    assert open_store().size_on_disk() == 0
    with pytest.raises(QueryError, match="thumbnails cannot take -1 bytes"):
        library.limit_thumbnails(-1)


@needs_corpora
def test_every_hostile_file_gives_a_whole_thumbnail_or_an_error(
    photos: Path, index: Opened
) -> None:
    """Of the hostile files, those are indexed that give a picture."""
    hostile = sorted((CORPORA / "hostile").rglob("*.[jptw]*"))[::12]
    for number, path in enumerate(hostile):
        if path.is_file():
            (photos / f"{number:04}{path.suffix}").write_bytes(path.read_bytes())
    library, ids = index()
    assert len(ids) > 20
    for id_ in set(ids.values()):
        image = decoded(library.thumbnail(id_))
        image.load()
        assert max(image.size) <= 320
