import hashlib
import itertools
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from sigseek.errors import StoppedError
from sigseek.progress import Stop
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from sigseek.siglip.yardstick import VERSION, embeddings
from sigseek.siglip.yardstick.embeddings import Yardstick, load_yardstick
from sigseek.siglip.yardstick.evidence import evidence, evidence_of_all_absent, text_floors
from sigseek.siglip.yardstick.pictures import COUNT, yardstick_pictures
from sigseek.siglip.yardstick.steps import STEPS, WHOLE, YardstickStep, step_of
from sigseek.siglip.yardstick.texts import (
    ABSENT,
    COMMON,
    _words,
    absent_texts,
    common_texts,
    composed_texts,
)
from tests.catalogs import unit
from tests.listeners import Heard


def test_texts_and_pictures_are_those_of_their_version() -> None:
    texts = hashlib.sha256("\n".join([*common_texts(), *absent_texts()]).encode()).hexdigest()
    pictures = hashlib.sha256(yardstick_pictures(64, 64).tobytes()).hexdigest()
    assert (VERSION, texts, pictures) == (
        2,
        "e21cba5d74a7a5e045229c4a0ef8774111edc1c9f6b9ec0df64d0fd3ab6ab520",
        "38fed9172c84a553429a2618b9b8ca4047969488ece840923b03430319cdf11f",
    ), (
        "a text or a picture has changed, and old measurements no longer hold: "
        "raise VERSION, then note both sums here"
    )


def test_the_texts_are_all_different_and_well_written() -> None:
    common, absent = common_texts(), absent_texts()
    assert (len(common), len(absent)) == (COMMON, ABSENT) == (256, 200)
    assert len({*common, *absent}) == 456
    wrong = re.compile(r"\ba [aeiou]|\ban [^aeiou]|\ba$|  |^ | $|[{}|]")
    assert [text for text in [*common, *absent] if wrong.search(text)] == []


def test_the_pictures_are_all_different_and_of_the_size_asked_for() -> None:
    pictures = yardstick_pictures(24, 40)
    assert pictures.shape == (COUNT, 24, 40, 3)
    assert pictures.dtype == np.uint8
    assert len({picture.tobytes() for picture in pictures}) == COUNT
    assert len(np.unique(pictures[0].reshape(-1, 3), axis=0)) == 1, "the first is plain"


def test_each_step_includes_the_one_before() -> None:
    for smaller, larger in itertools.pairwise(STEPS):
        assert all(few < more for few, more in zip(smaller, larger, strict=True))
    assert WHOLE == STEPS[-1] == (256, 200, 32)
    assert [step_of(step.common) for step in STEPS] == list(STEPS)
    assert step_of(2000) is None


def known(wanted: int) -> npt.NDArray[np.float32]:
    """Return unit vectors of which the `wanted` highest cosines to both axes are 0.6 and 0.8, twice
    the other way round.
    """
    return unit([[0.6, 0.8]] * (wanted - 2) + [[0.8, 0.6]] * 2 + [[-1, 0]] * 3 + [[0, -1]] * 3)


def test_biases_are_the_mean_of_the_20_highest_cosines() -> None:
    some = Yardstick(known(20), unit([[1, 0]]), known(20))
    expected = [(18 * 0.6 + 2 * 0.8) / 20, (18 * 0.8 + 2 * 0.6) / 20]
    assert some.biases(unit([[1, 0], [0, 1]])) == pytest.approx(expected, abs=1e-6)
    assert some.biases(np.zeros((0, 2), np.float32)).shape == (0,)


def test_floors_are_the_mean_of_the_2_highest_cosines() -> None:
    pictures = unit([[0.6, 0.8], [0.8, 0.6], [1, 0], [-1, 0]])
    assert text_floors(unit([[1, 0], [0, 1]]), pictures) == pytest.approx([0.9, 0.7], abs=1e-6)


def test_evidence_lacks_half_of_the_bias_and_a_fifth_of_the_floor() -> None:
    cosines, biases = np.array([[0.5, 0.3]], np.float32), np.array([0.4, 0.2], np.float32)
    assert evidence(cosines, biases, np.array([[0.1]], np.float32)) == pytest.approx(
        np.array([[0.28, 0.18]]), abs=1e-6
    )


