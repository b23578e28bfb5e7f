"""Photos that are there more than once: what is found, what to keep, what a person says."""

import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.MpoImagePlugin import MpoImageFile

import sigseek
from benchmarks.photographs import ATTACKS, come_in, tripod_shot
from sigseek import DuplicateGroup
from sigseek.answers import DUPLICATES_LEGEND
from sigseek.search.duplicates import sketch_rows
from sigseek.search.duplicates.close_look import CloseLook
from sigseek.search.duplicates.results import DuplicateKind
from sigseek.search.duplicates.sketch_rows import KeptLevels, read_levels, read_rows
from sigseek.storage import Catalog
from tests.catalogs import add_checkpoint, add_photos, random_unit
from tests.conftest import Run
from tests.listeners import Heard
from tests.photos import exif, photograph

SIZE = (480, 360)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        options = {"quality": 95} | options
    image.save(path, **options)  # type: ignore[arg-type]
    return path


def names(groups: Sequence[DuplicateGroup], kind: str = "near") -> set[frozenset[str]]:
    """Return the groups of this kind, each as the names of its files."""
    return {
        frozenset(Path(photo.path).name for photo in group.photos)
        for group in groups
        if group.kind == kind
    }


def kept(group: DuplicateGroup) -> tuple[str, str | None]:
    """Return the name of the file to keep, and why."""
    assert [photo.keep for photo in group.photos] == [True] + [False] * (len(group.photos) - 1)
    assert [photo.why for photo in group.photos[1:]] == [None] * (len(group.photos) - 1)
    return Path(group.photos[0].path).name, group.photos[0].why


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of photographs. Each but the last is there twice, the second time changed in one
    way; the last four are two shots each of two scenes.
    """
    place = tmp_path_factory.mktemp("attacked")
    for number, attack in enumerate(ATTACKS.values()):
        image = photograph(number, SIZE)
        save(place / "photos" / f"{number:02}.jpg", image)
        save(place / "photos" / f"{number:02} again.png", attack(image))
    for seed in (100, 101):
        for moved in (0, 40):
            image = photograph(seed, SIZE, moved)
            save(place / "photos" / f"shot {seed} {moved}.jpg", image)
    with sigseek.open(place / "library", model="mini", precision="fp32") as library:
        library.index(place / "photos")
    return place / "library"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "photos"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[sigseek.Library]:
    with sigseek.open(tmp_path / "library", model="mini", precision="fp32") as library:
        yield library


def test_every_form_of_a_shot_is_found_and_no_other_photo(attacked: Path) -> None:
    with sigseek.open(attacked) as library:
        found = library.duplicates(kinds=["near"])
    expected = {
        name: frozenset({f"{number:02}.jpg", f"{number:02} again.png"})
        for number, name in enumerate(ATTACKS)
    }
    assert {name for name, group in expected.items() if group not in names(found)} == set()
    assert names(found) == set(expected.values())
    assert found.photos == 2 * len(ATTACKS) + 4


def test_other_shots_of_a_scene_are_alike_at_most(attacked: Path) -> None:
    with sigseek.open(attacked) as library:
        found = library.duplicates()
    assert not any("shot" in name for group in names(found) for name in group)
    assert {path for path in map(str, found.others()) if "shot" in path} == set()
    copied = {photo.id for group in found if group.kind == "near" for photo in group.photos[1:]}
    of_alike = {photo.id for group in found if group.kind == "alike" for photo in group.photos}
    assert of_alike
    assert not copied & of_alike, "alike are the photos to keep, each once"


def test_near_photos_are_the_same_whether_alike_ones_are_asked_for_or_not(attacked: Path) -> None:
    with sigseek.open(attacked) as library:
        assert names(library.duplicates(kinds=["near"])) == names(library.duplicates())


def test_the_second_answer_is_the_first(attacked: Path) -> None:
    with sigseek.open(attacked) as library:
        assert library.duplicates() == library.duplicates()


def test_identical_files_and_names_of_one_file(library: sigseek.Library, photos: Path) -> None:
    one = save(photos / "a.jpg", photograph(1, SIZE))
    os.link(one, photos / "a link.jpg")
    symbolic = photos / "0.jpg"
    symbolic.symlink_to(one.name)
    shutil.copy(one, photos / "b.jpg")
    with_words = photos / "c.jpg"
    with_words.write_bytes(one.read_bytes() + b"after the end")
    for number, path in enumerate((one, photos / "b.jpg", with_words)):
        os.utime(path, (1_000_000_000 + number,) * 2)
    only = save(photos / "d.jpg", photograph(2, SIZE))
    os.link(only, photos / "d link.jpg")
    library.index(photos)
    (group,) = library.duplicates()
    assert group.kind == "identical"
    assert [Path(photo.path).name for photo in group.photos] == ["a.jpg", "b.jpg", "c.jpg"]
    assert kept(group) == ("a.jpg", "oldest")
    assert group.photos[0].copies == (str(symbolic), str(photos / "a link.jpg"))
    assert group.photos[1].copies == ()
    assert {(photo.distance, photo.cosine) for photo in group.photos} == {(0, 1.0)}
    others = [Path(photo.path).name for photo in library.duplicates().others()]
    assert others == ["b.jpg", "c.jpg"], "never a further name of the file to keep"
    os.utime(only, (5, 5))
    assert len(library.duplicates()) == 1, "names of one file, though it was changed since"


def reasons() -> Iterator[tuple[str, Callable[[Path], None], str, str]]:
    """Yield cases: a name, what makes the files, the file to keep, and why."""
    image = photograph(5, SIZE)

    def pixels(photos: Path) -> None:
        save(photos / "a.jpg", image.resize((240, 180)))
        save(photos / "b.jpg", image, quality=60)

    def frame(photos: Path) -> None:
        save(photos / "a.png", ATTACKS["border 20%"](image))
        save(photos / "b.jpg", image)

    def crop(photos: Path) -> None:
        save(photos / "a.jpg", ATTACKS["crop 5%"](image))
        save(photos / "b.jpg", image)

    def original(photos: Path) -> None:
        save(photos / "a.webp", image, quality=80)
        save(photos / "b.jpg", image)

    def metadata(photos: Path) -> None:
        save(photos / "a.jpg", image, quality=90)
        save(photos / "b.jpg", image, quality=70, exif=exif(Model="A1"))

    def size(photos: Path) -> None:
        save(photos / "a.jpg", image, quality=50)
        save(photos / "b.jpg", image, quality=90)

    def in_bin(photos: Path) -> None:
        save(photos / "Papierkorb" / "a.jpg", image, quality=95)
        save(photos / "b.jpg", image, quality=60)

    yield "pixels", pixels, "b.jpg", "most pixels"
    yield "frame", frame, "b.jpg", "without a frame"
    yield "crop", crop, "b.jpg", "most pixels"
    yield "original", original, "b.jpg", "original format"
    yield "metadata", metadata, "b.jpg", "most metadata"
    yield "size", size, "b.jpg", "largest file"
    yield "bin", in_bin, "b.jpg", "not in a bin"


@pytest.mark.parametrize(
    ("make", "keep", "why"), [case[1:] for case in reasons()], ids=[case[0] for case in reasons()]
)
def test_which_to_keep_and_why(
    make: Callable[[Path], None],
    keep: str,
    why: str,
    library: sigseek.Library,
    photos: Path,
) -> None:
    make(photos)
    library.index(photos)
    (group,) = library.duplicates(kinds=["near"])
    assert (group.kind, *kept(group)) == ("near", keep, why)
    assert len(group.photos) == 2


def test_a_preferred_folder(library: sigseek.Library, photos: Path) -> None:
    save(photos / "large" / "a.jpg", photograph(1, SIZE))
    save(photos / "small" / "b.jpg", photograph(1, SIZE).resize((240, 180)))
    shutil.copy(photos / "large" / "a.jpg", photos / "small" / "c.jpg")
    library.index(photos)
    near, identical = (
        library.duplicates(kinds=[kind], prefer=[photos / "small"])[0]
        for kind in ("near", "identical")
    )
    assert kept(identical) == ("c.jpg", "in the preferred folder")
    assert kept(near) == ("c.jpg", "most pixels"), "both have a file there"
    assert near.photos[0].copies == (str(photos / "large" / "a.jpg"),)
    assert kept(library.duplicates(kinds=["near"], prefer=[photos / "large"])[0]) == (
        "a.jpg",
        "in the preferred folder",
    )


@pytest.mark.parametrize("kind", ["identical", "near"])
@pytest.mark.parametrize("gone", ["missing", "changed"])
def test_the_last_file_is_never_offered_for_one_that_is_gone(
    kind: DuplicateKind, gone: str, library: sigseek.Library, photos: Path
) -> None:
    """Neither a preferred folder nor a bin makes up for a file that is not there."""
    image = photograph(1, SIZE)
    lost = save(photos / "preferred" / "a.jpg", image, quality=80)
    save(photos / "Papierkorb" / "b.jpg", image, quality=80 if kind == "identical" else 60)
    library.index(photos)
    lost.unlink()
    if gone == "changed":
        save(lost, photograph(2, SIZE))
    found = library.duplicates(kinds=[kind], prefer=[photos / "preferred"])
    assert kept(found[0]) == ("b.jpg", "there now")
    assert found.others() == ()


def test_a_preferred_folder_does_not_make_up_for_damage(
    library: sigseek.Library, photos: Path
) -> None:
    whole = save(photos / "b.jpg", photograph(1, SIZE), quality=95)
    data = whole.read_bytes()
    cut = photos / "preferred" / "a.jpg"
    cut.parent.mkdir()
    cut.write_bytes(data[: len(data) - 200])
    library.index(photos)
    (group,) = library.duplicates(kinds=["near"], prefer=[photos / "preferred"])
    assert kept(group) == ("b.jpg", "not damaged")


def test_a_preferred_folder_is_found_by_other_names_of_it(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    """A mistyped folder must not change silently which files are offered."""
    save(photos / "a" / "first.jpg", photograph(1, SIZE))
    (photos / "b").mkdir()
    shutil.copy(photos / "a" / "first.jpg", photos / "b" / "second.jpg")
    library.index(photos)
    assert kept(library.duplicates()[0])[0] == "first.jpg"
    (tmp_path / "link").symlink_to(photos / "b")
    for name in (tmp_path / "link", photos / "a" / ".." / "b", photos / "b"):
        found = library.duplicates(prefer=[name])
        assert kept(found[0]) == ("second.jpg", "in the preferred folder"), name
    with pytest.raises(sigseek.SigseekError, match=f"no photo of this library is in {photos}/c"):
        library.duplicates(prefer=[photos / "b", photos / "c"])


@pytest.mark.parametrize("name", ["b.gif", "b.tif", "b.webp", "b.png", "b.avif"])
def test_a_file_of_several_pictures_is_no_copy_of_its_first_one(
    library: sigseek.Library, photos: Path, name: str
) -> None:
    image = photograph(1, SIZE)
    save(photos / "a.jpg", image)
    image.save(photos / name, save_all=True, append_images=[photograph(2, SIZE)])
    library.index(photos)
    found = library.duplicates()
    assert [group.kind for group in found] == ["alike"]
    assert found.others() == ()
    image.save(photos / name)
    library.index(photos)
    assert names(library.duplicates()) == {frozenset({"a.jpg", name})}, "now it holds one"


def test_the_preview_in_a_file_makes_it_no_file_of_several_pictures(
    library: sigseek.Library, photos: Path
) -> None:
    image = photograph(1, SIZE)
    save(photos / "a.jpg", image)
    image.save(photos / "b.mpo", save_all=True, append_images=[image.resize((240, 180))])
    library.index(photos)
    assert names(library.duplicates()) == {frozenset({"a.jpg", "b.mpo"})}


@pytest.mark.parametrize("kind", [0x020001, 0x020002, 0x020003])
def test_an_mpo_with_what_the_other_eye_sees_is_no_copy_of_a_picture(
    library: sigseek.Library, photos: Path, kind: int
) -> None:
    image = photograph(1, SIZE)
    file = photos / "b.mpo"
    save(photos / "a.jpg", image)
    image.save(file, save_all=True, append_images=[photograph(2, SIZE)])
    with Image.open(file) as opened:
        assert isinstance(opened, MpoImageFile)
        entry = struct.pack("<LL", 0, opened.mpinfo[0xB002][1]["Size"])
    content = file.read_bytes()
    assert content.count(entry) == 1
    file.write_bytes(content.replace(entry, struct.pack("<L", kind) + entry[4:]))
    library.index(photos)
    found = library.duplicates()
    assert [group.kind for group in found] == ["alike"]
    assert found.others() == ()


def test_pairs_that_only_embeddings_lead_to_are_alike(
    library: sigseek.Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two crops from a corner look like one shot, but no hash leads from one to the other."""
    image = photograph(1, SIZE)
    save(photos / "a.jpg", image.crop((0, 0, 384, 288)))
    save(photos / "b.jpg", image.crop((0, 0, 288, 216)))
    for seed in range(20, 30):  # how near usual photos are, two forms of one do not show
        save(photos / f"{seed}.jpg", photograph(seed, SIZE))
    library.index(photos)
    found = library.duplicates()
    assert names(found, "near") == set()
    assert names(found, "alike") == {frozenset({"a.jpg", "b.jpg"})}
    assert found.others() == ()
    catalog = Catalog(library.directory)
    pair = sorted(photo.id for photo in found[0].photos)
    rows = read_rows(catalog, catalog.photos_with_files(), sigseek.Stop())
    look = CloseLook(catalog, rows, np.array(pair))
    assert look.same_shot(np.array([pair])).tolist() == [True], "near, if a hash had led to it"
    monkeypatch.setattr(sketch_rows, "_MOST_KEPT", 5)
    kept = KeptLevels(catalog, rows)
    for some in ([3, 1, 0], [0, 7, 3, 9], [8, 1, 9], []):
        wanted = np.array(some, np.int64)
        assert (kept.of(wanted) == read_levels(catalog, rows, wanted)).all()
    catalog.close()


