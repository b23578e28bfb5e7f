"""A photo that is near two shots of a scene is a copy of the nearer one only."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from benchmarks.many_photos import add_folder, add_hashed
from benchmarks.photographs import ATTACKS, moved_thing, tripod_shot
from sigseek.indexer.decoding.hash import picture_hash
from sigseek.indexer.decoding.jpeg_copy import jpeg_of
from sigseek.progress import Stop
from sigseek.search.duplicates.pairs import keep_pairs
from sigseek.storage import Catalog
from tests.photos import photograph

SIZE = (480, 360)


class Library:
    """A catalog of pictures by name, whose near pairs are kept."""

    def __init__(self, place: Path) -> None:
        self.catalog = Catalog(place)
        add_folder(self.catalog, place / "photos")
        self.images: dict[str, Image.Image] = {}
        self.names: dict[int, str] = {}

    def add(self, **images: Image.Image) -> set[frozenset[str]]:
        """Add pictures, compare them with all others, and return the pairs that are near now."""
        self.images |= images
        photos = {name: (image.size, picture_hash(image)) for name, image in images.items()}
        self.names |= {id_: name for name, id_ in add_hashed(self.catalog, photos).items()}
        keep_pairs(self.catalog, self.picture, nullcontext, Stop(), lambda _: None)
        return {frozenset(map(self.names.get, pair)) for pair in self.catalog.near_pairs().tolist()}

    def picture(self, id_: int) -> bytes:
        return jpeg_of(self.images[self.names[id_]], 320)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def two_shots() -> tuple[Image.Image, Image.Image]:
    """Return two shots from a tripod between which hardly anything has moved."""
    shot, chance = photograph(0, SIZE), np.random.default_rng(0)
    moved = moved_thing(shot, 1 / 8, chance)
    return shot, tripod_shot(Image.blend(shot, moved, 0.2), chance)


def pair(*names: str) -> frozenset[str]:
    return frozenset(names)


@pytest.mark.parametrize("form", ["border 20%", "turned 4 degrees", "crop 5%"])
def test_a_copy_belongs_to_the_nearer_shot(library: Library, form: str) -> None:
    """Which of the photos are compared first changes nothing."""
    shot, other = two_shots()
    assert library.add(other=other, copy=ATTACKS[form](shot)) <= {pair("other", "copy")}
    assert library.add(shot=shot) == {pair("shot", "copy")}


def test_two_forms_that_are_not_near_each_other_are_copies_of_one_shot(library: Library) -> None:
    shot = photograph(1, SIZE)
    forms = {"marked": "watermark", "turned": "turned 4 degrees", "cropped": "crop 5%"}
    found = library.add(shot=shot, **{name: ATTACKS[form](shot) for name, form in forms.items()})
    assert {pair("shot", name) for name in forms} <= found
    assert pair("turned", "cropped") not in found
    assert pair("marked", "cropped") not in found


def test_a_small_copy_is_compared_by_the_detail_that_it_has(library: Library) -> None:
    shot = photograph(0, SIZE)
    assert library.add(shot=shot, copy=shot.resize((32, 24))) == {pair("shot", "copy")}


def test_large_letters_are_a_watermark(library: Library) -> None:
    shot = photograph(0, SIZE)
    layer = Image.new("RGBA", SIZE)
    ImageDraw.Draw(layer).text(
        (240, 180), "SAMPLE", (255, 255, 255, 110), font_size=100, anchor="mm"
    )
    marked = Image.alpha_composite(shot.convert("RGBA"), layer).convert("RGB")
    assert library.add(shot=shot, copy=marked) == {pair("shot", "copy")}
