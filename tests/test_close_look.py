"""Crops, frames and small turns are told from second shots of the same scene."""

from pathlib import Path

import pytest

from benchmarks.many_photos import add_folder, add_hashed
from benchmarks.photographs import ATTACKS, first_shot, photograph, second_shot
from sigseek.indexer.decoding.hash import picture_hash
from sigseek.progress import Silence, Stop
from sigseek.search.duplicates.finder import ComparingProgress, DuplicateFinder
from sigseek.storage import Catalog

SCENES = range(12)


FORMS = (
    "crop 5%", "border 5%", "border 20%", "turned 2 degrees", "turned 4 degrees",
    "turned 90 degrees", "mirrored", "screenshot",
)  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_forms_are_near_and_second_shots_are_not(tmp_path: Path, name: str) -> None:
    catalog = Catalog(tmp_path)
    add_folder(catalog, tmp_path / "photos")
    photos = {}
    for seed in SCENES:
        scene = photograph(seed, (480, 360))
        shot = first_shot(scene)
        forms = {"first": shot, "again": ATTACKS[name](shot), "second": second_shot(scene, seed)}
        for form, image in forms.items():
            photos[f"{seed} {form}.jpg"] = (image.size, picture_hash(image))
    paths = {id_: path for path, id_ in add_hashed(catalog, photos).items()}
    ids = catalog.photos_with_files()
    progress = ComparingProgress(Silence(), len(ids))
    finder = DuplicateFinder(catalog, catalog.checkpoints()[0], ids, (), progress, Stop())
    found = {
        frozenset(paths[photo.id] for photo in group.photos) for group in finder.find(["near"])
    }
    right = {frozenset({f"{seed} first.jpg", f"{seed} again.jpg"}) for seed in SCENES}
    assert found == right
    catalog.close()