def test_what_a_person_parted_stays_apart(library: sigseek.Library, photos: Path) -> None:
    image = photograph(1, SIZE)
    one = save(photos / "a.jpg", image)
    two = save(photos / "b.jpg", image, quality=50)
    three = save(photos / "c.jpg", image.resize((240, 180)))
    library.index(photos)
    assert names(library.duplicates()) == {frozenset({"a.jpg", "b.jpg", "c.jpg"})}
    assert library.not_duplicates([three, one]) == 1
    assert library.not_duplicates([one, three]) == 1, "to say it twice is to say it once"
    assert names(library.duplicates()) == {frozenset({"a.jpg", "b.jpg"})}
    three.rename(photos / "d.jpg")
    library.index(photos, reread=True)
    assert names(library.duplicates()) == {frozenset({"a.jpg", "b.jpg"})}
    save(two, image, quality=51)
    save(photos / "d.jpg", image.resize((230, 172)))  # an edit, which keeps what was said
    library.index(photos)
    assert names(library.duplicates()) == {frozenset({"a.jpg", "b.jpg"})}
    (photos / "d.jpg").unlink()
    library.index(photos)
    save(photos / "d.jpg", image.resize((200, 150)))  # an edit while the file was away
    library.index(photos)
    assert names(library.duplicates()) == {frozenset({"a.jpg", "b.jpg"})}
    assert library.not_duplicates([one, two, photos / "d.jpg"]) == 3
    assert len(library.duplicates(kinds=["near", "alike"])) == 0
    assert library.group_again([two, one]) == 1
    assert library.group_again([one, two]) == 0, "it was taken back before"
    assert names(library.duplicates()) == {frozenset({"a.jpg", "b.jpg"})}
    assert library.group_again([one, two, photos / "d.jpg"]) == 2
    assert names(library.duplicates()) == {frozenset({"a.jpg", "b.jpg", "d.jpg"})}


