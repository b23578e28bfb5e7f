"""Several checkpoints in one library."""

import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Timer

import pytest

import sigseek
from sigseek.errors import ErrorKind
from sigseek.operations.default_checkpoint import checkpoint_to_search
from sigseek.progress import Progress, Silence, Stop
from sigseek.storage import Catalog, LibraryError
from tests.catalogs import add_checkpoint, add_photos, random_unit
from tests.conftest import Run
from tests.conversions import save_converted_tiny
from tests.indexed import indexed, save_photos
from tests.listeners import Heard
from tests.open_library import opened
from tests.photos import save


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_photos(tmp_path / "photos")


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> sigseek.Library:
    return indexed(tmp_path / "library", photos)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another checkpoint."""
    return save_converted_tiny(tmp_path_factory.mktemp("checkpoint") / "tiny")


def test_a_second_checkpoint_is_the_librarys_as_soon_as_it_has_a_photo(
    photos: Path, library: sigseek.Library, tiny: Path, run: Run
) -> None:
    with sigseek.open(library.directory, model=str(tiny)) as other:
        other.index(photos / "a")
        said = "has embedded 4 photos so far, others here 12; to go on with it: "
        with pytest.warns(UserWarning, match=said + r"sigseek\.open\(LIBRARY, model='") as warned:
            found = other.search("a red house", limit=100, include_all=True)
        assert len(found) == 4
        assert str(found.notes[0]) == str(warned[0].message)
        assert warned[0].filename == __file__, "where the library was called"
    where = ("--library", library.directory)
    go_on = f"sigseek index --library {library.directory} --model {tiny}"
    note = f"note: this answer is of {tiny}, which {said}{go_on}\n"
    assert note in run("search", "a red house", *where).stderr
    save(photos / "new.png", seed=70)
    assert note in run("similar", photos / "new.png", *where).stderr
    with sigseek.open(library.directory) as plain:
        report = plain.index()
        assert (report.model, report.added, report.unchanged) == (str(tiny), 9, 4)
        found = plain.search("a red house", limit=100, include_all=True)
        assert len(found) == 13
        assert found.notes[0] == f"this answer is of {tiny}; the library also has mini (12 photos)"
    named = run("search", "a red house", "--model", "mini", *where)
    assert "answer is of mini, which has embedded 12 photos so far, others here 13" in named.stderr
    status = run("status", *where).stdout.splitlines()
    (searched,) = [line for line in status if line.endswith("(default for searches)")]
    assert searched.startswith(f"checkpoint  {tiny}: 13 of 13 photos")


def test_index_watch_and_search_go_on_with_the_one_that_was_named(
    photos: Path, library: sigseek.Library, tiny: Path, run: Run
) -> None:
    where = ("--library", library.directory)
    run("index", "--model", tiny, *where)
    save(photos / "a" / "new.png", seed=70)
    assert json.loads(run("index", "--json", *where).stdout)["model"] == str(tiny)
    stop = Stop()
    with sigseek.open(library.directory) as watching:
        save(photos / "a" / "newer.png", seed=71)
        for event in watching.watch(stop=stop):
            assert event.report is not None
            assert (event.report.model, event.report.added) == (str(tiny), 1)
            stop.set()
    with sigseek.open(library.directory) as plain:
        assert plain.checkpoint.name == str(tiny)
        assert len(plain.search("a red house", limit=100, include_all=True)) == 14


def test_a_library_that_is_open_goes_on_with_one_that_another_process_named(
    photos: Path, library: sigseek.Library, tiny: Path, run: Run
) -> None:
    library.close()
    with sigseek.open(library.directory) as plain:
        new = save(photos.parent / "outside.png", seed=80)
        assert len(plain.similar(new, 100)) == 12
        run("index", photos / "a", "--model", tiny, "--library", library.directory)
        with pytest.warns(UserWarning, match="has embedded 4 photos so far, others here 12"):
            assert len(plain.similar(new, 100)) == 4, "by the one that was named"
        assert plain.checkpoint.name == str(tiny)
        assert plain.index().model == str(tiny)
        assert len(plain.similar(new, 100)) == 12
        assert plain.checkpoint_notes == (
            f"this answer is of {tiny}; the library also has mini (12 photos)",
        )


def test_a_process_that_only_searches_goes_over_to_the_one_that_was_named(
    photos: Path, library: sigseek.Library, tiny: Path, run: Run
) -> None:
    library.close()
    everything = {"limit": 100, "include_all": True}
    with sigseek.open(library.directory) as plain:
        by_mini = plain.search("a red house", **everything)
        run("index", "--model", tiny, "--library", library.directory)
        by_tiny = plain.search("a red house", **everything)
        assert plain.checkpoint.name == str(tiny)
        run("index", "--model", "mini", "--library", library.directory)
        assert plain.search("a red house", **everything) == by_tiny, "mini never wins a tie"
    with sigseek.open(library.directory) as fresh:
        assert fresh.search("a red house", **everything) == by_tiny
    with sigseek.open(library.directory, model="mini") as named:
        again = named.search("a red house", **everything)
    assert [hit.score for hit in again] == [hit.score for hit in by_mini]
    assert [hit.score for hit in by_mini] != [hit.score for hit in by_tiny]


def test_duplicates_are_told_by_the_checkpoint_that_was_named(
    library: sigseek.Library, tiny: Path, run: Run
) -> None:
    library.close()
    with sigseek.open(library.directory) as plain:
        plain.search("a red house")
        run("index", "--model", tiny, "--library", library.directory)
        found = plain.duplicates()
        assert plain.checkpoint.name == str(tiny)
    assert found.notes == (f"this answer is of {tiny}; the library also has mini (12 photos)",)


def test_one_that_cannot_be_loaded_takes_no_ones_place(
    photos: Path, library: sigseek.Library, tmp_path: Path, run: Run
) -> None:
    library.close()
    away = save_converted_tiny(tmp_path / "tiny")
    with sigseek.open(library.directory) as plain:
        before = plain.search("a red house", limit=100, include_all=True)
        run("index", "--model", away, "--library", library.directory)
        away.rename(tmp_path / "away")
        after = plain.search("a red house", limit=100, include_all=True)
    assert after.hits == before.hits
    assert after.notes[0] == f"this answer is of mini; the library also has {away} (12 photos)"


def test_threads_get_whole_answers_while_the_checkpoint_changes(
    photos: Path, library: sigseek.Library, tiny: Path, tmp_path: Path, run: Run
) -> None:
    """Another process removes the checkpoint in use and adds it again, while four threads ask."""
    library.close()
    second = save_converted_tiny(tmp_path / "second", seed=1)
    run("index", "--model", second, "--library", library.directory)

    def ask(open_library: sigseek.Library) -> tuple[float, ...]:
        return tuple(hit.score for hit in open_library.search("a red house", 100, include_all=True))

    with sigseek.open(library.directory) as plain:
        right = {ask(plain)}
        with sigseek.open(library.directory, model="mini") as mini:
            right.add(ask(mini))
        stop = Event()

        def keep_asking() -> set[tuple[float, ...]]:
            found = set()
            while not stop.is_set():
                found.add(ask(plain))
            return found

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(keep_asking) for _ in range(4)]
            try:
                run("forget", "--model", second, "--yes", "--library", library.directory)
                run("index", "--model", second, "--library", library.directory)
            finally:
                stop.set()
            found = set().union(*(one.result() for one in asking))
    assert {len(scores) for scores in found} == {12}
    assert found == right


def test_a_run_that_was_interrupted_before_its_first_photo(
    photos: Path, library: sigseek.Library, tiny: Path
) -> None:
    stop = Stop()
    stop.set()
    with sigseek.open(library.directory, model=str(tiny)) as other:
        assert other.index(stop=stop).stopped
    with sigseek.open(library.directory) as plain:
        found = plain.search("a red house", limit=100, include_all=True)
        assert len(found) == 12
        assert found.notes[0] == f"this answer is of mini; the library also has {tiny} (0 photos)"
        assert plain.index().model == str(tiny)
        assert plain.search("a red house").notes[0] == (
            f"this answer is of {tiny}; the library also has mini (12 photos)"
        )


def test_of_two_with_equal_coverage_the_last_named_answers_and_never_mini(
    photos: Path, library: sigseek.Library, tiny: Path, tmp_path: Path
) -> None:
    second = save_converted_tiny(tmp_path / "second", seed=1)
    for named, answers in ((tiny, tiny), (second, second), (tiny, tiny), ("mini", tiny)):
        with sigseek.open(library.directory, model=str(named)) as other:
            other.index()
        with sigseek.open(library.directory) as plain:
            assert {one.embeddings for one in plain.status().checkpoints} == {12}
            assert plain.checkpoint.name == str(answers)
    with sigseek.open(library.directory) as plain:
        searched = [one.model for one in plain.status().checkpoints if one.searched]
        assert searched == [str(tiny)]


@pytest.mark.parametrize(
    ("embeddings", "named", "searched"),
    [
        ({"first": 0, "second": 1}, None, "second"),
        ({"first": 2, "second": 1}, None, "first"),
        ({"first": 1, "second": 1}, "first", "first"),
        ({"first": 1, "second": 1, "mini": 1}, "mini first", "first"),
        ({"first": 1, "second": 2, "mini": 3}, "mini first", "mini"),
        ({"first": 1, "second": 2}, "removed first", "first"),
        ({"first": 1, "second": 1}, None, "second"),
        ({"first": 1, "mini": 1}, None, "first"),
        ({"first": 1, "mini": 2}, None, "mini"),
        ({"first": 2, "second": 1}, "second", "second"),
        ({"first": 2, "second": 0}, "second", "first"),
        ({"first": 2, "second": 1}, "removed", "first"),
        ({"first": 1, "mini": 1}, "mini", "first"),
        ({"first": 1, "mini": 2}, "mini", "mini"),
        ({"first": 0, "second": 0}, "first", "first"),
        ({}, "removed", None),
    ],
)
def test_which_checkpoint_is_searched(
    tmp_path: Path, embeddings: dict[str, int], named: str | None, searched: str | None
) -> None:
    catalog = Catalog(tmp_path)
    for name, count in embeddings.items():
        checkpoint = add_checkpoint(catalog, 4, name)
        files = [f"{name}{number}.jpg" for number in range(count)]
        add_photos(catalog, checkpoint, random_unit(count, 4), tmp_path, files)
    if named:
        with catalog.transaction() as transaction:
            transaction.put_named_checkpoints([(name, "p") for name in named.split()])
    found = checkpoint_to_search(catalog)
    catalog.close()
    assert (found.name if found else None) == searched


def test_named_checkpoints_are_kept_by_both_databases(
    open_catalog: Callable[[], Catalog],
) -> None:
    catalog = open_catalog()
    assert catalog.named_checkpoints() == []
    for named in ([("one", "p")], [("another", "q"), ("one", "p")]):
        with catalog.transaction() as transaction:
            transaction.put_named_checkpoints(named)
        assert catalog.named_checkpoints() == named
    assert catalog.max_pixels() is None


def test_a_checkpoint_that_was_removed(
    photos: Path, library: sigseek.Library, tmp_path: Path, run: Run
) -> None:
    tiny = save_converted_tiny(tmp_path / "tiny")
    where = ("--library", library.directory)
    run("index", "--model", tiny, *where)
    tiny.rename(tmp_path / "away")
    for command in (("search", "a red house"), ("index",), ("similar", photos / "a" / "00.png")):
        refused = run(*command, *where, check=False)
        assert (refused.returncode, refused.stdout) == (1, ""), command
        assert refused.stderr == (
            f"error: the library's checkpoint cannot be used: '{tiny}' is neither a directory nor "
            "a hub id; make it available again, or use another that the library has: "
            "--model mini\n"
        )
    run("search", "a red house", "--model", "mini", *where)
    (tmp_path / "away").rename(tiny)
    with sigseek.open(library.directory) as plain:
        assert len(plain.search("a red house", limit=100, include_all=True)) == 12
        run("forget", "--model", tiny, "--yes", *where)
        assert len(plain.search("a red house", limit=100, include_all=True)) == 12
        assert plain.checkpoint.name == "mini"
    with (
        sigseek.open(library.directory, model=str(tiny)) as named,
        pytest.raises(sigseek.LibraryError, match="was made with mini, not with "),
    ):
        named.search("a red house")
    done = run("search", "a red house", *where)
    assert "this answer is of" not in done.stderr, "mini is the only one again"
    assert json.loads(run("index", "--json", *where).stdout)["model"] == "mini"


def test_in_the_place_of_a_checkpoint_that_was_removed_the_next_one_is_named(
    library: sigseek.Library, tmp_path: Path, run: Run
) -> None:
    names = [save_converted_tiny(tmp_path / "tiny"), save_converted_tiny(tmp_path / "second", 1)]
    for name in names:
        run("index", "--model", name, "--library", library.directory)
    names[1].rename(tmp_path / "away")
    refused = run("search", "a red house", "--library", library.directory, check=False)
    assert refused.stderr.endswith(f"another that the library has: --model {names[0]}\n")


def test_mini_says_once_that_it_knows_only_its_own_drawings(
    drawn: Path, tmp_path: Path, run: Run
) -> None:
    where = ("--library", tmp_path / "library")
    note = (
        "mini knows only its own drawings, so what it finds in photographs means nothing; "
        "index once with: "
        f"sigseek index --library {tmp_path / 'library'} --model google/siglip-base-patch16-224\n"
    )
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(drawn / "scene-00000.jpg", folder)
    shutil.copy(drawn / "scene-00001.jpg", folder)
    assert "mini knows" not in run("index", folder, *where, "--model", "mini").stderr
    save(folder / "photograph.png", seed=1)
    save(folder / "another.png", seed=2)
    assert run("index", *where).stderr.count(note) == 1
    assert "mini knows" not in run("index", *where).stderr, "nothing new"
    heard = Heard()
    with sigseek.open(tmp_path / "library", listener=heard) as library:
        for number in (3, 4):
            save(folder / f"{number}.png", seed=number)
            library.index()
    assert len([line for line in heard.lines if line.startswith("mini knows")]) == 1


def test_answers_of_mini_about_photographs_say_that_it_knows_none(
    library: sigseek.Library, photos: Path, mini_library: Path, drawn: Path, run: Run
) -> None:
    library.close()
    where = ("--library", library.directory)
    note = (
        "note: mini knows only its own drawings, so what it finds in photographs means nothing; "
        "index once with: "
        f"sigseek index --library {library.directory} --model google/siglip-base-patch16-224"
    )
    photo = photos / "a" / "00.png"
    for command in (
        ("search", "a house"),
        ("search", f"photo:{photo}"),
        ("similar", photo),
        ("tag", "--label", "a house"),
    ):
        assert note in run(*command, *where).stderr.splitlines(), command
    classified = run("classify", photo, "--label", "a house", *where).stderr
    assert classified.splitlines() == [
        "note: mini knows only its own drawings, so its numbers for photographs mean nothing; for "
        "these: --model google/siglip-base-patch16-224"
    ]
    assert "mini knows" not in run("search", 'tag:"a house"', *where).stderr, (
        "no checkpoint is used"
    )
    drawings = ("--library", mini_library)
    for command in (("search", "a house"), ("similar", drawn / "scene-00007.jpg")):
        assert "mini knows" not in run(*command, *drawings).stderr


def test_an_answer_has_its_own_note_and_has_it_once(mini_library: Path) -> None:
    with opened(mini_library) as library, ThreadPoolExecutor(1) as pool:
        library.checkpoint.state_to_query()
        pool.submit(library.checkpoint.note_classifying).result()
        assert library.checkpoint.notes == (), "of another thread's answer"
        for camera in ("Canon EOS 7D", "NIKON D90"):
            library.checkpoint.note_mini(camera)
        pool.submit(library.checkpoint.state_to_query).result()
        assert [str(note)[:10] for note in library.checkpoint.notes] == ["mini knows"]


def test_tag_and_classify_say_which_checkpoint_they_used(
    photos: Path, library: sigseek.Library, tiny: Path, run: Run
) -> None:
    library.close()
    where = ("--library", library.directory)
    run("index", photos / "a", "--model", tiny, *where)
    note = (
        f"note: this answer is of {tiny}, which has embedded 4 photos so far, others here 12; "
        f"to go on with it: sigseek index --library {library.directory} --model {tiny}\n"
    )
    assert note in run("tag", "--label", "a house", *where).stderr
    assert note in run("classify", photos / "a" / "00.png", "--label", "a house", *where).stderr


def test_a_checkpoint_that_was_away_for_a_moment_is_asked_again(library: sigseek.Library) -> None:
    lacking = LibraryError("the library was made with another", "index", ErrorKind.NOT_FOUND)
    asked: list[int] = []

    def question(failures: int) -> str:
        asked.append(failures)
        if len(asked) <= failures:
            raise lacking
        return "answer"

    assert library._opened.answer(lambda: question(1)) == "answer"
    assert len(asked) == 2
    asked.clear()
    with pytest.raises(LibraryError):
        library._opened.answer(lambda: question(3))
    assert len(asked) == 2, "a library that goes on lacking it is not asked for ever"


@pytest.mark.parametrize("raises", [False, True])
def test_an_answer_from_the_middle_of_a_change_is_asked_for_again(
    mini_library: Path, tmp_path: Path, raises: bool
) -> None:
    """While another thread goes over to another checkpoint, an answer may be of both."""
    loading, go_on = Event(), Event()

    class Slow(Silence):
        def advanced(self, progress: Progress) -> None:
            loading.set()
            go_on.wait(30)

    asked = []
    with (
        opened(mini_library, None, Slow()) as library,
        ThreadPoolExecutor(2) as pool,
    ):
        assert library.model.checkpoint.name == "mini"

        def question() -> int:
            asked.append(None)
            if len(asked) == 1:
                pool.submit(library.model.texts)
                assert loading.wait(30)
                # It has to wait for the text tower, which the thread above loads.
                pool.submit(library.model._change_to, "another")
                while library.model._checkpoint.is_loaded:
                    time.sleep(0.01)
                Timer(0.2, go_on.set).start()
                if raises:
                    raise AssertionError("the dimensions differ")
            return len(asked)

        assert library.answer(question) == 2
