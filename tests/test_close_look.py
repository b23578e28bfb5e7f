"""Crops, frames, watermarks and small turns are told from second shots of the same scene."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from benchmarks.many_photos import add_folder, add_hashed
from benchmarks.photographs import (
    ATTACKS,
    TRIPOD,
    come_in,
    cropped,
    first_shot,
    second_shot,
    tripod_shot,
)
from sigseek.indexer.decoding.hash import picture_hash
from sigseek.indexer.decoding.jpeg_copy import jpeg_of
from sigseek.progress import Silence, Stop
from sigseek.search.duplicates.finder import ComparingProgress, DuplicateFinder
from sigseek.storage import Catalog
from tests.photos import photograph

SIZE = (480, 360)


FORMS = (
    "crop 5%", "border 5%", "border 20%", "turned 2 degrees", "turned 4 degrees",
    "turned 90 degrees", "mirrored", "screenshot",
)  # fmt: skip


@pytest.fixture(
    params=[
        pytest.param(range(0, 12, 3), id="four"),
        pytest.param(range(12), id="twelve", marks=pytest.mark.slow),
    ]
)
def scenes(request: pytest.FixtureRequest) -> range:
    """The seeds of the scenes of which there are pictures."""
    found: range = request.param
    return found


def near_pairs(place: Path, images: dict[str, Image.Image]) -> set[frozenset[str]]:
    """Return the near groups among the pictures, as their names."""
    catalog = Catalog(place)
    add_folder(catalog, place / "photos")
    photos = {name: (image.size, picture_hash(image)) for name, image in images.items()}
    names = {id_: name for name, id_ in add_hashed(catalog, photos).items()}
    ids = catalog.photos_with_files()
    progress = ComparingProgress(Silence(), len(ids))
    finder = DuplicateFinder(
        catalog,
        catalog.checkpoints()[0],
        ids,
        (),
        lambda id_: jpeg_of(images[names[id_]], 320),
        progress,
        Stop(),
    )
    groups = finder.find(["near"])
    catalog.close()
    return {frozenset(names[photo.id] for photo in group.photos) for group in groups}


@pytest.mark.parametrize("name", FORMS)
def test_forms_are_near_and_second_shots_are_not(tmp_path: Path, name: str, scenes: range) -> None:
    images = {}
    for seed in scenes:
        scene = photograph(seed, (480, 360))
        shot = first_shot(scene)
        images |= {f"{seed} first": shot, f"{seed} again": ATTACKS[name](shot)}
        images[f"{seed} second"] = second_shot(scene, seed)
    right = {frozenset({f"{seed} first", f"{seed} again"}) for seed in scenes}
    assert near_pairs(tmp_path, images) == right


def test_pictures_of_little_detail_are_near_with_a_watermark(tmp_path: Path, scenes: range) -> None:
    images = {}
    for seed in scenes:
        scene = photograph(seed, (400, 533))
        shot = Image.blend(Image.new("RGB", scene.size, (170, 170, 175)), scene, 0.35)
        images |= {f"{seed} first": shot, f"{seed} again": ATTACKS["watermark"](shot)}
    right = {frozenset({f"{seed} first", f"{seed} again"}) for seed in scenes}
    assert near_pairs(tmp_path, images) == right


def test_words_over_pictures_of_little_detail_are_a_mark(tmp_path: Path) -> None:
    images, seeds = {}, (0, 3, 6, 9)
    for seed in seeds:
        scene = photograph(seed, (400, 533))
        shot = Image.blend(Image.new("RGB", scene.size, (60, 60, 65)), scene, 0.22)
        images |= {f"{seed} first": shot, f"{seed} again": ATTACKS["text"](shot)}
    right = {frozenset({f"{seed} first", f"{seed} again"}) for seed in seeds}
    assert near_pairs(tmp_path, images) == right


def test_a_crop_of_a_shot_in_which_a_thing_moved_is_no_copy(tmp_path: Path, scenes: range) -> None:
    images = {}
    for seed in scenes:
        shot = photograph(seed, (480, 360))
        other = shot.copy()
        other.paste(shot.crop((100, 100, 220, 190)), (130, 120))
        images |= {f"{seed} crop": cropped(shot, 0.05), f"{seed} other": other}
    assert near_pairs(tmp_path, images) == set()


def test_two_photos_in_one_frame_are_no_copies(tmp_path: Path) -> None:
    images = {}
    for seed in range(6):
        one, another = photograph(seed, (480, 360)), photograph(seed + 50, (480, 360))
        for name, picture in (("one", one), ("other", Image.blend(one, another, 0.35))):
            images[f"{seed} {name}"] = ImageOps.expand(picture, 96, "white")
    assert near_pairs(tmp_path, images) == set()


@pytest.mark.parametrize("kind", TRIPOD)
def test_two_shots_from_a_tripod_are_no_copies(tmp_path: Path, kind: str, scenes: range) -> None:
    images = {}
    for seed in scenes[::2]:
        shot, chance = photograph(seed, (480, 360)), np.random.default_rng(seed)
        changed = TRIPOD[kind](shot, photograph(seed + 50, (480, 360)), chance)
        images |= {f"{seed} first": shot, f"{seed} again": ATTACKS["JPEG 50"](shot)}
        images[f"{seed} second"] = tripod_shot(changed, chance)
    right = {frozenset({f"{seed} first", f"{seed} again"}) for seed in scenes[::2]}
    assert near_pairs(tmp_path, images) == right


@pytest.mark.parametrize("mark", ["watermark", "text"])
def test_a_mark_does_not_hide_a_thing_that_has_come_in(
    tmp_path: Path, mark: str, scenes: range
) -> None:
    images = {}
    for seed in scenes:
        shot, chance = photograph(seed, (480, 360)), np.random.default_rng(seed)
        other = come_in(shot, photograph(seed + 50, (480, 360)), 1 / 4, chance)
        images |= {f"{seed} first": shot, f"{seed} marked": ATTACKS[mark](shot)}
        images[f"{seed} second"] = ATTACKS[mark](tripod_shot(other, chance))
    right = {frozenset({f"{seed} first", f"{seed} marked"}) for seed in scenes}
    found = near_pairs(tmp_path, images)
    assert found <= right
    assert len(found) >= len(scenes) * 2 / 3, "in doubt, a picture with words over it is no copy"


@pytest.mark.parametrize("mark", ["watermark", "text"])
def test_a_mark_on_one_of_two_shots_does_not_hide_what_has_come_in(
    tmp_path: Path, mark: str
) -> None:
    """The mark and a small thing differ at the same time, and only the mark makes no other shot."""
    images = {}
    for seed in (6, 8, 11):
        chance = np.random.default_rng(seed)
        plain = Image.blend(Image.new("RGB", SIZE, (170, 170, 175)), photograph(seed, SIZE), 0.35)
        other = come_in(plain, photograph(seed + 50, SIZE), 1 / 12, chance)
        images |= {f"{seed} marked": ATTACKS[mark](plain)}
        images[f"{seed} other"] = tripod_shot(other, chance)
    assert near_pairs(tmp_path, images) == set()


def test_words_of_another_kind_are_a_mark(tmp_path: Path, scenes: range) -> None:
    images = {}
    for seed in scenes:
        shot = photograph(seed, (480, 360))
        marked = shot.copy()
        ImageDraw.Draw(marked).text((240, 300), "Rome 2019", "black", font_size=44, anchor="mm")
        images |= {f"{seed} first": shot, f"{seed} marked": marked}
    right = {frozenset({f"{seed} first", f"{seed} marked"}) for seed in scenes}
    assert near_pairs(tmp_path, images) == right


def striped(image: Image.Image) -> Image.Image:
    """Return the picture with white stripes, whose edges are steeper than those of a watermark."""
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    for top in range(0, image.height, 20):
        draw.rectangle((0, top, image.width, top + 9), 255)
    return Image.composite(Image.new("RGB", image.size, "white"), image, mask)


def test_a_translucent_mark_is_seen_over_a_pattern(tmp_path: Path, scenes: range) -> None:
    images = {}
    for seed in scenes:
        shot = striped(photograph(seed, (480, 360)))
        images |= {f"{seed} first": shot, f"{seed} marked": ATTACKS["watermark"](shot)}
    right = {frozenset({f"{seed} first", f"{seed} marked"}) for seed in scenes}
    assert near_pairs(tmp_path, images) == right


def test_a_shadow_over_a_pattern_is_no_mark(tmp_path: Path) -> None:
    """The shadow of a railing is as thin and even as letters, and the pattern shows through."""
    images = {}
    for seed in (0, 3, 6, 9):
        shot = striped(photograph(seed, (480, 360)))
        shadow = Image.new("L", shot.size)
        draw = ImageDraw.Draw(shadow)
        for left in range(120, 360, 40):
            draw.rectangle((left, 120, left + 7, 260), 60)
        other = Image.composite(Image.new("RGB", shot.size), shot, shadow)
        images |= {f"{seed} first": shot, f"{seed} other": other}
    assert near_pairs(tmp_path, images) == set()