def test_what_was_said_of_a_photo_waits_for_folders_that_a_run_left_out(
    library: sigseek.Library, photos: Path
) -> None:
    image = photograph(1, SIZE)
    one = save(photos / "here" / "a.jpg", image)
    two = save(photos / "here" / "b.jpg", image, quality=50)
    save(photos / "there" / "c.jpg", photograph(2, SIZE))
    library.index(photos / "here", photos / "there")
    library.not_duplicates([one, two])
    one.rename(photos / "there" / "a.jpg")
    save(one, photograph(3, SIZE))
    library.index(photos / "here")  # which does not find the photo, nor a file at its old path
    library.index()
    assert names(library.duplicates()) == set()


def test_two_shots_by_their_times_are_no_copies(library: sigseek.Library, photos: Path) -> None:
    image = photograph(1, SIZE)
    taken = exif(DateTimeOriginal="2021:07:03 18:05:09")
    save(photos / "a.jpg", image, exif=taken)
    save(photos / "a small.jpg", image.resize((240, 180)), exif=taken)
    save(photos / "a sent.jpg", image, quality=50)
    save(photos / "b.jpg", image, quality=90, exif=exif(DateTimeOriginal="2021:07:03 18:05:10"))
    for seed in range(2, 6):  # how near usual photos are, four forms of one do not show
        save(photos / f"{seed}.jpg", photograph(seed, SIZE))
    library.index(photos)
    found = library.duplicates()
    assert names(found) == {frozenset({"a.jpg", "a small.jpg", "a sent.jpg"})}
    assert names(found, "alike") == {frozenset({"a.jpg", "b.jpg"})}


