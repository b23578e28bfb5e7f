"""Paths as people type them: `~`, and both Unicode spellings of a name."""

import json
import os
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

import sigseek
from sigseek.evaluation.caption_files import read_captions
from sigseek.paths import spellings, typed_path
from tests.conftest import Run
from tests.silent_disks import silent_disk

NFC, NFD = (unicodedata.normalize(form, "Café Ångström") for form in ("NFC", "NFD"))


def both_ways(name: str) -> tuple[str, str]:
    return unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert typed_path("~/a") == tmp_path / "a"
    assert typed_path("~no such user/a") == Path("~no such user/a")


@pytest.mark.parametrize(("stored", "typed"), [(NFC, NFD), (NFD, NFC)])
def test_a_name_is_found_in_its_other_spelling(tmp_path: Path, stored: str, typed: str) -> None:
    (tmp_path / stored / stored).mkdir(parents=True)
    found = typed_path(tmp_path / typed / typed / "new.txt")
    assert found == tmp_path / stored / stored / "new.txt"
    (tmp_path / typed).mkdir()
    assert typed_path(tmp_path / typed) == tmp_path / typed, "what is there as typed comes first"


def test_a_name_that_is_in_no_spelling_there_stays(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert typed_path(tmp_path / NFC) == tmp_path / NFC
    assert typed_path(f"no/{NFD}/where") == Path(f"no/{NFD}/where")


def test_a_relative_name_stays_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NFD).mkdir()
    monkeypatch.chdir(tmp_path)
    assert typed_path(NFC) == Path(NFD)


def test_a_directory_that_may_not_be_read_is_no_obstacle(ordinary_folder: Path) -> None:
    closed = ordinary_folder / "closed"
    closed.mkdir()
    closed.chmod(0)
    assert typed_path(closed / NFC) == closed / NFC
    closed.chmod(0o700)


def test_a_path_on_a_disk_that_does_not_answer_stays_as_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / NFC).mkdir()
    with silent_disk(monkeypatch) as silent:
        silent.paths = {tmp_path / "drive"}
        assert typed_path(tmp_path / "drive" / NFC) == tmp_path / "drive" / NFC
        assert typed_path(tmp_path / NFD) == tmp_path / NFC


def test_spellings() -> None:
    names = list(spellings(Path("/é/ascii/é")))
    assert names[0] == Path("/é/ascii/é")
    assert {str(name) for name in names} == {
        f"/{first}/ascii/{second}" for first in both_ways("é") for second in both_ways("é")
    }
    assert list(spellings(Path("/ascii"))) == [Path("/ascii")]
    assert len(list(spellings(Path("/é" * 40)))) == 64, "not a number that grows without end"


@pytest.fixture(params=[(NFC, NFD), (NFD, NFC)])
def names(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The name of a folder and of a photo as they are stored, and as they are typed."""
    stored, typed = request.param
    return stored, typed


@pytest.fixture
def library(tmp_path: Path, drawn: Path, names: tuple[str, str]) -> Iterator[sigseek.Library]:
    stored, _ = names
    folder = tmp_path / stored
    (folder / stored).mkdir(parents=True)
    for number, photo in enumerate(sorted(drawn.glob("*.jpg"))[:3]):
        shutil.copy(photo, folder / stored / f"{number} {stored}.jpg")
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(folder)
        yield library


def test_every_door_takes_both_spellings(
    library: sigseek.Library, tmp_path: Path, names: tuple[str, str]
) -> None:
    stored, typed = names
    photo = tmp_path / typed / typed / f"0 {typed}.jpg"
    assert library.index(tmp_path / typed).unchanged == 3
    assert library.index(tmp_path / typed / typed).unchanged == 3
    assert len(library.status().folders) == 1
    assert len(library.similar(photo)) == 2
    assert len(library.search(f'photo:"{photo}"', include_all=True)) == 2
    assert len(library.search(f'photo:"{photo}"', include_all=True, include_self=True)) == 3
    (found,) = library.classify([photo], ["a house"])
    assert found.path == str(tmp_path / stored / stored / f"0 {stored}.jpg")
    embeddings, unusable = library.embed_photos([photo])
    assert (len(embeddings), unusable) == (1, {})
    with sigseek.open(tmp_path / typed / "own", model="mini") as other:
        assert other.directory == tmp_path / stored / "own"
    assert library.back_up(tmp_path / typed / "backup").parent == tmp_path / stored


def test_a_photo_of_an_unplugged_drive_is_found_in_both_spellings(
    library: sigseek.Library, tmp_path: Path, names: tuple[str, str]
) -> None:
    stored, typed = names
    (tmp_path / stored).rename(tmp_path / "unplugged")
    assert len(library.similar(tmp_path / typed / typed / f"0 {typed}.jpg")) == 2
    assert len(library.similar(tmp_path / stored / typed / f"0 {stored}.jpg")) == 2
    assert library.forgettable_files(tmp_path / typed) == 3
    moved = library.relocate(tmp_path / typed, tmp_path / "unplugged")
    assert (moved.old, moved.files) == (str(tmp_path / stored), 3)


def test_a_directory_that_is_gone_is_forgotten_in_both_spellings(
    library: sigseek.Library, tmp_path: Path, names: tuple[str, str]
) -> None:
    stored, typed = names
    (tmp_path / stored / "left").mkdir()
    shutil.rmtree(tmp_path / stored / stored)
    assert library.forget(tmp_path / typed / typed).files == 3


def test_captions_and_labels_name_files_in_both_spellings(
    library: sigseek.Library, tmp_path: Path, names: tuple[str, str], run: Run
) -> None:
    stored, typed = names
    captions = tmp_path / stored / "captions.jsonl"
    line = {"file": f"{typed}/0 {typed}.jpg", "caption": "a house"}
    captions.write_text(json.dumps(line))
    (picture,) = read_captions(tmp_path / typed / "captions.jsonl").pictures
    assert picture.path == tmp_path / stored / stored / f"0 {stored}.jpg"
    (tmp_path / stored / "labels.txt").write_text("a house\n")
    labels = tmp_path / typed / "labels.txt"
    run("tag", "--labels-file", labels, "--library", library.directory)
    assert [count.label for count in library.tags()] == ["a house"]


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).mkdir()
    assert typed_path(tmp_path / name) == tmp_path / name
    assert typed_path(tmp_path / "caf\xe9") == tmp_path / "caf\xe9"
