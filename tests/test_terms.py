from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.calibration import Calibration
from sigseek.search.mixture import Mixture, fit_mixture
from sigseek.search.terms import photo_model, plain_model, tag_model, text_model
from sigseek.siglip import Scoring

Doubles = npt.NDArray[np.float64]

SCORING = Scoring(logit_scale=float(np.log(100)), logit_bias=-10.0)
CALIBRATION = Calibration(0.5, 1.0, 1.0, -1.0, 0.0, pictures=30, captions=30)


def drawn(*components: tuple[float, float, int], seed: int = 0) -> Doubles:
    """Draw numbers of normal distributions, each a mean, a spread and how many."""
    rng = np.random.default_rng(seed)
    return rng.permutation(
        np.concatenate([rng.normal(mean, spread, count) for mean, spread, count in components])
    )


def quantiles(mean: float, spread: float, count: int) -> npt.NDArray[np.float32]:
    """Return what a normal distribution would give, without chance."""
    normal = NormalDist(mean, spread)
    return np.array([normal.inv_cdf((place + 0.5) / count) for place in range(count)], np.float32)


@pytest.mark.parametrize("share", [0.03, 0.1, 0.4])
@pytest.mark.parametrize(
    ("absent", "present"), [((-12.0, 1.0), (-2.0, 1.5)), ((-20.0, 2.5), (4.0, 2.0))]
)
def test_a_known_mixture_is_found(
    absent: tuple[float, float], present: tuple[float, float], share: float
) -> None:
    count = int(share * 10_000)
    mixture = fit_mixture(drawn((*absent, 10_000 - count), (*present, count)))
    assert mixture is not None
    assert (mixture.absent_mean, mixture.absent_spread) == pytest.approx(absent, abs=0.1)
    assert (mixture.present_mean, mixture.present_spread) == pytest.approx(present, abs=0.3)
    assert mixture.share == pytest.approx(share, abs=0.004)


def test_the_probabilities_of_a_found_mixture_count_the_photos() -> None:
    logits = drawn((-12, 1, 9_000), (-2, 1.5, 1_000))
    mixture = fit_mixture(logits)
    assert mixture is not None
    assert mixture.probabilities(logits).sum() == pytest.approx(1_000, abs=5)
    assert mixture.probabilities(np.array([-2.0]))[0] > 0.999
    assert mixture.probabilities(np.array([-12.0]))[0] < 0.001


@pytest.mark.parametrize(
    "logits",
    [
        drawn((-12, 1.5, 10_000)),
        drawn((-12, 1, 9_970), (-2, 1, 30)),
        drawn((-12, 1, 9_000), (-9, 1, 1_000)),
        drawn((-12, 1, 150), (-2, 1, 49)),
        np.full(10_000, -12.0),
        np.repeat([-12.0, -2.0], [9_999, 1]),
        np.zeros(0),
        np.zeros(1),
    ],
    ids=[
        "one",
        "rare",
        "close together",
        "few photos",
        "all the same",
        "a single photo",
        "none",
        "one photo",
    ],
)
def test_no_mixture_is_seen_where_none_stands_apart(logits: Doubles) -> None:
    assert fit_mixture(logits) is None


def test_the_probability_by_bayes_between_the_means() -> None:
    mixture = Mixture(absent_mean=-10, absent_spread=1, present_mean=0, present_spread=2, share=0.2)
    logits = np.array([-10.0, -7.0, -6.5, -4.0, 0.0])
    present = 0.2 * np.array([NormalDist(0, 2).pdf(logit) for logit in logits])
    absent = 0.8 * np.array([NormalDist(-10, 1).pdf(logit) for logit in logits])
    np.testing.assert_allclose(
        mixture.probabilities(logits), present / (present + absent), rtol=1e-9
    )


means = st.floats(-50, 50)
spreads = st.floats(0.3, 10)


@given(
    means,
    st.floats(0.01, 60),
    spreads,
    spreads,
    st.floats(0.02, 0.98),
    st.lists(st.floats(-1e6, 1e6) | st.floats(-60, 60) | st.sampled_from([-np.inf, np.inf])),
)
def test_a_mixtures_probabilities_never_fall(
    mean: float, distance: float, absent: float, present: float, share: float, logits: list[float]
) -> None:
    mixture = Mixture(mean, absent, mean + distance, present, share)
    found = mixture.probabilities(np.sort(np.array(logits)))
    assert np.all(np.diff(found) >= 0)
    assert np.all((found >= 0) & (found <= 1))


