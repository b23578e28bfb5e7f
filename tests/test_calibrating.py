"""Calibrating a library: what is fitted is what is kept, and what may go wrong keeps nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import sigseek
from sigseek.operations.calibrating import calibrate
from sigseek.operations.opened import OpenedLibrary
from sigseek.progress import Phase, Progress, Stop
from sigseek.search.calibration import Calibration
from sigseek.search.fitting import fit_calibration
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from sigseek.siglip.yardstick.embeddings import Yardstick
from tests.databases import Databases
from tests.listeners import Heard
from tests.open_library import opened

pytestmark = pytest.mark.both_databases

Vectors = dict[Path, npt.NDArray[np.float32]]


@pytest.fixture
def library(mini_library: Path, tmp_path: Path, databases: Databases) -> Iterator[OpenedLibrary]:
    directory = databases.copy(mini_library, tmp_path / "library")
    with opened(directory) as library:
        yield library


@pytest.fixture
def captions(drawn: Path, tmp_path: Path) -> Path:
    """Captions of the drawn photos: the whole one, and what it says of time and place."""
    lines = []
    for line in (drawn / "captions.jsonl").read_text().splitlines():
        row = json.loads(line)
        texts = [row["caption"], f"a picture {row['time']}", f"a picture {row['place']}"]
        lines.append(json.dumps({"file": str(drawn / row["file"]), "captions": texts}))
    path = tmp_path / "captions.jsonl"
    path.write_text("\n".join(lines))
    return path


def fit(
    library: OpenedLibrary, source: Path, heard: Heard | None = None, stop: Stop | None = None
) -> tuple[Calibration, sigseek.CaptionedPictures]:
    return calibrate(library, source, split="test", pictures=None, listener=heard, stop=stop)


def kept(library: OpenedLibrary) -> str | None:
    return library.checkpoint.state_to_query().calibration


def test_the_constants_are_those_of_the_models_own_embeddings(
    library: OpenedLibrary,
    captions: Path,
    drawn_vectors: Vectors,
    mini: Checkpoint,
    mini_towers: tuple[ImageTower, TextTower],
    mini_yardstick: Yardstick,
) -> None:
    calibration, pictures = fit(library, captions)
    assert [picture.path for picture in pictures.pictures] == sorted(drawn_vectors)
    right = fit_calibration(
        mini_towers[1].embed(list(pictures.texts)),
        np.stack([drawn_vectors[picture.path] for picture in pictures.pictures]),
        pictures.matching(),
        mini_yardstick,
        mini.scoring,
    )
    found = json.loads(calibration.as_json())
    assert found.keys() == json.loads(right.as_json()).keys()
    for name, value in json.loads(right.as_json()).items():
        if isinstance(value, float):
            assert found[name] == pytest.approx(value, rel=0.02), name
    assert (calibration.pictures, right.pictures) == (40, 40)


def test_the_calibration_is_kept_and_the_next_answer_goes_by_it(
    library: OpenedLibrary, captions: Path
) -> None:
    assert kept(library) is None
    before = library.searcher.get()
    calibration, _ = fit(library, captions)
    assert kept(library) == calibration.as_json()
    assert library.searcher.get() is not before


def test_pictures_that_cannot_be_used_are_left_out_and_told(
    library: OpenedLibrary, captions: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with captions.open("a") as file:
        file.write('\n{"file": "text.jpg", "caption": "a text"}\n{"file": "gone.jpg"}\n')
    heard = Heard()
    calibration, pictures = fit(library, captions, heard)
    assert len(pictures.pictures) == calibration.pictures == 40
    reasons = [problem.reason for problem in pictures.problems]
    assert reasons == [
        'no "caption"',
        f"{tmp_path / 'text.jpg'}: not a picture, or its header is damaged",
    ]
    assert [(problem.path, problem.reason) for problem in heard.problems] == [
        (str(captions), 'line 42: no "caption"'),
        (str(tmp_path / "text.jpg"), "not a picture, or its header is damaged"),
    ]


@pytest.mark.parametrize("phase", [Phase.EMBEDDING, Phase.EMBEDDING_TEXTS])
def test_a_stopped_calibration_keeps_nothing(
    phase: Phase, library: OpenedLibrary, captions: Path
) -> None:
    stop = Stop()

    def at(progress: Progress) -> None:
        if progress.phase is phase:
            stop.set()

    with pytest.raises(sigseek.StoppedError):
        fit(library, captions, Heard(at), stop)
    assert kept(library) is None


def test_too_few_pictures_keep_nothing(library: OpenedLibrary, captions: Path) -> None:
    captions.write_text("\n".join(captions.read_text().splitlines()[:29]))
    with pytest.raises(sigseek.CalibrationError, match="30"):
        fit(library, captions)
    assert kept(library) is None


def test_without_a_library_nothing_is_embedded(captions: Path, tmp_path: Path) -> None:
    heard = Heard()
    with (
        opened(tmp_path / "nowhere", "mini", heard) as library,
        pytest.raises(sigseek.LibraryError, match=r"^no library at"),
    ):
        fit(library, captions)
    assert heard.progress == []


def test_captions_that_do_not_exist(library: OpenedLibrary, tmp_path: Path) -> None:
    with pytest.raises(sigseek.CaptionsError, match="there is no file or folder"):
        fit(library, tmp_path / "captions.jsonl")
