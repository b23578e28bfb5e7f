"""The hash of a picture, and the plain margins that are left out of it."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from benchmarks.photographs import ATTACKS, SIZE, framed, screenshot
from sigseek.indexer.decoding.hash import picture_hash
from sigseek.storage.perceptual_hash import (
    CROPS,
    LEAST_QUALITY,
    ORIENTATIONS,
    TURNS,
    distances,
    hash_bits,
    turned_bits,
    turned_sketches,
)
from sigseek.storage.records.hashes import HashRecord
from sigseek.storage.sketch_coding import coded, decoded
from tests.photos import photograph

SAME_FRAME = (
    "JPEG 95", "JPEG 50", "JPEG 20", "half size", "tenth size", "grey", "gamma", "blur", "noise",
    "watermark", "WebP 20", "AVIF 20",
)  # fmt: skip


def bits(record: HashRecord) -> np.ndarray:
    return np.frombuffer(record.whole.bits, np.uint8)[None]


def distance(one: HashRecord, other: HashRecord) -> int:
    return int(distances(bits(one), bits(other))[0])


def test_the_hash_of_known_levels() -> None:
    """A ramp from left to right has one frequency in 0, which falls; its even ones vanish."""
    ramp = np.tile(np.arange(64, dtype=np.uint8), (64, 1))[None]
    signs = np.unpackbits(hash_bits(ramp), axis=1)[0]
    assert signs[0] == 0, "the mean level says nothing"
    across = 2
    assert signs[across] == 0
    assert np.unpackbits(hash_bits(ramp[:, :, ::-1]), axis=1)[0][across] == 1


@pytest.mark.parametrize("way", range(len(ORIENTATIONS)))
def test_the_hash_of_a_turned_picture_follows_from_the_hash(way: int) -> None:
    sketches = np.random.default_rng(0).integers(0, 256, (20, 64, 64)).astype(np.uint8)
    turned = turned_sketches(sketches, way)
    assert distances(hash_bits(turned), turned_bits(hash_bits(sketches), way)).max() == 0
    if way:
        assert distances(hash_bits(turned), hash_bits(sketches)).min() > 60


@pytest.mark.parametrize("name", SAME_FRAME)
def test_few_bits_change_where_the_frame_stays(name: str) -> None:
    for seed in range(3):
        image = photograph(seed)
        assert distance(picture_hash(image), picture_hash(ATTACKS[name](image))) <= 31


def test_other_pictures_differ_in_half_of_the_bits() -> None:
    hashes = np.concatenate([bits(picture_hash(photograph(seed))) for seed in range(12)])
    apart = [int(distances(hashes[[a]], hashes[[b]])[0]) for a in range(12) for b in range(a)]
    assert min(apart) > 85
    assert 118 < np.mean(apart) < 138


@pytest.mark.parametrize("color", ["white", "black", "#808080"])
def test_plain_margins_are_left_out(color: str) -> None:
    image = photograph(3)
    found = picture_hash(framed(image, 0.2, color))
    assert found.inner is not None
    left, top, right, bottom = (margin / 256 for margin in found.inner.margins)
    assert (left, right) == pytest.approx((0.2 / 1.4, 0.2 / 1.4), abs=0.012)
    assert (top, bottom) == pytest.approx((128 / 736, 128 / 736), abs=0.012)
    inner = np.frombuffer(found.inner.bits, np.uint8)[None]
    assert distances(inner, bits(picture_hash(image)))[0] <= 31


def test_the_bars_of_a_screenshot_are_left_out_with_their_letters() -> None:
    image = photograph(4)
    found = picture_hash(screenshot(image))
    assert found.inner is not None
    inner = np.frombuffer(found.inner.bits, np.uint8)[None]
    assert distances(inner, bits(picture_hash(image)))[0] <= 45


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (40, 30), (5000, 10)])
def test_any_size_has_a_hash(size: tuple[int, int]) -> None:
    found = picture_hash(photograph(1).resize(size))
    assert (len(found.whole.bits), decoded([found.whole.levels]).shape) == (32, (1, 64, 64))
    assert len(found.whole.variants) == (len(CROPS) + len(TURNS)) * 32


def test_a_crop_has_nearly_the_hash_that_is_kept_of_it() -> None:
    image = photograph(6)
    kept = np.frombuffer(picture_hash(image).whole.variants, np.uint8).reshape(-1, 32)
    for (width, height), of_crop in zip(CROPS, kept, strict=False):
        left, top = (1 - width) / 2 * image.width, (1 - height) / 2 * image.height
        crop = image.crop(
            (round(left), round(top), image.width - round(left), image.height - round(top))
        )
        assert distances(of_crop[None], bits(picture_hash(crop)))[0] <= 40
        assert distances(of_crop[None], bits(picture_hash(image)))[0] > 0


def test_a_picture_turned_a_little_has_nearly_the_hash_that_is_kept_of_it() -> None:
    image = photograph(6)
    kept = np.frombuffer(picture_hash(image).whole.variants, np.uint8).reshape(-1, 32)
    for degrees, of_turned in zip(TURNS, kept[len(CROPS) :], strict=True):
        turned = image.rotate(degrees, Image.Resampling.BICUBIC)
        assert distances(of_turned[None], bits(picture_hash(turned)))[0] <= 40
        other = image.rotate(-degrees, Image.Resampling.BICUBIC)
        assert distances(of_turned[None], bits(picture_hash(other)))[0] > 60


def test_sketches_keep_their_detail_in_few_bytes() -> None:
    """What is lost is small beside the detail by which two shots are told apart."""
    for seed in range(4):
        grey = photograph(seed).convert("L").resize((64, 64), Image.Resampling.BOX)
        levels = np.asarray(grey)
        file = coded(levels)
        (kept,) = decoded([file])
        assert len(file) < 2000
        error = levels.astype(float) - kept
        assert np.sqrt((error**2).mean()) < 6 < levels.std() / 5
        assert (turned_sketches(kept[None], 0)[0] == kept).all()
    assert (decoded([file[:40], b""]) == 128).all(), "damaged ones are plain"


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", SIZE, "white"),
        Image.new("RGB", SIZE),
        Image.linear_gradient("L").resize(SIZE).convert("RGB").point(lambda level: level // 4),
        ImageOps.expand(Image.new("RGB", (100, 100), "red"), 200, "white").point(
            lambda level: 200 + level // 6
        ),
    ],
    ids=["white", "black", "sky", "faint"],
)
def test_plain_pictures_have_a_low_quality(image: Image.Image) -> None:
    assert picture_hash(image).whole.quality < LEAST_QUALITY
    assert picture_hash(photograph(0)).whole.quality > LEAST_QUALITY


def test_a_plain_picture_has_no_margins() -> None:
    assert picture_hash(Image.new("RGB", SIZE, "white")).inner is None
    assert picture_hash(photograph(0)).inner is None
