"""Pairs of hashes that are alike, found by a common word or by comparing all with all."""

import numpy as np
import pytest

from sigseek.search.duplicates.candidates import HashIndex
from sigseek.storage.perceptual_hash import Bits, distances


def pairs(
    index: HashIndex, asked: Bits, most: int, *, only_earlier: bool
) -> dict[tuple[int, int], int]:
    found = index.similar(asked, most, rows=np.arange(len(asked)), only_earlier=only_earlier)
    listed = zip(found.asked.tolist(), found.found.tolist(), found.distances.tolist(), strict=True)
    kept = {(one, other): distance for one, other, distance in listed}
    assert len(kept) == len(found.asked), "each once"
    return kept


@pytest.mark.parametrize("together", [7, 2_000_000])
@pytest.mark.parametrize("all_compared", [0, 4_000_000])
def test_all_that_differ_in_few_bits_are_found(
    together: int, all_compared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigseek.search.duplicates.candidates._ALL_COMPARED", all_compared)
    monkeypatch.setattr("sigseek.search.duplicates.candidates._TOGETHER", together)
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 256, (300, 32)).astype(np.uint8)
    for row in range(1, 300, 3):  # every third hash is the one before it, but for up to 15 bits
        flipped = np.zeros(256, np.uint8)
        flipped[rng.choice(256, row % 16, replace=False)] = 1
        bits[row] = bits[row - 1] ^ np.packbits(flipped)
    bits[10] = bits[200] = 255
    right = {}
    for one in range(300):
        for other, distance in enumerate(distances(bits, bits[[one]]).tolist()):
            if one != other and distance <= 15:
                right[one, other] = distance
    assert (10, 200) in right
    index = HashIndex(bits)
    assert pairs(index, bits, 15, only_earlier=False) == right
    earlier = {pair: distance for pair, distance in right.items() if pair[0] > pair[1]}
    assert pairs(index, bits, 15, only_earlier=True) == earlier
    others = index.similar(bits[[10, 0]], 0)
    assert {(0, 10), (0, 200), (1, 0)} <= set(
        zip(others.asked.tolist(), others.found.tolist(), strict=True)
    ), "hashes that are not in the index are paired with their equals"


def test_no_hash_and_one() -> None:
    none, one = np.empty((0, 32), np.uint8), np.full((1, 32), 7, np.uint8)
    assert pairs(HashIndex(none), none, 90, only_earlier=True) == {}
    assert pairs(HashIndex(one), one, 90, only_earlier=False) == {}


def test_few_hashes_need_no_common_word() -> None:
    bits = np.random.default_rng(1).integers(0, 256, (2_000, 32)).astype(np.uint8)
    bits[1_999] = bits[3] ^ np.uint8(1)  # a bit of every byte
    found = HashIndex(bits).similar(bits, 40, rows=np.arange(2_000), only_earlier=True)
    assert (found.asked.tolist(), found.found.tolist()) == ([1_999], [3])
    assert found.distances.tolist() == [32]
