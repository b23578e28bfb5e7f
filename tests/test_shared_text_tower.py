"""Texts of several threads in one forward pass, and the embeddings that are kept."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from sigseek.siglip import ImageTower, TextTower
from sigseek.siglip.shared_text_tower import LARGEST_PASS, SharedTextTower


class CountedTower:
    """The text tower of mini, which notes its passes and may be held in the middle of one."""

    def __init__(self, tower: TextTower) -> None:
        self._tower = tower
        self.embed_without_counting = tower.embed
        self.passes: list[list[str]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.unreadable: set[str] = set()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.passes.append(list(texts))
        assert self.may_go_on.wait(30)
        if self.unreadable & set(texts):
            raise ValueError("unreadable")
        return self.embed_without_counting(texts)

    def cuts(self, text: str) -> bool:
        return self._tower.cuts(text)

    def unknown_share(self, text: str) -> float:
        return self._tower.unknown_share(text)

    def unfamiliar_words(self, text: str) -> tuple[str, ...]:
        return self._tower.unfamiliar_words(text)


@pytest.fixture
def counted(mini_towers: tuple[ImageTower, TextTower]) -> CountedTower:
    return CountedTower(mini_towers[1])


def wait_for(shared: SharedTextTower, calls: int) -> None:
    """Wait until so many calls stand in the queue."""
    until = time.monotonic() + 30
    while len(shared._waiting) < calls:
        assert time.monotonic() < until
        time.sleep(0.001)


def hold_first(
    pool: ThreadPoolExecutor, shared: SharedTextTower, counted: CountedTower, others: list[str]
) -> list[Future[np.ndarray]]:
    """Begin a pass with "first" and have the other texts wait for its end."""
    counted.may_go_on.clear()
    futures = [pool.submit(shared.embed, ["first"])]
    while not counted.passes:
        time.sleep(0.001)
    for number, text in enumerate(others, 1):
        futures.append(pool.submit(shared.embed, [text]))
        wait_for(shared, number)
    counted.may_go_on.set()
    return futures


def test_texts_that_wait_share_a_pass(counted: CountedTower) -> None:
    shared = SharedTextTower(counted)
    with ThreadPoolExecutor(8) as pool:
        futures = hold_first(pool, shared, counted, ["a cat", "a dog", "a bus", "a cat"])
        found = [future.result() for future in futures]
    assert counted.passes == [["first"], ["a cat", "a dog", "a bus"]]
    alone = [counted.embed([text])[0] for text in ("first", "a cat", "a dog", "a bus", "a cat")]
    np.testing.assert_allclose(np.concatenate(found), alone, atol=1e-5)
    np.testing.assert_array_equal(found[1], found[4])


def test_no_pass_is_larger_than_the_largest(counted: CountedTower) -> None:
    shared = SharedTextTower(counted)
    texts = [f"{number} cats" for number in range(2 * LARGEST_PASS + 3)]
    with ThreadPoolExecutor(64) as pool:
        for future in hold_first(pool, shared, counted, texts):
            future.result()
    assert [len(texts) for texts in counted.passes] == [1, LARGEST_PASS, LARGEST_PASS, 3]


def test_a_text_that_was_embedded_is_not_embedded_again(counted: CountedTower) -> None:
    shared = SharedTextTower(counted)
    first = shared.embed(["a cat", "a dog", "a cat"])
    np.testing.assert_array_equal(shared.embed(["a dog", "a cat"]), first[[1, 0]])
    shared.embed(["a cat", "a bus"])
    assert counted.passes == [["a cat", "a dog"], ["a bus"]]


def test_the_last_thousand_are_kept_and_whoever_asks_again_stays(counted: CountedTower) -> None:
    shared = SharedTextTower(counted)
    counted.embed_without_counting = lambda texts: np.ones((len(texts), 192), np.float32)
    texts = [f"text {number}" for number in range(1000)]
    for start in range(0, 1000, 10):
        shared.embed(texts[start : start + 10])
    shared.embed(["text 0"])
    shared.embed(["one more"])
    passes = len(counted.passes)
    shared.embed(["text 0", "text 2", "one more"])
    assert len(counted.passes) == passes
    shared.embed(["text 1"])
    assert counted.passes[passes:] == [["text 1"]]


def test_what_a_caller_does_with_a_result_changes_no_later_one(counted: CountedTower) -> None:
    shared = SharedTextTower(counted)
    first = shared.embed(["a cat"])
    kept = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(shared.embed(["a cat"]), kept)


def test_many_texts_have_a_pass_of_their_own_and_are_not_kept(counted: CountedTower) -> None:
    shared = SharedTextTower(counted)
    texts = [f"label {number}" for number in range(65)]
    shared.embed(texts)
    shared.embed(texts[:1])
    assert counted.passes == [texts, texts[:1]]


def test_a_text_that_fails_fails_only_its_own_call(counted: CountedTower) -> None:
    shared = SharedTextTower(counted)
    counted.unreadable = {"bad"}
    with ThreadPoolExecutor(8) as pool:
        first, good, bad, other = hold_first(pool, shared, counted, ["good", "bad", "other"])
        with pytest.raises(ValueError, match="unreadable"):
            bad.result()
        for future in (first, good, other):
            assert future.result().shape == (1, 192)
    assert shared.embed(["afterwards"]).shape == (1, 192)


def test_a_call_that_is_interrupted_leaves_the_tower_to_the_others(counted: CountedTower) -> None:
    shared = SharedTextTower(counted)

    def interrupted(texts: Sequence[str]) -> np.ndarray:
        raise KeyboardInterrupt

    embed, counted.embed = counted.embed, interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        shared.embed(["a cat"])
    counted.embed = embed  # type: ignore[method-assign]
    assert shared.embed(["a cat"]).shape == (1, 192)
