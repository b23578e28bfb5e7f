"""Several checkpoints in one library."""

from pathlib import Path

import pytest

import sigseek
from tests.checkpoints import save_tiny
from tests.conftest import Run
from tests.indexed import indexed, save_photos
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
    return save_tiny(tmp_path_factory.mktemp("tiny"))


def test_a_second_checkpoint_beside_the_first_is_resumable_and_searched_when_it_has_more(
    photos: Path, library: sigseek.Library, tiny: Path, run: Run
) -> None:
    with sigseek.open(library.directory, model=str(tiny)) as other:
        other.index(photos / "a")
        said = "has embedded 4 photos so far, others here 12; to go on with it: "
        with pytest.warns(UserWarning, match=said + r"library\.index\(model='") as warned:
            found = other.search("a red house", limit=100, include_all=True)
        assert len(found) == 4
        assert str(found.notes[0]) == str(warned[0].message)
    done = run("search", "a red house", "--library", library.directory, "--model", tiny)
    go_on = f"sigseek index --library {library.directory} --model {tiny}"
    assert f"{said}{go_on}\n" in done.stderr
    alike = ("similar", photos / "new.png", "--library", library.directory, "--model", tiny)
    save(photos / "new.png", seed=70)
    assert f"{said}{go_on}\n" in run(*alike).stderr
    with sigseek.open(library.directory) as plain:
        assert plain.checkpoint.name == "mini"
        assert len(plain.search("a red house", limit=100, include_all=True)) == 12
    with sigseek.open(library.directory, model=str(tiny)) as other:
        report = other.index()
        assert (report.added, report.unchanged) == (9, 4)
    with sigseek.open(library.directory) as plain:
        assert plain.checkpoint.name == str(tiny), "it has embedded more now"
