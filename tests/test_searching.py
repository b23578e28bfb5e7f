"""Text queries to a whole library: the numbers of the hits are the model's own."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import sigseek
from sigseek.operations import searching
from sigseek.operations.opened import OpenedLibrary
from sigseek.search.results import SearchResults
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from sigseek.siglip.scoring import sigmoid
from sigseek.storage import Catalog
from tests.databases import Databases
from tests.open_library import opened

pytestmark = pytest.mark.both_databases(milvus=True)

Vectors = dict[Path, npt.NDArray[np.float32]]
Towers = tuple[ImageTower, TextTower]


def search(library: OpenedLibrary, query: str, limit: int = 40, **options: Any) -> SearchResults:
    defaults: dict[str, Any] = {
        "min_probability": 0.0,
        "include_all": True,
        "explain": False,
        "closer": 0,
        "include_self": False,
    }
    return searching.search(library, query, limit, **defaults | options)


@pytest.mark.parametrize("text", ["a red house", "two trees at night"])
def test_cosines_logits_and_scores_are_the_models(
    text: str, mini_library: Path, mini: Checkpoint, mini_towers: Towers, drawn_vectors: Vectors
) -> None:
    asked = mini_towers[1].embed([text])[0]
    right = {str(photo): float(vector @ asked) for photo, vector in drawn_vectors.items()}
    with opened(mini_library) as library:
        found = search(library, text)
    assert {hit.path for hit in found} == right.keys()
    for hit in found:
        logit = mini.scoring.logits(np.float32(right[hit.path]))
        assert hit.cosine == pytest.approx(right[hit.path], abs=2e-4)
        assert hit.logit == pytest.approx(logit, abs=0.03)
        assert hit.score == pytest.approx(sigmoid(logit), abs=0.01)
    assert found.best is not None
    assert right[found.best.path] == pytest.approx(max(right.values()), abs=4e-4)
    assert found.photos == 40


def test_the_first_query_and_the_next_ones_say_the_same(mini_library: Path) -> None:
    with opened(mini_library) as library:
        assert not library.model.reads_at_once
        cold = search(library, "a boat", limit=5)
        assert library.model.reads_at_once
        assert search(library, "a boat", limit=5) == cold


def test_a_photo_in_a_query_is_most_like_itself(mini_library: Path, drawn: Path) -> None:
    photo = drawn / "scene-00007.jpg"
    with opened(mini_library) as library:
        found = search(
            library, f'photo:"{photo}" OR photo:"{drawn / "scene-00008.jpg"}"', 2, include_self=True
        )
        with_text = search(library, f'a house AND photo:"{photo}"', explain=True, include_self=True)
    assert {Path(hit.path).name for hit in found} == {"scene-00007.jpg", "scene-00008.jpg"}
    alike = {hit.path: (hit.terms or {})[f"photo:{photo}"] for hit in with_text}
    assert max(alike, key=lambda path: alike[path]) == str(photo)
    assert all(set(hit.terms or {}) == {"a house", f"photo:{photo}"} for hit in with_text)


def test_a_photo_whose_file_is_new_is_compared_too(
    mini_library: Path, mini_towers: Towers, drawn: Path, tmp_path: Path
) -> None:
    from sigseek.demo.photos import draw_photos

    draw_photos(tmp_path / "new", 1, seed=5)
    (photo,) = (tmp_path / "new").glob("*.jpg")
    with opened(mini_library) as library:
        found = search(library, f'photo:"{photo}"')
        _, known = library.photo_files.find(photo, include_self=True)
    assert known is None
    assert len(found) == 40
    assert str(photo) not in {hit.path for hit in found}


def test_a_text_of_unknown_letters_is_noted_with_a_checkpoint_that_knows_them(
    mini_library: Path,
) -> None:
    with opened(mini_library) as library:
        notes = [str(note) for note in search(library, "красный дом").notes]
        known = [str(note) for note in search(library, "a red house").notes]
    assert notes[0] == (
        "mini does not know most of 'красный дом', so these hits mean little; "
        "google/siglip2-base-patch16-224 and google/siglip-base-patch16-256-multilingual know "
        "many languages, for example: "
        "sigseek.open(LIBRARY, model='google/siglip2-base-patch16-224').index()"
    )
    assert notes[1:] == known


def test_each_text_of_a_query_has_its_own_note(mini_library: Path) -> None:
    with opened(mini_library) as library, pytest.warns(UserWarning, match="the model reads 64"):
        found = search(library, f'"{"tree " * 90}" AND "дом"')
    assert [str(note).split(" and the model")[0].split(",")[0] for note in found.notes[:2]] == [
        "the query has 90 words",
        "mini does not know most of 'дом'",
    ]


@pytest.mark.filterwarnings("ignore:the query has")
def test_nothing_is_noted_twice_and_long_words_are_cut(mini_library: Path) -> None:
    with opened(mini_library) as library:
        many = " OR ".join(f"an ostrich {number}" for number in range(9))
        known = search(library, "a house").notes
        assert [str(note) for note in search(library, many).notes] == [
            "mini hardly knows 'ostrich': its vocabulary has no such word",
            *map(str, known),
        ]
        unknown = search(library, "дом OR кот OR лес OR снег OR луг").notes
        assert str(unknown[0]).startswith(
            "mini does not know most of 'дом', 'кот', 'лес' and 2 more, so these hits mean little"
        )
        assert unknown[1:] == known
        long = search(library, "z" * 300).notes
    assert [str(note) for note in long[:2]] == [
        "the query has 1 word and the model reads 64 tokens; only its beginning was searched for",
        f"mini hardly knows '{'z' * 29}…': its vocabulary has no such word",
    ]


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("a house", {"limit": 0}, "0 hits cannot be shown; limit must be at least 1"),
        ("a house", {"min_probability": 1.5}, "a probability of 1.5 is outside 0 to 1"),
        ("...", {}, "the query has no words"),
        ("a house", {"closer": -1}, "-1 photos cannot be looked at more closely; closer must be"),
        ("a AND b", {"closer": 3}, "a closer look is for one description"),
        ("a AND", {}, "column 3: AND at the end of the query"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused_before_anything_is_loaded(
    query: str, options: dict[str, Any], message: str, mini_library: Path
) -> None:
    with opened(mini_library) as library:
        with pytest.raises(sigseek.QueryError, match=message):
            search(library, query, **options)
        assert not library.model.reads_at_once
        assert not library.searcher.is_loaded


def test_without_a_library_no_model_is_loaded(tmp_path: Path) -> None:
    with opened(tmp_path / "nowhere", model="no/such-model") as library:
        with pytest.raises(sigseek.LibraryError, match=r"^no library at"):
            search(library, "a house")
        assert not library.model.reads_at_once


def test_a_closer_look_ranks_the_best_by_the_parts_of_their_pictures(
    mini_library: Path, mini: Checkpoint, mini_towers: Towers, drawn_vectors: Vectors
) -> None:
    from sigseek.indexer.decoding.decode import decode_views

    asked = mini_towers[1].embed(["a car"])[0]
    with opened(mini_library) as library:
        found = search(library, "a car", closer=4)
    looked = {Path(hit.path): hit.closer for hit in found if hit.closer is not None}
    by_cosine = sorted(drawn_vectors, key=lambda photo: -float(drawn_vectors[photo] @ asked))
    assert set(looked) == set(by_cosine[:4])
    for photo, logit in looked.items():
        parts = mini_towers[0].embed(decode_views(photo, mini.preprocessing)) @ asked
        whole = float(drawn_vectors[photo] @ asked)
        mixed = (whole + 0.5 * parts.max() + 0.5 * parts.mean()) / 2  # as docs/scores.md says
        assert logit == pytest.approx(mini.scoring.logits(np.float32(mixed)), abs=0.05)


def test_what_could_make_no_difference_is_noted(
    mini_library: Path, drawn: Path, tmp_path: Path, databases: Databases
) -> None:
    directory = databases.copy(mini_library, tmp_path / "library")
    photos = Path(shutil.copytree(drawn, tmp_path / "photos"))
    with sigseek.open(directory, model="mini") as library:
        library.relocate(drawn, photos)
    photos.rename(tmp_path / "unplugged")
    catalog = Catalog(directory)
    with catalog.transaction() as transaction:
        transaction.remove_yardstick(catalog.checkpoints()[0].id)
    catalog.close()
    with opened(directory) as library:
        found = search(library, "a house", closer=3)
        plain = search(library, "a house", include_all=False)
    assert [hit.closer for hit in found if hit.closer] == pytest.approx(
        [hit.logit for hit in found if hit.closer]
    )
    assert sum(hit.closer is not None for hit in found) == 3
    said = [str(note) for note in found.notes]
    assert "closer=3 did nothing, because none of the best photos' files can be read now" in said
    assert (
        "include_all=True does nothing in this library, because its photos have no verdicts yet"
        in said
    )
    assert not [note for note in plain.notes if "noth" in str(note).split(",")[0]]