def test_a_shot_into_which_a_thing_has_come_is_offered_to_nobody(
    library: sigseek.Library, photos: Path
) -> None:
    """A tripod holds the camera, and no EXIF tells the times."""
    shot, chance = photograph(1, SIZE), np.random.default_rng(0)
    save(photos / "a.jpg", shot)
    save(photos / "a small.jpg", shot.resize((240, 180)))
    save(photos / "b.jpg", tripod_shot(come_in(shot, photograph(9, SIZE), 1 / 8, chance), chance))
    for seed in range(2, 8):  # how near usual photos are, forms of one do not show
        save(photos / f"{seed}.jpg", photograph(seed, SIZE))
    library.index(photos)
    found = library.duplicates()
    assert names(found) == {frozenset({"a.jpg", "a small.jpg"})}
    assert names(found, "alike") == {frozenset({"a.jpg", "b.jpg"})}
    assert [Path(photo.path).name for photo in found.others()] == ["a small.jpg"]


def test_paths_of_other_shots_are_printed_only_if_asked_for(
    library: sigseek.Library, photos: Path, run: Run
) -> None:
    image = photograph(1, SIZE)
    taken = exif(DateTimeOriginal="2021:07:03 18:05:09")
    save(photos / "a.jpg", image, exif=taken)
    save(photos / "a small.jpg", image.resize((240, 180)), exif=taken)
    save(photos / "b.jpg", image, quality=90, exif=exif(DateTimeOriginal="2021:07:03 18:05:10"))
    for seed in (2, 3, 4, 5):  # what is usual depends on other photos
        save(photos / f"{seed}.jpg", photograph(seed, SIZE))
    library.index(photos)
    copy, other_shot = str(photos / "a small.jpg"), str(photos / "b.jpg")
    paths = ("duplicates", "--paths", "--library", library.directory)
    both = ("--kind", "near", "--kind", "alike")
    assert run(*paths).stdout.splitlines() == [copy]
    assert run(*paths, "--kind", "alike").stdout.splitlines() == [other_shot]
    assert run(*paths, *both).stdout.splitlines() == [copy, other_shot]
    found = library.duplicates()
    assert [photo.path for photo in found.others()] == [copy]
    assert [photo.path for photo in found.others(["near", "alike"])] == [copy, other_shot]


