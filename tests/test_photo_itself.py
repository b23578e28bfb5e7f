"""A photo that a query names: it is certain to be like itself, and listed only on request."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import sigseek
from sigseek.search.known_photo import KnownPhoto
from tests.conftest import Run
from tests.indexed import indexed, save_photos
from tests.photos import save

pytestmark = pytest.mark.both_databases(milvus=True)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_photos(tmp_path / "photos")


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[sigseek.Library]:
    with indexed(tmp_path / "library", photos) as library:
        yield library


def searched(library: sigseek.Library, photo: Path, **options: bool) -> list[sigseek.Hit]:
    return list(library.search(f'photo:"{photo}"', 100, include_all=True, **options))


def test_every_photo_of_a_small_library_is_certainly_like_itself(
    library: sigseek.Library, photos: Path
) -> None:
    for photo in sorted(photos.rglob("*.png")):
        first = searched(library, photo, include_self=True)[0]
        assert (first.path, first.probability, first.verdict) == (str(photo), 1, "match")
        assert (first.query_photo, first.confidence) == ("itself", 1)
        nearest = library.similar(photo, 100, include_self=True)[0]
        assert (nearest.path, nearest.cosine, nearest.query_photo) == (str(photo), 1, "itself")


def test_search_and_similar_leave_the_photo_itself_out(
    library: sigseek.Library, photos: Path
) -> None:
    photo = photos / "a" / "00.png"
    others = {str(path) for path in photos.rglob("*.png")} - {str(photo)}
    assert {hit.path for hit in searched(library, photo)} == others
    assert {hit.path for hit in library.similar(photo, 100)} == others
    assert {hit.query_photo for hit in searched(library, photo)} == {None}
    assert library.search(f'photo:"{photo}"').expected < len(others)


def test_a_photo_is_certainly_not_unlike_itself(library: sigseek.Library, photos: Path) -> None:
    photo = photos / "a" / "00.png"
    found = library.search(
        f'NOT photo:"{photo}"', 100, include_all=True, include_self=True, explain=True
    )
    (last,) = [hit for hit in found if hit.path == str(photo)]
    assert (last.probability, last.verdict, last.rank) == (0, "no match", 12)
    assert last.terms == {f"photo:{photo}": 1}


def test_exact_copies_are_shown_as_copies(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    photo, copy = photos / "a" / "00.png", photos / "b" / "copy.png"
    shutil.copy(photo, copy)
    library.index()
    for first in (library.similar(photo)[0], searched(library, photo)[0]):
        assert (first.path, first.query_photo) == (str(copy), "copy")
        assert (first.copies, first.rank) == ((str(photo),), 1)
    itself = library.similar(photo, include_self=True)[0]
    assert (itself.path, itself.query_photo, itself.copies) == (str(photo), "itself", (str(copy),))
    outside = Path(shutil.copy(photos / "c" / "02.png", tmp_path / "outside.png"))
    for first in (library.similar(outside)[0], searched(library, outside)[0]):
        assert (first.path, first.query_photo) == (str(photos / "c" / "02.png"), "copy")


def test_what_is_printed(library: sigseek.Library, photos: Path, tmp_path: Path, run: Run) -> None:
    photo = photos / "a" / "00.png"
    where = ("--library", tmp_path / "library")
    (line,) = run("similar", photo, "--self", "-n", 1, *where).stdout.splitlines()
    itself = f"   1  1.000  ██████████  {photo}  (the photo itself)"
    assert line == itself
    asked = ("search", f"photo:{photo}", "--self", "-n", 1, *where)
    assert run(*asked).stdout.splitlines()[1] == itself
    outside = shutil.copy(photo, tmp_path / "outside.png")
    (line,) = run("similar", outside, "-n", 1, *where).stdout.splitlines()
    assert line == f"   1  1.000  ██████████  {photo}  (exact copy)"
    first, second = (
        json.loads(line)
        for line in run("similar", outside, "-n", 2, "--json", *where).stdout.splitlines()
    )
    assert (first["query_photo"], first["cosine"]) == ("copy", 1)
    assert "query_photo" not in second
    run("similar", photo, "--self", "-n", 1, "--html", "page.html", *where)
    assert "the photo itself" in (tmp_path / "page.html").read_text()


def test_a_photo_of_a_folder_that_was_reached_by_a_link(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(photos)
    linked = tmp_path / "link" / "a" / "00.png"
    assert [hit.query_photo for hit in library.similar(linked, 100)] == [None] * 11
    photos.rename(tmp_path / "unplugged")
    assert [hit.query_photo for hit in library.similar(linked, 100)] == [None] * 11
    first = library.similar(linked, 1, include_self=True)[0]
    assert (first.path, first.available) == (str(photos / "a" / "00.png"), False)


def test_a_photo_that_cannot_be_read_now(ordinary_folder: Path) -> None:
    for number in range(3):
        save(ordinary_folder / "photos" / f"{number}.png", seed=number)
    with indexed(ordinary_folder / "library", ordinary_folder / "photos") as library:
        photo = ordinary_folder / "photos" / "1.png"
        before = library.similar(photo)
        photo.chmod(0)
        assert library.similar(photo) == before
        photo.chmod(0o600)
        unknown = save(ordinary_folder / "unknown.png", seed=9)
        unknown.chmod(0)
        with pytest.raises(sigseek.QueryError, match="cannot be read"):
            library.similar(unknown)
        unknown.chmod(0o600)


def test_the_files_by_which_a_known_photo_is_listed() -> None:
    known = KnownPhoto(1, frozenset({"/b"}), has_copies=True)
    assert known.files_to_show(("/a", "/b", "/c")) == ("/a", "/c")
    assert KnownPhoto(1, frozenset({"/b"}), True, include_self=True).files_to_show(
        ("/a", "/b", "/c")
    ) == ("/b", "/a", "/c")
    assert not KnownPhoto(1, frozenset({"/b"}), has_copies=False).listed
