"""The precision of a library: remembered, continued, and int8 kept apart."""

import json
from pathlib import Path

import pytest

import sigseek
from sigseek.indexer.sample import sample_photos
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from sigseek.siglip.runtimes.conversion import find_conversion
from sigseek.siglip.runtimes.openvino import OpenVinoImageTower, best_precision
from tests.conftest import Run
from tests.listeners import Heard
from tests.photos import save

pytestmark = pytest.mark.both_databases


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        save(tmp_path / "photos" / f"{number}.png", seed=number)
    return tmp_path / "photos"


def test_auto_begins_with_the_best_and_goes_on_as_the_library_began(
    tmp_path: Path, photos: Path, drawn: Path
) -> None:
    with sigseek.open(tmp_path / "best", model="mini") as library:
        report = library.index(photos)
        assert (report.device, report.runtime, report.precision, report.batch) == (
            "cpu",
            "openvino",
            best_precision(),
            16,
        )
        assert library.index(photos).precision is None, "nothing was embedded"
    with sigseek.open(tmp_path / "exact", model="mini", precision="fp32") as library:
        assert library.index(photos).precision == "fp32"
    with sigseek.open(tmp_path / "exact") as library:
        save(photos / "new.png", seed=9)
        assert library.index(photos).precision == "fp32"
        assert library._opened.model.texts()._tower.precision == "fp32", (
            "a query is embedded as the photos were"
        )
        hits = library.search("a red house", 1, include_all=True)
    with sigseek.open(tmp_path / "exact", device="cpu", precision=best_precision()) as library:
        assert library.search("a red house", 1, include_all=True)[0].cosine == pytest.approx(
            hits[0].cosine, abs=0.01
        ), "told otherwise"
        save(photos / "newer.png", seed=10)
        assert library.index(photos).precision == best_precision(), "fp32 and bf16 mix"


def test_int8_stays_apart(
    tmp_path: Path,
    photos: Path,
    drawn: Path,
    mini: Checkpoint,
    mini_towers: tuple[ImageTower, TextTower],
) -> None:
    heard = Heard()
    with sigseek.open(tmp_path / "int8", model="mini", precision="int8", listener=heard) as library:
        assert library.index(drawn).precision == "int8"
    assert any(
        line.startswith("int8: cosine to fp32 on 10 other photos of yours: 0.99")
        for line in heard.lines
    )
    made = find_conversion(mini, "int8")
    assert made
    others = sample_photos([drawn], mini.preprocessing, 10)
    quantised = OpenVinoImageTower(made / "image.xml", "int8").embed(others)
    cosine = (quantised * mini_towers[0].embed(others)).sum(axis=1)
    assert cosine.min() > 0.99
    assert cosine.max() < 0.999999, "it is quantised"
    with sigseek.open(tmp_path / "int8") as library:
        assert library.index(photos).precision == "int8", "without being told again"
        assert library.search("a house", 1, include_all=True)[0].available
    for held, other in (("int8", "fp32"), ("fp32", "int8")):
        if held == "fp32":
            sigseek.open(tmp_path / "fp32", model="mini", precision="fp32").index(photos)
        with sigseek.open(tmp_path / held, precision=other) as library:
            save(photos / "new.png", seed=9)
            with pytest.raises(
                sigseek.LibraryError, match=f"holds {held} embeddings, and int8 does not mix"
            ):
                library.index(photos)
            assert library.status().photos > 0


def test_int8_without_enough_photos_says_so_and_loses_nothing(
    tmp_path: Path, photos: Path, run: Run
) -> None:
    where = ("--library", tmp_path / "library")
    done = run(
        "index",
        photos,
        *where,
        "--model",
        "mini",
        "--precision",
        "int8",
        check=False,
        SIGSEEK_CACHE=str(tmp_path / "cache"),
    )
    assert done.returncode == 1
    assert (
        "fitted to at least 40 of your own photos, and 3 were found; use --precision "
        in done.stderr.splitlines()[-1]
    )
    (report,) = map(
        json.loads, run("index", photos, *where, "--model", "mini", "--json").stdout.splitlines()
    )
    assert (report["added"], report["precision"]) == (3, best_precision())


def test_unknown_choices_list_the_known_ones(tmp_path: Path, run: Run) -> None:
    for option, known in (
        ("--precision", "'auto', 'fp32', 'bf16', 'int8'"),
        ("--device", "'auto', 'cpu', 'cuda', 'mps'"),
    ):
        done = run("search", "a house", option, "best", check=False)
        assert done.returncode == 2
        assert known in done.stderr
    with pytest.raises(
        sigseek.CheckpointError,
        match="'best' is not a precision; use one of auto, fp32, bf16, int8",
    ):
        sigseek.open(tmp_path, precision="best")


def test_a_gpu_that_is_not_there(tmp_path: Path, photos: Path, run: Run) -> None:
    import torch

    if torch.cuda.is_available():
        return
    library = tmp_path / "library"
    for command in ("index", "watch"):
        asked = (command, photos, "--library", library, "--model", "mini", "--device", "cuda")
        done = run(*asked, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: torch finds no 'cuda' device on this machine; ")
        assert not library.exists()
