"""Arguments that a library cannot take: each is refused with its name, and nothing is changed."""

import inspect
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import sigseek
from sigseek import Library
from sigseek.errors import Call

ANY_PATH: dict[str, Callable[[Library, str], object]] = {
    "open": lambda _, path: sigseek.open(path, model="mini"),
    "index": lambda library, path: library.index(path),
    "preview": lambda library, path: library.preview(path),
    "watch": lambda library, path: library.watch(path),
    "copy_to": lambda library, path: library.copy_to(path),
    "back_up": lambda library, path: library.back_up(path),
    "relocate old": lambda library, path: library.relocate(path, "b"),
    "relocate new": lambda library, path: library.relocate("a", path),
    "forget": lambda library, path: library.forget(path),
    "forget keep": lambda library, path: library.forget("a", keep=[path]),
    "forgettable_files": lambda library, path: library.forgettable_files(path),
    "calibrate": lambda library, path: library.calibrate(path),
    "calibrate pictures": lambda library, path: library.calibrate("a", pictures=path),
    "similar": lambda library, path: library.similar(path),
    "thumbnail": lambda library, path: library.thumbnail(path),
    "thumbnail_of_file": lambda library, path: library.thumbnail_of_file(path),
    "add_tag": lambda library, path: library.add_tag("house", [path]),
    "not_duplicates": lambda library, path: library.not_duplicates([1, path]),
    "group_again": lambda library, path: library.group_again([1, path]),
    "duplicates": lambda library, path: library.duplicates(prefer=[path]),
    "classify": lambda library, path: library.classify([path], ["a house"]),
    "embed_photos": lambda library, path: library.embed_photos([path]),
    "named_photos": lambda library, path: library.search("photo:a", named_photos={"a": path}),
}
REFUSED: dict[str, Callable[[Library], object]] = {
    "3' is not a whole number; limit": lambda library: library.similar(1, limit="3"),  # type: ignore[arg-type]
    "None names no photo": lambda library: library.similar(None),  # type: ignore[arg-type]
    "1.5 is not a whole number; limit": lambda library: library.facets(limit=1.5),  # type: ignore[arg-type]
    "None is not a text; name": lambda library: library.add_tag(None, [1]),  # type: ignore[arg-type]
    "None is not a text; query": lambda library: library.layout(None),  # type: ignore[arg-type]
    "b'x' is not a text; name": lambda library: library.remove_tag(b"x"),  # type: ignore[arg-type]
    "1 is not a text; exclude": lambda library: library.index(exclude=[1]),  # type: ignore[list-item]
    "is not UTF-8": lambda library: library.index(exclude=["\ud800"]),
    "has a NUL character": lambda library: library.index(exclude=["\0"]),
    "5 is not a text; vectors": lambda library: library.index(vectors=5),  # type: ignore[arg-type]
    "5 is not a sigseek.Stop; stop": lambda library: library.search("a", stop=5),  # type: ignore[arg-type]
    "5 is not a sigseek.Listener": lambda library: library.search("a", listener=5),  # type: ignore[arg-type]
    "named_photos must": lambda library: library.search("photo:a", named_photos=5),  # type: ignore[arg-type]
    "template must be a text": lambda library: library.classify(["a"], ["b"], None),  # type: ignore[arg-type]
    "listener must": lambda library: sigseek.open("library", listener=5),  # type: ignore[arg-type]
    "5 is not a text; model": lambda library: sigseek.open("library", 5),  # type: ignore[arg-type]
    "the checkpoint's name is empty": lambda library: sigseek.open("library", ""),
    "'x' is not a number; debounce": lambda library: library.watch(debounce="x"),  # type: ignore[arg-type]
    "nan seconds cannot be waited; debounce": lambda library: library.watch(debounce=float("nan")),
    "-1 seconds cannot be waited; rescan": lambda library: library.watch(rescan=-1),
    "of 0 pixels cannot be made; ask": lambda library: library.thumbnail_of_file("a", 0),
    "1.5 is not a whole number; size": lambda library: library.thumbnail_of_file("a", 1.5),  # type: ignore[arg-type]
    "photos must be a list, and is 5": lambda library: library.classify(5, ["a"]),  # type: ignore[arg-type]
    "this size is outside": lambda library: library.search("a", min_probability=10**400),
    "nan is not a whole number": lambda library: library.limit_thumbnails(float("nan")),  # type: ignore[arg-type]
    "1.5 is not a whole number; at": lambda library: library.complete("a", 1.5),  # type: ignore[arg-type]
    "-1 characters cannot": lambda library: library.complete("a", -1),
    "None is not a text; sort": lambda library: library.list_photos(sort=None),  # type: ignore[arg-type]
}


