"""A library of twelve photos, and what tests ask of it."""

from pathlib import Path

import sigseek
from tests.photos import save


def save_photos(folder: Path) -> Path:
    """Save three directories of four pictures each."""
    for number in range(12):
        save(folder / "abc"[number % 3] / f"{number:02}.png", seed=number)
    return folder


def indexed(directory: Path, photos: Path) -> sigseek.Library:
    library = sigseek.open(directory, model="mini")
    library.index(photos)
    return library


def known(library: sigseek.Library) -> list[str]:
    """Return the paths of all files that are there, by name."""
    hits = library.search("a red house", limit=100, include_all=True)
    return sorted(path for hit in hits for path in (hit.path, *hit.copies) if hit.available)


def on_disk(*folders: Path) -> list[str]:
    return sorted(str(path) for folder in folders for path in folder.rglob("*.png"))


def assert_nothing_to_do(library: sigseek.Library) -> None:
    report = library.index()
    assert (report.unchanged, report.missing, report.device) == (report.scanned, 0, None), report
    assert library.verify().problems == ()