def test_only_what_a_query_selects_is_compared(library: sigseek.Library, photos: Path) -> None:
    for seed in (1, 2):
        save(photos / f"{seed}.jpg", photograph(seed, SIZE))
        save(photos / f"{seed} again.jpg", photograph(seed, SIZE), quality=40)
    library.index(photos)
    library.add_tag("mine", [photos / "1.jpg", photos / "1 again.jpg", photos / "2.jpg"])
    found = library.duplicates("tag:mine")
    assert (found.photos, names(found)) == (3, {frozenset({"1.jpg", "1 again.jpg"})})
    assert library.duplicates(within="tag:mine") == found
    assert library.duplicates("tag:mine", within="width:<2").photos == 0
    with pytest.raises(sigseek.UnknownTagError):
        library.duplicates("tag:theirs")


def test_a_query_without_a_photo_gets_no_note_on_photos(
    library: sigseek.Library, photos: Path
) -> None:
    save(photos / "a.jpg", photograph(1, SIZE))
    library.index(photos)
    notes = [note if isinstance(note, str) else note.text for note in library.duplicates("x").notes]
    assert not [note for note in notes if "names no photo" in note]


def test_a_path_with_a_line_break_is_never_printed_as_two(
    library: sigseek.Library, photos: Path, tmp_path: Path, run: Run
) -> None:
    for name in ("a.jpg", "b.jpg", "c\n.jpg"):
        save(photos / name, photograph(1, SIZE))
    library.index(photos)
    where = ("duplicates", "--library", tmp_path / "library")
    for photo in photos.iterdir():
        os.utime(photo, ns=(10**18, 10**18))
    library.index(photos)
    lines = run(*where, "--paths")
    assert lines.stdout == f"{photos}/b.jpg\n"
    assert "left out: 1 path with a line break; --print0 prints all" in lines.stderr
    assert run(*where, "--print0").stdout == f"{photos}/b.jpg\0{photos}/c\n.jpg\0"


