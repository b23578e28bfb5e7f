"""The Python API of README.md."""

import shutil
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

import sigseek
from tests.checkpoints import copy_mini, save_tiny
from tests.conversions import save_converted_tiny
from tests.photos import save

pytestmark = pytest.mark.both_databases(milvus=True)


def test_index_search_similar(tmp_path: Path, drawn: Path) -> None:
    with sigseek.open(tmp_path / "library", model="mini") as library:
        report = library.index(drawn)
        assert (report.added, report.failed, report.device) == (40, 0, "cpu")
        hits = library.search("at night", limit=3)
        assert [hit.rank for hit in hits] == [1, 2, 3]
        assert hits[0].score >= hits[1].score >= hits[2].score > 0
        alike = library.similar(hits[0].path, limit=40)
        assert len(alike) == 39
        assert hits[0].path not in [hit.path for hit in alike]
        with pytest.raises(FrozenInstanceError):
            hits[0].score = 1.0  # type: ignore[misc]
        assert library.status().photos == 40
        assert library.failures() == []


def test_nothing_is_made_before_index(tmp_path: Path) -> None:
    library = sigseek.open(tmp_path / "library", model="mini")
    for ask in (library.status, library.failures, lambda: library.search("x"), library.index):
        with pytest.raises(sigseek.LibraryError, match="no library at"):
            ask()
    assert list(tmp_path.iterdir()) == []


def test_one_except_for_all(tmp_path: Path) -> None:
    with pytest.raises(sigseek.SigseekError):
        sigseek.open(tmp_path, model="mini").search(" ")
    with pytest.raises(sigseek.SigseekError):
        sigseek.open(tmp_path / "library", model="mini").index(tmp_path / "nowhere")


def test_a_second_checkpoint(tmp_path: Path, drawn: Path) -> None:
    tiny = save_converted_tiny(tmp_path / "tiny")
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(drawn)
        first = library.search("a house", limit=40, include_all=True).hits
    with sigseek.open(tmp_path / "library", model=str(tiny)) as library:
        assert library.index(drawn).added == 40
        second = library.search("a house", limit=40, include_all=True).hits
        assert [hit.cosine for hit in second] != [hit.cosine for hit in first]
    with sigseek.open(tmp_path / "library", model="mini") as library:
        assert library.search("a house", limit=40, include_all=True).hits == first
    with sigseek.open(tmp_path / "library") as library:
        assert library.search("a house", limit=40, include_all=True).hits == second, (
            "the checkpoint that was last named to index is the library's own"
        )
        assert [checkpoint.embeddings for checkpoint in library.status().checkpoints] == [40, 40]


def test_a_checkpoint_whose_files_changed_is_not_taken_for_the_librarys(
    tmp_path: Path, drawn: Path
) -> None:
    directory = copy_mini(tmp_path / "mini")
    with sigseek.open(tmp_path / "library", model=str(directory)) as library:
        library.index(drawn)
    shutil.rmtree(directory)
    save_tiny(tmp_path / "tiny").rename(directory)
    with (
        sigseek.open(tmp_path / "library") as library,
        pytest.raises(sigseek.LibraryError, match="as it is now"),
    ):
        library.search("a house")


def test_a_long_query_warns(tmp_path: Path, drawn: Path) -> None:
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(drawn)
        with pytest.warns(
            UserWarning, match="the query has 200 words and the model reads 64 tokens"
        ):
            found = library.search("house " * 200, include_all=True)
        assert len(found) == 10
        assert [str(note).split(";")[0] for note in found.notes] == [
            "the query has 200 words and the model reads 64 tokens",
            'with only 40 photos, "match" and "no match" are less reliable',
        ]


def test_a_closer_look_at_photos_that_are_away_says_that_it_did_nothing(tmp_path: Path) -> None:
    for number in range(4):
        save(tmp_path / "photos" / f"{number}.jpg", seed=number)
    note = "closer=3 did nothing, because none of the best photos' files can be read now"
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(tmp_path / "photos")
        found = library.search("a house", include_all=True, closer=3)
        assert note not in map(str, found.notes)
        (tmp_path / "photos").rename(tmp_path / "away")
        found = library.search("a house", include_all=True, closer=3)
        assert note in map(str, found.notes)
        assert len(found) == 4


