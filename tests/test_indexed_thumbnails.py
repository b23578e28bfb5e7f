"""Small thumbnails that are made while photos are indexed."""

import os
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

import sigseek
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.digest import digest_file
from sigseek.operations.thumbnails import open_store
from sigseek.storage.thumbnails import ThumbnailStore
from tests.conftest import Run
from tests.photos import difference, exif, picture
from tests.test_pipeline import PREPROCESSING, Library

pytestmark = pytest.mark.both_databases

WIDE = (640, 480)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        picture(number, WIDE).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> ThumbnailStore:
    return ThumbnailStore(tmp_path / "thumbnails")


def kept(store: ThumbnailStore, photo: Path) -> bytes | None:
    return store.read(digest_file(photo).picture, 320)


def test_each_photo_gets_one(tmp_path: Path, photos: Path, store: ThumbnailStore) -> None:
    library = Library(tmp_path / "library")
    library.index(photos, thumbnails=store)
    for number in range(3):
        small = kept(store, photos / f"{number}.png")
        assert small
        image = Image.open(BytesIO(small))
        assert (image.format, image.size) == ("JPEG", (320, 240))
        assert difference(image, picture(number, WIDE).resize((320, 240))) < 3
    library.check(photos)
    library.catalog.close()


def test_the_embedding_is_the_same_without(tmp_path: Path, store: ThumbnailStore) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    turned = picture(5, (3000, 2000)).transpose(Image.Transpose.ROTATE_90)
    turned.save(photos / "a.jpg", exif=exif(Orientation=6))
    with_thumbnails, without = Library(tmp_path / "one"), Library(tmp_path / "other")
    with_thumbnails.index(photos, thumbnails=store)
    without.index(photos)
    assert with_thumbnails.contents() == without.contents()
    for library in (with_thumbnails, without):
        library.catalog.close()


def test_a_photo_that_is_decoded_small_gets_none(tmp_path: Path) -> None:
    """A JPEG is decoded at an eighth for a checkpoint that needs no more; a thumbnail of that would
    be smaller than it could be.
    """
    picture(1, (1600, 1200)).save(tmp_path / "a.jpg")
    picture(1, (160, 120)).save(tmp_path / "b.png")
    assert max(PREPROCESSING.width, PREPROCESSING.height) < 75
    assert decode_photo(tmp_path / "a.jpg", PREPROCESSING, thumbnail=320).thumbnail is None
    small = decode_photo(tmp_path / "b.png", PREPROCESSING, thumbnail=100).thumbnail
    assert small
    assert Image.open(BytesIO(small)).size == (100, 75)


def test_a_kept_one_is_not_made_again(tmp_path: Path, photos: Path, store: ThumbnailStore) -> None:
    known = digest_file(photos / "1.png").picture
    store.write(known, 320, b"as it was")
    library = Library(tmp_path / "library")
    library.index(photos, thumbnails=store)
    assert store.read(known, 320) == b"as it was"
    assert kept(store, photos / "2.png")
    library.catalog.close()


def test_an_edited_photo_gets_another(tmp_path: Path, photos: Path, store: ThumbnailStore) -> None:
    library = Library(tmp_path / "library")
    library.index(photos, thumbnails=store)
    before = kept(store, photos / "1.png")
    picture(7, WIDE).save(photos / "1.png")
    library.index(photos, thumbnails=store)
    after = kept(store, photos / "1.png")
    assert before
    assert after
    assert before != after
    library.catalog.close()


def test_a_disk_without_room_for_them_costs_the_run_nothing(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "file").touch()
    library = Library(tmp_path / "library")
    report = library.index(photos, thumbnails=ThumbnailStore(tmp_path / "file"))
    assert (report.added, report.failed) == (3, 0)
    library.check(photos)
    library.catalog.close()


def test_a_photo_that_goes_away_after_indexing_is_shown(tmp_path: Path, photos: Path) -> None:
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(photos)
        (hit, *_) = library.search("format:png", limit=1)
        photos.rename(tmp_path / "unplugged")
        small = Image.open(BytesIO(library.thumbnail(hit.id).data))
    number = Path(hit.path).stem
    assert difference(small, picture(int(number), WIDE).resize((320, 240))) < 3


def test_status_tells_what_they_take(tmp_path: Path, photos: Path) -> None:
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        library.index(photos)
        status = library.status()
    assert status.thumbnails == str(Path(os.environ["SIGSEEK_CACHE"], "thumbnails"))
    assert status.thumbnails_bytes == open_store().size_on_disk() > 3 * 1000
    assert status.thumbnails_max_bytes == 4_000_000_000


def test_the_command_line_sets_the_limit(
    run: Run, tmp_path: Path, photos: Path, own_cache: Path
) -> None:
    """The limit is the user's, so this test has a cache of its own."""
    arguments = ("--library", tmp_path / "library")
    run("index", photos, *arguments, "--model", "mini", "--thumbnails-max", "0")
    assert open_store().size_on_disk() == 0
    line = f"thumbnails  {own_cache / 'thumbnails'}: 0 B of at most 0 B, for all libraries\n"
    assert line in run("status", *arguments).stdout
    run("index", *arguments, "--thumbnails-max", "1.5GB")
    assert open_store().max_bytes == 1_500_000_000
    wrong = run("index", *arguments, "--thumbnails-max", "many", check=False)
    assert wrong.returncode == 2
    assert "'many' is not a size; write it as 0, 500MB or 4GB." in wrong.stderr
