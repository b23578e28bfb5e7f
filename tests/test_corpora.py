"""Real photos and hostile files, where they lie beside this checkout. None of them is part of
the project.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import sigseek
from sigseek.indexer.decoding.formats import PICTURES
from sigseek.indexer.exclusion import is_junk
from tests.conftest import CORPORA, Run, needs_corpora

pytestmark = needs_corpora

MEASURED = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
unit = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit)
"""
"""A process in between, as small as can be: a child's peak begins with what its parent has
taken.
"""


def test_everything_is_indexed_or_a_failure_with_a_reason(tmp_path: Path, run: Run) -> None:
    where = ("--library", tmp_path / "library")
    run(
        "classify",
        CORPORA / "photos" / "orientation" / "Portrait_1.jpg",
        "--label",
        "x",
        "--model",
        "mini",
    )  # converts it
    words = [
        Path(sys.executable).with_name("sigseek"),
        "index",
        CORPORA,
        *where,
        "--model",
        "mini",
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
    )
    line, peak = done.stdout.splitlines()
    report = json.loads(line)
    assert float(peak) < 2e9, "bytes"
    failures = [json.loads(line) for line in run("failures", *where, "--json").stdout.splitlines()]
    pictures = {
        str(path)
        for path in CORPORA.rglob("*")
        if path.is_file()
        and path.suffix.lower() in PICTURES
        and not any(map(is_junk, path.relative_to(CORPORA).parts))
    }
    assert report["scanned"] == len(pictures) > 1500
    assert report["failed"] == len(failures) < 300
    assert {row["path"] for row in failures} <= pictures
    assert all(row["reason"].strip() and "\n" not in row["reason"] for row in failures)
    assert report["added"] == len(pictures) - len(failures)
    (again,) = map(json.loads, run("index", CORPORA, *where, "--json").stdout.splitlines())
    assert (again["unchanged"], again["failed"], again["added"]) == (
        report["added"],
        report["failed"],
        0,
    )
    assert (again["device"], again["images_per_second"]) == (None, 0), (
        "nothing decoded, nothing embedded"
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> sigseek.Library:
    library = sigseek.open(tmp_path_factory.mktemp("library"), model="mini")
    library.index(CORPORA / "photos")
    return library


def test_similar_finds_the_other_orientations_first(library: sigseek.Library) -> None:
    for shape in ("Landscape", "Portrait"):
        photos = sorted((CORPORA / "photos" / "orientation").rglob(f"{shape}_*.jpg"))
        hits = library.similar(photos[3], limit=len(photos) - 1)
        found = {path for hit in hits for path in (hit.path, *hit.copies)}
        assert found == {str(path) for path in photos} - {str(photos[3])}, shape
        assert min(hit.cosine for hit in hits) > 0.95


def test_similar_finds_the_changed_copies_first(tmp_path: Path) -> None:
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(CORPORA / "photos" / "duplicates")
        photo = CORPORA / "photos" / "duplicates" / "mixed_images" / "ukbench00120.jpg"
        copy, *hits = library.similar(photo, limit=6)
        assert (Path(copy.path).name, copy.cosine, copy.query_photo) == (photo.name, 1, "copy")
        assert copy.path != str(photo)
        assert [Path(hit.path).stem.removeprefix("ukbench00120_") for hit in hits[:4]] == [
            "resize",
            "hflip",
            "rotation",
            "gray",
        ]
        assert hits[3].cosine > hits[4].cosine + 0.05, "clearly before any other photo"


def test_the_place_of_a_drones_photo(library: sigseek.Library) -> None:
    hit = library.similar(CORPORA / "photos" / "drone" / "DJI_0018.JPG", limit=1)[0]
    assert "drone" in hit.path
    assert hit.latitude is not None
    assert hit.camera is not None
    assert hit.taken_at is not None