def test_an_argument_about_a_photo_that_the_query_does_not_name_does_nothing(
    tmp_path: Path, drawn: Path
) -> None:
    note = "include_self=True does nothing, because the query names no photo"
    photo = drawn / "scene-00003.jpg"
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(drawn)
        assert note in map(str, library.search("a house", include_self=True).notes)
        assert note not in map(str, library.search("a house").notes)
        found = library.search(f'photo:"{photo}" AND at night', include_self=True)
        assert note not in map(str, found.notes)


def test_photos_added_while_the_library_is_open_are_found(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    with sigseek.open(tmp_path / "library", model="mini") as reader:
        for number in range(12):
            save(photos / f"{number}.jpg", seed=number)
            with sigseek.open(tmp_path / "library", model="mini") as writer:
                writer.index(photos)
            assert len(reader.search("anything", limit=50, include_all=True)) == number + 1


def test_a_library_beside_the_photos_is_not_searched_for_photos(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a.jpg")
    with sigseek.open(tmp_path / "photos" / ".sigseek", model="mini") as library:
        assert library.index(tmp_path / "photos").scanned == 1
        assert library.index(tmp_path / "photos").scanned == 1


def test_importing_is_light(tmp_path: Path) -> None:
    heavy = {"torch", "transformers", "numpy", "faiss", "sqlalchemy"}
    code = f"import sys, sigseek; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout.strip() == ""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sigseek.nothing  # noqa: B018
    for name in sigseek.__all__:
        assert getattr(sigseek, name) is not None


def test_a_checkpoint_that_embedded_nothing_is_not_the_librarys(
    tmp_path: Path, drawn: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with sigseek.open(tmp_path / "library", model=str(save_tiny(tmp_path / "tiny"))) as library:
        library.index(tmp_path / "empty")
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(drawn)
    with sigseek.open(tmp_path / "library") as library:
        assert len(library.search("a house", include_all=True)) == 10


@pytest.mark.sqlite_only("it looks for the file of the catalog")
def test_a_library_path_with_odd_characters(tmp_path: Path, drawn: Path) -> None:
    with sigseek.open(tmp_path / "a?b#c%20d", model="mini") as library:
        library.index(drawn)
        assert (tmp_path / "a?b#c%20d" / "catalog.sqlite").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a?b#c%20d"]


def test_nothing_to_classify(tmp_path: Path) -> None:
    with pytest.raises(sigseek.QueryError, match="no photo"):
        sigseek.open(tmp_path, model="mini").classify([], ["a house"])


@pytest.mark.faiss_only("it looks for the file")
def test_indexing_leaves_an_index_file_of_the_newest_generation(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a.jpg", seed=1)
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(tmp_path / "photos")
        (first,) = (library.directory / "index").glob("*.faiss")
        first.unlink()
        library.index(tmp_path / "photos")
        assert list(first.parent.glob("*.faiss")) == [first], "made again, though nothing was added"
        made = first.stat()
        save(tmp_path / "photos" / "b.jpg", seed=2)
        library.index(tmp_path / "photos")
        (second,) = first.parent.glob("*.faiss")
        assert second != first
        second.write_bytes(b"left by an older generation")
        second.rename(first)  # as after a run that was killed before its end
        library.index(tmp_path / "photos")
        assert list(first.parent.glob("*.faiss")) == [second]
        assert second.stat().st_size > made.st_size
        assert len(library.search("anything", include_all=True)) == 2


def test_what_another_process_changed_is_seen(tmp_path: Path, drawn: Path) -> None:
    from sigseek.search.calibration import Calibration
    from sigseek.storage import Catalog

    directory = tmp_path / "library"
    with sigseek.open(directory, model="mini") as library:
        library.index(drawn)
        before = library.search("at night", 1)[0]
        other = Catalog(directory)
        with other.transaction() as transaction:
            transaction.put_calibration(
                1, Calibration(0.5, -1.0, 1.0, -0.4, -3.0, 40, 40).as_json()
            )
        other.close()
        after = library.search("at night", 1)[0]
        assert after.score == before.score
        assert after.probability != before.probability