def test_plain_pictures_are_no_duplicates(library: sigseek.Library, photos: Path) -> None:
    for number, level in enumerate((250, 252, 254)):
        save(photos / f"{number}.png", Image.new("RGB", SIZE, (level,) * 3))
    library.index(photos)
    assert names(library.duplicates()) == set()


def test_one_photo_and_none(library: sigseek.Library, photos: Path) -> None:
    photos.mkdir()
    library.index(photos)
    with pytest.raises(sigseek.LibraryError):
        library.duplicates()
    only = save(photos / "a.jpg", photograph(1, SIZE))
    library.index()
    assert (len(library.duplicates()), library.duplicates().photos) == (0, 1)
    only.unlink()
    library.index(accept_missing=True)
    assert library.duplicates().photos == 0


def test_files_that_are_away_or_changed_are_not_offered(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    image = photograph(1, SIZE)
    save(photos / "a.jpg", image)
    save(tmp_path / "drive" / "b.jpg", image, quality=50)
    changed = save(photos / "c.jpg", image, quality=40)
    library.index(photos, tmp_path / "drive")
    (tmp_path / "drive").rename(tmp_path / "unplugged")
    save(changed, photograph(2, SIZE))
    (group,) = library.duplicates(kinds=["near"])
    assert {Path(photo.path).name: photo.available for photo in group.photos} == {
        "a.jpg": True,
        "b.jpg": False,
        "c.jpg": False,
    }
    assert library.duplicates().others() == ()


def test_the_command_and_what_it_prints(attacked: Path, run: Run) -> None:
    where = ("--library", attacked)
    shown = run("duplicates", "--kind", "near", *where).stdout
    count = len(ATTACKS)
    assert shown.startswith(f"{count} near groups among {2 * count + 4} photos; {count} copies")
    assert shown.count("  keep  ") == count
    lines = run("duplicates", "--json", "--kind", "near", *where).stdout.splitlines()
    groups = [json.loads(line) for line in lines]
    assert len(groups) == count
    for group in groups:
        assert group["kind"] == "near"
        for photo in group["photos"]:
            assert list(photo) == [
                "id", "path", "copies", "width", "height", "bytes", "taken_at", "keep", "why",
                "distance", "cosine", "available",
            ]  # fmt: skip
            assert photo["bytes"] == Path(photo["path"]).stat().st_size
    others = [photo["path"] for group in groups for photo in group["photos"] if not photo["keep"]]
    printed = run("duplicates", "--paths", *where)
    assert printed.stdout.splitlines() == others
    assert run("duplicates", "--print0", *where).stdout == "".join(f"{path}\0" for path in others)


def test_a_page_of_the_groups(attacked: Path, tmp_path: Path, run: Run) -> None:
    page = tmp_path / "page.html"
    done = run("duplicates", "--kind", "near", "--html", page, "--library", attacked)
    assert done.stderr == f"written: {page}\n\n{DUPLICATES_LEGEND}\n"
    html = page.read_text()
    assert html.count("<h2>near</h2>") == html.count("✓ keep</span>") == len(ATTACKS)
    assert html.count('src="data:image/jpeg;base64,') == 2 * len(ATTACKS)
    assert f"<title>{len(ATTACKS)} near groups among {2 * len(ATTACKS) + 4} photos; " in html


def test_the_command_keeps_photos_apart(attacked: Path, tmp_path: Path, run: Run) -> None:
    library = shutil.copytree(attacked, tmp_path / "library")
    photos, where = attacked.parent / "photos", ("--library", library)
    done = run("duplicates", "--not", photos / "00.jpg", photos / "00 again.png", *where)
    assert done.stdout == "1 pair kept apart from now on\n"
    shown = run("duplicates", "--kind", "near", *where).stdout
    assert shown.startswith(f"{len(ATTACKS) - 1} near groups")
    assert "00 again.png" not in shown
    done = run("duplicates", "--again", photos / "00 again.png", photos / "00.jpg", *where)
    assert done.stdout == "1 pair no longer kept apart\n"
    shown = run("duplicates", "--kind", "near", *where).stdout
    assert shown.startswith(f"{len(ATTACKS)} near groups")


def test_what_is_refused(attacked: Path, run: Run, tmp_path: Path) -> None:
    photos, where = attacked.parent / "photos", ("--library", attacked)
    one, unknown = photos / "00.jpg", save(tmp_path / "new.jpg", photograph(50, SIZE))
    for arguments, status, said in (
        (("--not", one), 2, "Use --not alone, with the files of two photos or more"),
        (("--again", one), 2, "Use --again alone, with the files of two photos or more"),
        (("--not", "--again", one, one), 2, "Use --not alone"),
        (("--again", one, unknown), 1, "is not in the library (1 of 2 files are not)"),
        (("--not", one, one, "--json"), 2, "Use --not alone"),
        (("--paths", "--json"), 2, "not both"),
        (("--kind", "equal"), 2, "'equal' is not one of"),
        (("--not", one, one), 1, "fewer than two photos were named"),
        (("--not", one, unknown), 1, "is not in the library (1 of 2 files are not)"),
        (("--not", one, one, "--tag", "x"), 2, "Use --not alone"),
        (("--in", photos, "--tag", "nothing"), 1, "there is no tag 'nothing'"),
    ):
        done = run("duplicates", *arguments, *where, check=False)
        assert (done.returncode, said in done.stderr) == (status, True), done.stderr
    with sigseek.open(attacked) as library:
        with pytest.raises(sigseek.QueryError, match="no kind of duplicates called 'equal'"):
            library.duplicates(kinds=["equal"])  # type: ignore[list-item]
        with pytest.raises(sigseek.QueryError, match="kinds must be a list"):
            library.duplicates(kinds="near")  # type: ignore[arg-type]
        with pytest.raises(sigseek.QueryError, match="photos must be a list"):
            library.not_duplicates(str(one))


def test_a_stop_ends_it_and_progress_is_told(attacked: Path) -> None:
    heard, stop = Heard(), sigseek.Stop()
    with sigseek.open(attacked) as library:
        library.duplicates(listener=heard)
        done = [progress.done for progress in heard.progress]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, 2 * len(ATTACKS) + 4)
        stop.set()
        with pytest.raises(sigseek.StoppedError):
            library.duplicates(stop=stop)