def test_what_a_few_absent_texts_find_tells_what_all_would_find() -> None:
    """The few come from Gumbel's distribution with mode 0.1 and scale 0.02."""
    even = (np.arange(40_000) + 0.5) / 40_000
    few = (0.1 - 0.02 * np.log(-np.log(even))).astype(np.float32)
    found = evidence_of_all_absent(few, 200)
    assert (found.shape, found.dtype) == ((200,), np.float32)
    assert np.all(np.diff(found) > 0)
    for position, share in ((0, 1 / 200), (99, 0.5), (198, 0.995), (199, 0.9975)):
        assert found[position] == pytest.approx(0.1 - 0.02 * np.log(-np.log(share)), abs=0.0005)


def test_the_evidence_for_absent_texts() -> None:
    some = Yardstick(known(20), unit([[1, 0], [0, 1]]), unit([[0.6, 0.8], [0.8, 0.6]]))
    photos = unit([[0.6, 0.8], [1, 0]])
    found = some.absent_evidence(photos, np.array([0.2, 0.4], np.float32))
    expected = [[0.6 - 0.1 - 0.14, 1 - 0.2 - 0.14], [0.8 - 0.1 - 0.14, 0 - 0.2 - 0.14]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


class Counted:
    """Loads mini's yardstick and counts how often the text tower is asked for."""

    def __init__(self, mini: Checkpoint, towers: tuple[ImageTower, TextTower]) -> None:
        self._mini = mini
        self._images, self._texts = towers
        self.measured = 0
        self.heard = Heard()

    def load(
        self, stop: Stop | None = None, least: YardstickStep | None = None, seconds: float = 0.0
    ) -> Yardstick:
        return load_yardstick(
            self._mini, self._images, self._tower, self.heard, stop or Stop(), least, seconds
        )

    def told(self) -> list[tuple[int, int | None]]:
        """Return how many texts of how many were embedded, each time that it was told."""
        told = [(progress.done, progress.total) for progress in self.heard.progress]
        self.heard.progress.clear()
        return list(dict.fromkeys(told))

    def _tower(self) -> TextTower:
        self.measured += 1
        return self._texts


@pytest.fixture
def counted(
    mini: Checkpoint,
    mini_towers: tuple[ImageTower, TextTower],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Counted:
    """Give a counting yardstick with a cache of its own, and few texts and pictures."""
    monkeypatch.setenv("SIGSEEK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(embeddings, "STEPS", FEW)
    return Counted(mini, mini_towers)


FEW = (YardstickStep(10, 4, 2), YardstickStep(30, 5, 7), YardstickStep(60, 7, 9))


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache" / "references").iterdir())


def test_what_was_measured_comes_from_the_cache_the_next_time(
    counted: Counted, mini: Checkpoint, tmp_path: Path
) -> None:
    first, second = counted.load(), counted.load()
    assert (counted.measured, len(counted.heard.lines)) == (1, 1)
    assert counted.heard.lines[0].startswith("measuring how mini scores 67 reference captions")
    assert counted.told() == [(done, 67) for done in (0, 4, 14, 15, 31, 35, 37, 53, 67)]
    (path,) = kept(tmp_path)
    assert path.name == f"{mini.fingerprint}-{mini.preprocessing.fingerprint}-fp32-{VERSION}.npz"
    for name, count in (("common", 60), ("absent", 7), ("pictures", 9)):
        vectors = getattr(first, name)
        np.testing.assert_array_equal(vectors, getattr(second, name))
        assert (vectors.dtype, vectors.shape) == (np.float32, (count, mini.dimension))
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_what_is_measured_is_what_the_towers_make_of_it(
    counted: Counted, mini_towers: tuple[ImageTower, TextTower]
) -> None:
    found = counted.load()
    images, texts = mini_towers
    np.testing.assert_allclose(found.common[57:60], texts.embed(common_texts()[57:60]), atol=1e-5)
    np.testing.assert_allclose(found.absent[3:5], texts.embed(absent_texts()[3:5]), atol=1e-5)
    np.testing.assert_allclose(
        found.pictures[-3:], images.embed(yardstick_pictures(96, 96)[6:9]), atol=1e-5
    )


def test_a_damaged_cache_file_is_made_again(counted: Counted, tmp_path: Path) -> None:
    expected = counted.load()
    (path,) = kept(tmp_path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for count, contents in enumerate([b"", whole[:-1], flipped], 2):
        path.write_bytes(contents)
        np.testing.assert_allclose(counted.load().common, expected.common, atol=1e-6)
        assert counted.measured == count
    counted.load()
    assert counted.measured == 4
    np.savez(
        path,
        common=expected.common[:, :8],
        absent=expected.absent[:, :8],
        pictures=expected.pictures[:, :8],
    )
    counted.load()
    assert counted.measured == 5, "of another dimension"
    assert kept(tmp_path) == [path]


class StopAfter(Stop):
    """A token that is set once somebody has looked at it `looks` times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def check(self) -> None:
        self._looks -= 1
        if self._looks < 0:
            self.set()
        super().check()


def test_an_interrupted_call_loses_no_batch_that_is_done(counted: Counted) -> None:
    for looks, begins_at in ((4, 0), (0, 15), (1, 15), (2, 31), (1, 35), (0, 37)):
        with pytest.raises(StoppedError):
            counted.load(StopAfter(looks))
        assert counted.told()[0] == (begins_at, 67)
    interrupted = counted.load()
    assert len(interrupted.pictures) == 9
    np.testing.assert_allclose(
        np.concatenate([interrupted.absent, interrupted.common]),
        counted._texts.embed([*absent_texts()[:7], *common_texts()[:60]]),
        atol=1e-5,
    )


def test_a_step_is_made_when_it_is_asked_for_and_the_next_one_goes_on_from_there(
    counted: Counted,
) -> None:
    first, second, whole = FEW
    found = counted.load(least=first)
    assert (len(found.common), len(found.absent), len(found.pictures)) == first
    assert counted.told() == [(0, 14), (4, 14), (14, 14)]
    (line,) = counted.heard.lines
    assert line.startswith("measuring how mini scores the first 14 of 67 reference captions")
    again = counted.load(least=first)
    assert (counted.measured, counted.told()) == (1, [])
    larger = counted.load(least=second)
    assert counted.told() == [(14, 35), (15, 35), (31, 35), (35, 35)]
    complete = counted.load(least=first)
    assert len(complete.common) == second.common, "more than was asked for is in the cache"
    everything = counted.load()
    assert everything.includes(whole)
    for smaller in (found, again, larger):
        np.testing.assert_array_equal(everything.common[: len(smaller.common)], smaller.common)
        np.testing.assert_array_equal(everything.absent[: len(smaller.absent)], smaller.absent)


@pytest.mark.parametrize(
    ("seconds", "reached", "kept_texts"),
    [(0, 0, 14), (1.9, 0, 14), (3.5, 0, 35), (5, 1, 37), (1000, 2, 67)],
)
def test_beyond_the_least_step_it_goes_on_for_the_seconds_that_it_may(
    counted: Counted,
    mini: Checkpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    reached: int,
    kept_texts: int,
) -> None:
    """Each batch takes one second by this clock; the first step is in the cache."""
    counted.load(least=FEW[0])
    now = itertools.count()
    monkeypatch.setattr(embeddings, "time", SimpleNamespace(monotonic=lambda: next(now)))
    found = counted.load(least=FEW[0], seconds=seconds)
    assert len(found.common) == FEW[reached].common
    (path,) = kept(tmp_path)
    in_cache = embeddings._read(path, mini.dimension)
    assert len(in_cache.common) + len(in_cache.absent) == kept_texts, "nothing made is lost"


def test_the_common_texts_use_the_words_evenly() -> None:
    """A random choice of as many leaves out 93 of the 357 words, and has "white" 12 times."""
    words = Counter(word for text in common_texts() for word in _words(text))
    known = {word for text in composed_texts() for word in _words(text)}
    assert len(known) == 357
    assert len(known - words.keys()) == 42
    assert words.most_common(1) == [("white", 8)]


def test_a_cache_that_cannot_be_written_is_no_obstacle(counted: Counted, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in its place")
    np.testing.assert_array_equal(counted.load().absent, counted.load().absent)
    assert counted.measured == 2


def test_another_precision_or_version_is_kept_apart(
    counted: Counted,
    mini_towers: tuple[ImageTower, TextTower],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted.load()
    monkeypatch.setattr(mini_towers[0], "precision", "bf16")
    counted.load()
    monkeypatch.setattr(embeddings, "VERSION", VERSION + 1)
    counted.load()
    assert counted.measured == len(kept(tmp_path)) == 3
