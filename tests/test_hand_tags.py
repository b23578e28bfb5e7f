"""Tags that a person gives to photos and takes back, beside those that a checkpoint judges."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import sigseek
from sigseek import Label, PhotoTag, TagCount
from sigseek.storage import Catalog
from tests.catalogs import add_checkpoint, add_photos, random_unit
from tests.conftest import Run
from tests.indexed import indexed, save_photos
from tests.photos import exif, save
from tests.schemas.make import SCHEMAS, restore


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_photos(tmp_path / "photos")


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> Iterator[sigseek.Library]:
    with indexed(tmp_path / "library", photos) as library:
        yield library


def tagged(library: sigseek.Library, name: str) -> set[str]:
    """Return the names of the files whose photos have the tag."""
    return {Path(hit.path).name for hit in library.search(f'tag:"{name}"', 100)}


def test_given_and_taken_back_on_the_command_line(
    library: sigseek.Library, photos: Path, run: Run
) -> None:
    one, two = photos / "a" / "00.png", photos / "b" / "01.png"
    where = ("--library", library.directory)
    assert (
        run("tag", "--add", "our cat", one, two, *where).stdout == "our cat  2 photos, 2 by hand\n"
    )
    found = run("search", 'tag:"our cat"', "--paths", *where)
    assert set(found.stdout.splitlines()) == {str(one), str(two)}
    done = run("tag", "--remove", "our cat", one, "--json", *where)
    assert json.loads(done.stdout) == {"label": "our cat", "photos": 1, "by_hand": 1}
    assert tagged(library, "our cat") == {"01.png"}
    assert run("tag", "--list", *where).stdout == "our cat  1 photo, 1 by hand\n"
    refused = run("tag", "--remove", "our cat", *where, check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "error: 1 photo got the tag 'our cat' by hand, and there is no terminal to ask on; "
        "go on with --yes\n"
    )
    removed = run("tag", "--remove", "our cat", "--yes", *where)
    assert removed.stdout == "our cat  1 photo removed\n"
    assert run("tag", "--list", *where).stdout == "no tags\n"


def test_a_tag_that_no_photo_has_is_one_of_no_photos(
    library: sigseek.Library, photos: Path, run: Run
) -> None:
    where = ("--library", library.directory)
    made = run("tag", "--label", "Night = a submarine at night", *where)
    assert made.stdout == "Night  0 photos\n"
    for query in ("tag:Night", "tag:Night AND a house"):
        done = run("search", query, *where)
        assert (done.returncode, done.stdout) == (0, 'No photo in the selection: tag:"Night"\n'), (
            query
        )
    run("tag", "--add", "mine", photos / "a" / "00.png", *where)
    assert run("tag", "--remove", "mine", photos / "a" / "00.png", *where).stdout == (
        "mine  0 photos\n"
    )
    said = run("search", "tag:mine", *where).stdout
    assert said == 'No photo in the selection: tag:"mine"\n'
    assert library.tags() == (TagCount("Night", 0), TagCount("mine", 0))


def test_no_run_changes_what_a_person_said(drawn: Path, tmp_path: Path) -> None:
    night = [Label("night", "at night")]
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(drawn)
        (judged,) = library.tag(night)
        by_model = tagged(library, "night")
        others = sorted({path.name for path in drawn.glob("*.jpg")} - by_model)
        wrong, missed = sorted(by_model)[0], others[0]
        assert library.remove_tag("night", [drawn / wrong]).photos == judged.photos - 1
        assert library.add_tag("night", [drawn / missed]) == TagCount("night", judged.photos, 1)
        assert tagged(library, "night") == by_model - {wrong} | {missed}
        assert library.tag(night) == (TagCount("night", judged.photos, 1),)
        assert tagged(library, "night") == by_model - {wrong} | {missed}
        assert library.tag([Label("night", "a submarine")]) == (TagCount("night", 1, 1),)
        assert tagged(library, "night") == {missed}
        library.add_tag("night", [drawn / wrong])
        library.remove_tag("night", [drawn / missed])
        assert library.tag(night) == (TagCount("night", judged.photos, 1),)
        assert tagged(library, "night") == by_model
        named = {Path(hit.path).name: hit.tags for hit in library.search("tag:night", 100)}
        assert named.pop(wrong) == (PhotoTag("night", by_hand=True),)
        assert set(named.values()) == {(PhotoTag("night", by_hand=False),)}
        library.forget_checkpoint("mini")
        assert library.tags() == (TagCount("night", 1, 1),), "a person's word outlives it"


def test_json_tells_by_hand_from_judged(library: sigseek.Library, photos: Path, run: Run) -> None:
    photo, where = photos / "a" / "00.png", ("--library", library.directory)
    catalog = Catalog(library.directory)
    with catalog.transaction() as transaction:
        ids = catalog.embedded_ids(1)
        transaction.put_tag("judged", 1, ids, np.ones(len(ids)))
    catalog.close()
    run("tag", "--add", "given", photo, *where)
    run("tag", "--remove", "judged", photos / "b" / "01.png", *where)
    listed = run("tag", "--list", "--json", *where).stdout.splitlines()
    assert [json.loads(line) for line in listed] == [
        {"label": "given", "photos": 1, "by_hand": 1},
        {"label": "judged", "photos": 11, "by_hand": 0},
    ]
    found = run("similar", photo, "--self", "-n", 12, "--json", *where).stdout.splitlines()
    tags = {Path(hit["path"]).name: hit["tags"] for hit in map(json.loads, found)}
    assert tags["00.png"] == [
        {"name": "given", "by_hand": True},
        {"name": "judged", "by_hand": False},
    ]
    assert tags["01.png"] == []
    assert tags["02.png"] == [{"name": "judged", "by_hand": False}]


def test_tags_by_hand_live_with_the_photo(library: sigseek.Library, photos: Path) -> None:
    photo = photos / "a" / "00.png"
    library.add_tag("mine", [photo])
    save(photo, seed=0, exif=exif(ImageDescription="a description"))
    report = library.index()
    assert (report.changed, report.unchanged) == (1, 11)
    assert tagged(library, "mine") == {"00.png"}
    photo.rename(photos / "b" / "moved.png")
    library.index()
    assert tagged(library, "mine") == {"moved.png"}
    photos.rename(photos.with_name("elsewhere"))
    library.relocate(photos, photos.with_name("elsewhere"))
    (hit,) = library.search("tag:mine")
    assert (hit.path, hit.tags) == (
        str(photos.with_name("elsewhere") / "b" / "moved.png"),
        (PhotoTag("mine", by_hand=True),),
    )
    copy = photos.with_name("elsewhere") / "c" / "copy.png"
    shutil.copy(hit.path, copy)
    library.index()
    (hit,) = library.search("tag:mine")
    assert str(copy) in hit.copies


def test_an_edited_picture_keeps_them_and_another_one_in_its_place_gets_none(
    library: sigseek.Library, photos: Path
) -> None:
    one, two, three = (photos / "a" / f"{number:02}.png" for number in (0, 3, 6))
    library.add_tag("mine", [one, two])
    library.add_tag("theirs", [three])
    library.remove_tag("theirs", [one])
    save(one, seed=100)  # as another program that crops it
    two.unlink()
    three.rename(two)
    library.index()
    assert tagged(library, "mine") == {"00.png"}, "of the edited picture, not of the moved one"
    assert tagged(library, "theirs") == {"03.png"}
    catalog = Catalog(library.directory)
    with catalog.transaction() as transaction:
        transaction.put_tag("theirs", 1, catalog.embedded_ids(1), np.ones(11))
    catalog.close()
    assert "00.png" not in tagged(library, "theirs"), "that it was taken back is known, too"
    assert len(tagged(library, "theirs")) == 10


def test_pictures_of_two_folders_that_change_places_keep_their_own(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    save(other / "b.png", seed=90)
    library.index(other)
    library.add_tag("mine", [other / "b.png"])
    library.add_tag("theirs", [photos / "a" / "00.png"])
    aside = tmp_path / "aside.png"
    (photos / "a" / "00.png").rename(aside)
    (other / "b.png").rename(photos / "a" / "00.png")
    aside.rename(other / "b.png")
    library.index()
    assert tagged(library, "mine") == {"00.png"}
    assert tagged(library, "theirs") == {"b.png"}


def test_files_that_are_away_or_elsewhere(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    outside = Path(shutil.copy(photos / "c" / "02.png", tmp_path / "outside.png"))
    photos.rename(tmp_path / "unplugged")
    library.add_tag("mine", [photos / "a" / "00.png", outside])
    assert tagged(library, "mine") == {"00.png", "02.png"}


def test_what_is_refused(library: sigseek.Library, photos: Path, tmp_path: Path, run: Run) -> None:
    unknown = save(tmp_path / "new" / "unknown.png", seed=50)
    known, where = photos / "a" / "00.png", ("--library", library.directory)
    done = run("tag", "--add", "x", known, unknown, *where, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: {unknown} is not in the library (1 of 2 files are not), so nothing was changed; "
        f"add it first with: sigseek index --library {library.directory} {unknown.parent}\n"
    )
    (tmp_path / "t.sh").touch()
    done = run("tag", "--add", "x", tmp_path / "t.sh", *where, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: {tmp_path / 't.sh'} is no picture of the library, so nothing was changed; "
        "name photos that are in it\n",
    )
    assert library.tags() == ()
    for arguments, said in (
        (("--add", "x"), "Name the photos: --add NAME PHOTO..."),
        ((known,), "PHOTO goes with --add NAME or --remove NAME."),
        (("--label", "x", known), "PHOTO goes with --add NAME or --remove NAME."),
        (("--add", "x", "--list", known), "Use --list, --add or --remove alone, without labels."),
    ):
        done = run("tag", *arguments, *where, check=False)
        assert (done.returncode, said in done.stderr) == (2, True), arguments
    for arguments, said in (
        (("--add", " ", known), "an empty tag; write its name\n"),
        (("--add", "x", tmp_path / "nowhere.jpg"), "no file"),
        (("--add", "x", photos), "is a folder"),
        (("--remove", "x", known), "there is no tag 'x'"),
    ):
        done = run("tag", *arguments, *where, check=False)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    with pytest.raises(sigseek.QueryError, match="photos must be a list, and is"):
        library.add_tag("x", str(known))
    with pytest.raises(sigseek.QueryError, match="photos must be a list, and is"):
        library.add_tag("x", known)  # type: ignore[arg-type]
    assert library.tags() == ()


def test_a_library_of_an_older_program(tmp_path: Path) -> None:
    restore(min(path.stem for path in SCHEMAS.glob("*.sql") if path.stem >= "0007"), tmp_path / "l")
    with sigseek.open(tmp_path / "l") as library:
        before = library.tags()
        assert before
        assert {count.by_hand for count in before} == {0}
        library.add_tag("mine", ["/photos/winter/bicycle.jpg"])
        assert library.tags() == tuple(
            sorted((*before, TagCount("mine", 1, 1)), key=lambda count: count.label)
        )


def test_both_databases_keep_a_persons_word(
    open_catalog: Callable[[], Catalog], tmp_path: Path
) -> None:
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 4)
    ids = add_photos(catalog, checkpoint, random_unit(4, 4), tmp_path, list("abcd"))
    with catalog.transaction() as transaction:
        transaction.put_tag("cat", checkpoint.id, np.array(ids[:2]), np.ones(2))
        transaction.put_hand_tag("cat", [ids[0]], given=False)
        transaction.put_hand_tag("cat", [ids[1], ids[2]], given=True)
        transaction.put_hand_tag("dog", [], given=True)
    assert catalog.tagged("cat").tolist() == ids[1:3]
    assert (catalog.tags(), catalog.tags_by_hand()) == ({"cat": 2, "dog": 0}, {"cat": 2})
    assert catalog.count_tagged("cat") == (2, 2)
    with catalog.transaction() as transaction:
        transaction.put_tag("cat", checkpoint.id, np.array(ids), np.ones(4))
    assert catalog.tagged("cat").tolist() == ids[1:]
    assert catalog.count_tagged("cat") == (3, 2)
    found = catalog.photos(ids)
    assert [found[id_].tags for id_ in ids] == [
        (),
        (PhotoTag("cat", by_hand=True),),
        (PhotoTag("cat", by_hand=True),),
        (PhotoTag("cat", by_hand=False),),
    ]
    with catalog.transaction() as transaction:
        transaction.put_hand_tag("cat", [ids[3]], given=False)
        transaction.put_hand_tag("cat", [ids[0]], given=True)
    assert catalog.tagged("cat").tolist() == ids[:3], "the last word counts"
    with catalog.transaction() as transaction:
        transaction.remove_checkpoint(checkpoint.id)
    assert (catalog.tags(), catalog.tagged("cat").tolist()) == ({"cat": 3, "dog": 0}, ids[:3])
    with catalog.transaction() as transaction:
        transaction.remove_tag("cat")
    assert (catalog.tags(), catalog.tagged("cat").tolist()) == ({"dog": 0}, [])


def test_photos_that_turn_out_to_be_one_have_what_was_said_of_both(
    open_catalog: Callable[[], Catalog], tmp_path: Path
) -> None:
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 4)
    names = ["1.jpg", "2.jpg"]
    ids = add_photos(catalog, checkpoint, random_unit(2, 4), tmp_path, names)
    with catalog.transaction() as transaction:
        transaction.put_hand_tag("gull", ids[1:], given=True)
        transaction.put_hand_tag("sea", ids[:1], given=True)
        transaction.put_hand_tag("sea", ids[1:], given=False)
    digests = {hashlib.sha256(name.encode()).digest(): b"picture" for name in names}
    with catalog.transaction() as transaction:
        transaction.identify_photos(digests, 1)
    assert catalog.photos(ids)[ids[0]].tags == (
        PhotoTag("gull", by_hand=True),
        PhotoTag("sea", by_hand=True),
    )