@pytest.fixture(scope="module")
def library(mini_library: Path) -> Library:
    """Return a library that no test of this file changes."""
    return sigseek.open(mini_library, model="mini", precision="fp32", device="cpu")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("call", ANY_PATH)
def test_an_empty_path_is_not_the_current_directory(
    library: Library, tmp_path: Path, call: str
) -> None:
    folders = library.folders()
    with pytest.raises(sigseek.SigseekError, match=r"the path is empty|is not the path of a photo"):
        ANY_PATH[call](library, "")
    assert library.folders() == folders
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("call", ANY_PATH)
@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_a_name_that_no_file_can_have(library: Library, call: str, path: str) -> None:
    with pytest.raises(sigseek.SigseekError, match="can be the name of no file; check the name"):
        ANY_PATH[call](library, path)


@pytest.mark.parametrize("call", ANY_PATH)
def test_what_is_not_a_path(library: Library, call: str) -> None:
    with pytest.raises(sigseek.SigseekError, match=r"^1\.5 (is not|names no) "):
        ANY_PATH[call](library, 1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("said", REFUSED)
def test_a_value_of_a_wrong_type(library: Library, said: str) -> None:
    with pytest.raises(sigseek.SigseekError) as raised:
        REFUSED[said](library)
    assert said in str(raised.value)


@pytest.mark.parametrize("argument", ["stop", "listener"])
def test_what_is_no_token_and_no_listener_is_refused_everywhere(
    library: Library, argument: str
) -> None:
    having = [
        name
        for name, method in inspect.getmembers(Library, inspect.isfunction)
        if not name.startswith("_") and argument in inspect.signature(method).parameters
    ]
    assert len(having) > 15
    for name in having:
        with pytest.raises(sigseek.QueryError, match=f"^5 is not a sigseek.* {argument} must be"):
            getattr(library, name)(**{argument: 5})


@pytest.mark.parametrize("name", ["nope.jpg", ".", "a" * 5000])
def test_a_file_that_gives_no_thumbnail(library: Library, name: str) -> None:
    with pytest.raises(sigseek.DecodeError, match=r"cannot be used \(cannot be read: "):
        library.thumbnail_of_file(name)


def test_what_iterators_and_numpy_give_is_taken(library: Library) -> None:
    assert library.embed_texts(iter(["a house", "a car"])).shape[0] == 2  # type: ignore[arg-type]
    assert len(library.embed_texts({"a house"})) == 1  # type: ignore[arg-type]
    assert len(library.classify_known(iter([1]), iter(["a house"]))) == 1  # type: ignore[arg-type]
    first = library.search("a", 1, include_all=True, offset=np.int64(1))  # type: ignore[call-overload]
    assert first == library.search("a", 1, include_all=True, offset=1)
    assert library.list_photos(np.int64(2)).next_page == library.list_photos(2).next_page


def test_a_library_that_is_removed_while_it_is_open_is_not_made_again(
    mini_library: Path, tmp_path: Path
) -> None:
    directory = Path(shutil.copytree(mini_library, tmp_path / "library"))
    with sigseek.open(directory, model="mini", precision="fp32", device="cpu") as library:
        library.search("a house")
        shutil.rmtree(directory)
        calls: list[Callable[[], object]] = [
            lambda: library.search("a house"),
            library.status,
            library.index,
            lambda: library.index(tmp_path),
            lambda: library.add_tag("house", [1]),
        ]
        for call in calls:
            with pytest.raises(sigseek.LibraryError) as raised:
                call()
            assert raised.value.kind == "not found", raised.value
            assert "is gone" in str(raised.value) or "there is no library" in str(raised.value)
            assert not directory.exists()


def test_what_preview_and_index_refuse_can_be_caught(tmp_path: Path) -> None:
    library = sigseek.open(tmp_path / "library", model="mini")
    with pytest.raises(sigseek.FolderError, match="there is no folder"):
        library.preview(tmp_path / "nope")
    with pytest.raises(sigseek.SystemFolderError):
        library.index("/")


def test_advice_about_another_checkpoint_is_a_call_that_exists() -> None:
    advice = str(Call("index", options=(("model", "a/b"), ("reread", True))))
    assert advice == "sigseek.open(LIBRARY, model='a/b').index(reread=True)"
