"""One string in the place of a list of strings, which Python would take for a list of letters."""

import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import sigseek
from sigseek import Label, Library
from tests.databases import Databases

pytestmark = pytest.mark.both_databases

_CALLS: dict[str, Callable[[Library], object]] = {
    "tag(labels)": lambda library: library.tag("house"),
    "tag(Label)": lambda library: library.tag(Label("house")),  # type: ignore[arg-type]
    "add_tag(photos)": lambda library: library.add_tag("house", "a.jpg"),
    "remove_tag(photos)": lambda library: library.remove_tag("house", "a.jpg"),
    "classify(photos)": lambda library: library.classify("a.jpg", ["a house"]),
    "classify(path)": lambda library: library.classify(Path("a.jpg"), ["a house"]),  # type: ignore[arg-type]
    "classify(labels)": lambda library: library.classify(["a.jpg"], "house"),
    "classify_known(photo_ids)": lambda library: library.classify_known("17", ["a house"]),  # type: ignore[arg-type]
    "classify_known(labels)": lambda library: library.classify_known([17], "house"),
    "photos(ids)": lambda library: library.photos("17"),  # type: ignore[arg-type]
    "pictures(ids)": lambda library: library.pictures("17"),  # type: ignore[arg-type]
    "colors(ids)": lambda library: library.colors("17"),  # type: ignore[arg-type]
    "duplicates(prefer)": lambda library: library.duplicates(prefer="photos"),
    "duplicates(kinds)": lambda library: library.duplicates(kinds="near"),
    "not_duplicates(photos)": lambda library: library.not_duplicates("a.jpg"),
    "group_again(photos)": lambda library: library.group_again("a.jpg"),
    "embed_photos(photos)": lambda library: library.embed_photos("a.jpg"),
    "embed_texts(texts)": lambda library: library.embed_texts("house"),
    "index(exclude)": lambda library: library.index("photos", exclude="*.png"),
    "index(include)": lambda library: library.index("photos", include="*.png"),
    "preview(exclude)": lambda library: list(library.preview("photos", exclude="*.png")),
    "preview(include)": lambda library: list(library.preview("photos", include="*.png")),
    "forget(keep)": lambda library: library.forget("photos", keep="photos/a"),
    "forgettable_files(keep)": lambda library: library.forgettable_files("photos", keep="a"),
}


@pytest.mark.parametrize("call", _CALLS)
def test_a_string_is_not_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    with (
        sigseek.open("library", model="mini") as library,
        pytest.raises(
            sigseek.SigseekError, match=r"^\w+ must be a list, and is .*; put it in brackets"
        ),
    ):
        _CALLS[call](library)
    assert not (tmp_path / "library").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [("\ud83d cat", r"the text '\\ud83d cat' is not UTF-8"), (3, "3 is not a text; texts must be")],
)
def test_texts_that_no_tower_reads(tmp_path: Path, text: str, said: str) -> None:
    library = sigseek.open(tmp_path / "none", model="mini")
    with pytest.raises(sigseek.QueryError, match=said):
        library.embed_texts(["a house", text])


def test_a_query_that_no_tower_reads(mini_library: Path) -> None:
    with sigseek.open(mini_library, model="mini") as library:
        for query in ("caf\udce9", "\ud83d cat"):  # a byte, and one half of an emoji
            with pytest.raises(sigseek.QueryError, match="the query is not UTF-8; type it again"):
                library.search(query)


def test_what_is_given_is_repeated_in_short(tmp_path: Path) -> None:
    library = sigseek.open(tmp_path, model="mini")
    with pytest.raises(sigseek.QueryError) as raised:
        library.embed_texts("house " * 100)
    assert len(str(raised.value)) < 150


def test_every_argument_that_takes_a_list_is_tried() -> None:
    taken = {
        f"{name}({argument})"
        for name, method in vars(Library).items()
        if name[0] != "_" and callable(method)
        for argument, parameter in inspect.signature(method).parameters.items()
        if str(parameter.annotation).startswith("Sequence[")
    }
    assert taken <= set(_CALLS)
    assert len(taken) > 8


def test_numbers_of_numpy_name_photos(
    mini_library: Path, tmp_path: Path, databases: Databases
) -> None:
    copy, ids = databases.copy(mini_library, tmp_path / "library"), np.array([2, 1])
    with sigseek.open(copy, model="mini", precision="fp32", device="cpu") as library:
        assert [photo.id for photo in library.photos(ids)] == [2, 1]  # type: ignore[arg-type]
        assert set(library.pictures(ids)) == set(library.colors(ids)) == {1, 2}  # type: ignore[arg-type]
        first = ids[1]
        assert library.original_file(first) == library.original_file(1)
        assert library.files_of_photo(first) == library.files_of_photo(1)
        assert library.thumbnail(first).digest == library.thumbnail(1).digest
        assert library.similar(first, 3) == library.similar(1, 3)
        assert library.add_tag("both", ids).photos == 2  # type: ignore[arg-type]
        assert library.not_duplicates(ids) == 1  # type: ignore[arg-type]
        assert len(library.classify_known(ids, ["a house"])) == 2  # type: ignore[arg-type]
        with pytest.raises(sigseek.QueryError, match=r"1\.5 is no photo's number"):
            library.photos([1.5])  # type: ignore[list-item]
