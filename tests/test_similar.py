"""Photos that look like a given one: the neighbours and cosines are the model's own."""

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import sigseek
from sigseek.operations import similar
from sigseek.operations.opened import OpenedLibrary
from sigseek.search.results import SimilarHit
from tests.open_library import opened
from tests.photos import save

pytestmark = pytest.mark.both_databases(milvus=True)

Vectors = dict[Path, npt.NDArray[np.float32]]


def find_similar(library: OpenedLibrary, photo: Path, limit: int) -> list[SimilarHit]:
    return similar.find_similar(library, photo, limit, include_self=False)


def cosines(vectors: Vectors, photo: Path) -> dict[str, float]:
    """Return the cosine of each other photo to this one."""
    return {
        str(other): float(vector @ vectors[photo])
        for other, vector in vectors.items()
        if other != photo
    }


@pytest.mark.parametrize("name", ["scene-00000.jpg", "scene-00023.jpg"])
def test_the_neighbours_are_those_of_the_model(
    name: str, mini_library: Path, drawn: Path, drawn_vectors: Vectors
) -> None:
    right = cosines(drawn_vectors, drawn / name)
    with opened(mini_library) as library:
        hits = find_similar(library, drawn / name, 39)
    assert {hit.path: hit.cosine for hit in hits} == pytest.approx(right, abs=3e-4)
    assert [hit.rank for hit in hits] == list(range(1, 40))
    assert [hit.cosine for hit in hits] == sorted((hit.cosine for hit in hits), reverse=True)
    assert all(hit.available for hit in hits)


def test_the_first_answer_and_the_next_ones_are_the_same(mini_library: Path, drawn: Path) -> None:
    with opened(mini_library) as library:
        assert not library.searcher.is_loaded
        cold = find_similar(library, drawn / "scene-00001.jpg", 5)
        assert library.searcher.is_loaded
        assert find_similar(library, drawn / "scene-00001.jpg", 5) == cold


def test_a_copy_elsewhere_finds_the_photo_and_then_its_neighbours(
    mini_library: Path, drawn: Path, tmp_path: Path
) -> None:
    photo = drawn / "scene-00002.jpg"
    copy = Path(shutil.copy(photo, tmp_path / "copy.jpg"))
    with opened(mini_library) as library:
        itself, *others = find_similar(library, copy, 40)
        neighbours = find_similar(library, photo, 40)
    assert (itself.path, itself.rank) == (str(photo), 1)
    assert itself.cosine == pytest.approx(1, abs=1e-3)
    assert [(hit.path, hit.cosine) for hit in others] == [
        (hit.path, hit.cosine) for hit in neighbours
    ]


def test_a_photo_of_the_library_is_found_by_a_smaller_version_of_it(
    mini_library: Path, drawn: Path, tmp_path: Path
) -> None:
    from PIL import Image

    with Image.open(drawn / "scene-00003.jpg") as image:
        image.reduce(2).save(tmp_path / "small.png")
    with opened(mini_library) as library:
        hits = find_similar(library, tmp_path / "small.png", 2)
    assert hits[0].path == str(drawn / "scene-00003.jpg")
    assert hits[0].cosine > 0.95 > hits[1].cosine


def test_what_is_wrong_with_the_question_is_told_before_a_tower_is_loaded(
    mini_library: Path, drawn: Path, tmp_path: Path
) -> None:
    questions = {
        drawn / "nothing.jpg": r"^no file .*/nothing\.jpg; check the name$",
        drawn: "^.* is a folder; name one photo$",
    }
    with opened(mini_library) as library:
        with pytest.raises(sigseek.QueryError, match=r"^0 hits cannot be shown"):
            find_similar(library, drawn / "scene-00000.jpg", 0)
        for photo, message in questions.items():
            with pytest.raises(sigseek.QueryError, match=message):
                find_similar(library, photo, 5)
    photo = save(tmp_path / "a.png")
    with opened(tmp_path / "nowhere", model="no/such-model") as library:
        with pytest.raises(sigseek.QueryError, match="no file"):
            find_similar(library, tmp_path / "b.png", 5)
        with pytest.raises(sigseek.LibraryError, match=r"^no library at"):
            find_similar(library, photo, 5)
    assert not (tmp_path / "nowhere").exists()