def test_a_text_is_judged_by_the_sigmoid_where_nothing_stands_apart() -> None:
    cosines = np.array([0.05, 0.1, 0.12, 1.0, -1.0], np.float32)
    nothing = quantiles(0.03, 0.02, 5_000)
    for sample in (nothing, nothing[:0], nothing[:1], nothing[:2]):
        found = text_model(sample, SCORING, None)(cosines)
        assert found == pytest.approx(
            [1 / (1 + np.exp(5)), 0.5, 1 / (1 + np.exp(-2)), 1, 0], abs=1e-5
        )
        assert found.dtype == np.float64
        calibrated = text_model(sample, SCORING, CALIBRATION)(cosines)
        assert calibrated == pytest.approx(
            1 / (1 + np.exp(-np.array([-1.5, 1, 2, 46, -54]))), abs=1e-5
        )
        assert calibrated.tolist() == plain_model(SCORING, CALIBRATION)(cosines).tolist()


def test_a_text_is_judged_by_the_mixture_where_two_stand_apart() -> None:
    """The sigmoid would say that none of them is likely."""
    sample = np.concatenate([quantiles(-0.05, 0.01, 4_000), quantiles(0.05, 0.01, 1_000)])
    for calibration in (None, CALIBRATION):
        found = text_model(sample, SCORING, calibration)(sample)
        assert found[:4_000].max() < 0.5 < found[4_000:].min()
        assert found.sum() == pytest.approx(1_000, abs=1)


@pytest.mark.parametrize("photos", [100, 10_000, 1_000_000])
def test_a_photo_is_even_where_one_in_all_would_be_by_chance(photos: int) -> None:
    model = photo_model(quantiles(0.6, 0.05, 10_001), photos)
    chance = NormalDist().inv_cdf(1 - 1 / photos)
    spreads = np.array([chance - 1, chance, chance + 1])
    found = model((0.6 + 0.05 * spreads).astype(np.float32))
    assert found == pytest.approx(1 / (1 + np.exp([chance, 0, -chance])), abs=0.002)


def test_what_is_like_the_photo_does_not_widen_the_spread() -> None:
    sample = quantiles(0.6, 0.05, 10_001)
    alike = sample.copy()
    alike[-1_000:] = 0.98
    cosines = np.linspace(0.5, 1, 50, dtype=np.float32)
    assert (
        photo_model(alike, 10_001)(cosines).tolist()
        == photo_model(sample, 10_001)(cosines).tolist()
    )


@given(
    st.lists(st.floats(-1, 1, width=32), max_size=30),
    st.integers(0, 1_000_000),
    st.lists(st.floats(-1, 1, width=32), min_size=1),
)
def test_a_photos_probabilities_never_fall(
    sample: list[float], photos: int, cosines: list[float]
) -> None:
    found = photo_model(np.array(sample, np.float32), photos)(
        np.sort(np.array(cosines, np.float32))
    )
    assert np.all(np.diff(found) >= 0)
    assert np.all((found >= 0) & (found <= 1))


def test_a_photo_among_next_to_none() -> None:
    cosines = np.array([[0.1, 0.9]], np.float32)
    for count in (0, 1):
        found = photo_model(np.full(count, 0.5, np.float32), count)(cosines)
        assert found == pytest.approx(np.full((1, 2), 0.25)), "nothing to compare with"
    for count, chance in ((2, NormalDist().inv_cdf(2 / 3)), (1_000, NormalDist().inv_cdf(0.999))):
        model = photo_model(
            np.full(count, 0.5, np.float32), count
        )  # all the same: whatever is nearer than they are is alike
        found = model(np.array([0.4, 0.5, 0.6], np.float32))
        assert found == pytest.approx([0, 1 / (1 + np.exp(chance**2)), 1], abs=1e-6)


def test_a_tag_is_there_or_not() -> None:
    found = tag_model()(np.array([1, 0, 1], np.float32))
    assert found.tolist() == [1, 0, 1]
    assert found.dtype == np.float64