def test_both_databases_keep_pairs_apart(
    open_catalog: Callable[[], Catalog], tmp_path: Path
) -> None:
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 4)
    ids = add_photos(catalog, checkpoint, random_unit(4, 4), tmp_path, list("abcd"))
    with catalog.transaction() as transaction:
        transaction.put_distinct_pairs([(ids[1], ids[0]), (ids[0], ids[1]), (ids[2], ids[2])])
        transaction.put_distinct_pairs([(ids[0], ids[2])])
    assert catalog.distinct_pairs() == {(ids[0], ids[1]), (ids[0], ids[2])}
    with catalog.transaction() as transaction:
        assert transaction.remove_distinct_pairs([(ids[1], ids[0]), (ids[1], ids[2])]) == 1
        assert catalog.distinct_pairs() == {(ids[0], ids[1]), (ids[0], ids[2])}, "not yet"
    assert catalog.distinct_pairs() == {(ids[0], ids[2])}
    with catalog.transaction() as transaction:
        transaction.put_distinct_pairs([(ids[0], ids[1])])
    with catalog.transaction() as transaction:
        folder = catalog.folders()[0]
        transaction.remove_files(folder.id, ["b"])
        transaction.remove_photos_without_files()
    assert catalog.distinct_pairs() == {(ids[0], ids[2])}
