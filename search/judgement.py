"""The evidence for a hit, and the verdict on it: match, maybe or no match.

Logits of different queries cannot be compared. Some photos score high for every query, some words
fit every photo a little, and among many photos one scores high by chance. Evidence is the cosine
without the first two effects. The effect of library size enters through the threshold. The
checkpoint's calibration knows the number of photos. Without a calibration, evidence is compared
with the evidence that texts which almost no photo matches find in the same library.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.search.algebra import combine_levels
from sigseek.search.calibration import Calibration
from sigseek.search.query import Leaf, Query, Text
from sigseek.search.verdicts import MATCH, JudgedBy
from sigseek.siglip.yardstick.evidence import evidence, text_floors
from sigseek.siglip.yardstick.steps import WHOLE
from sigseek.storage import YardstickRecord

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]
LIKELY, _POSSIBLE = 0.5, 0.1
"""The least probability of a match and of a maybe for a term that is a photo."""
_CALIBRATED = (0.7, 0.3)
"""The least confidence of a match and of a maybe. It was chosen on drawings, for the errors shown
in docs/scores.md.
"""
_UNCALIBRATED = (0.995, 0.9)
"""The same without a calibration: at most 1, or at most 20, of the 200 absent texts found as much
evidence.
"""
_TAIL = 0.1


@dataclass(frozen=True)
class Judge:
    """Judges the hits of one library and checkpoint."""

    yardstick: YardstickRecord
    calibration: Calibration | None
    scale: float
    """The exponential of the logit scale."""
    photos: int
    """The number of photos that the best hit is the best of."""

    @property
    def judged_by(self) -> JudgedBy:
        """Return what the verdicts are based on."""
        if self.yardstick.common_texts < WHOLE.common:
            return "provisional"
        return "calibrated" if self.calibration else "uncalibrated"

    def confidences(self, text: Floats, cosines: Floats, biases: Floats) -> Doubles:
        """Return the confidence, 0 to 1, that the photos (n,) are not chance hits of the text's
        embedding (dim,).

        `biases` (n,) are NaN for photos without a measured bias, which get the mean bias.
        """
        known = ~np.isnan(biases)
        biases = np.where(known, biases, biases[known].mean() if known.any() else 0)
        floor = text_floors(text[None], self.yardstick.pictures)
        found = evidence(cosines, biases, floor)
        if self.calibration:
            return self.calibration.confidences(found, self.scale, self.photos).astype(np.float64)
        return _share_below(
            found.astype(np.float64), np.sort(self.yardstick.absent_evidence).astype(np.float64)
        )

    def levels(self, confidences: Doubles) -> Levels:
        """Return the level of each confidence (n,) as int8. VERDICTS names the levels."""
        return _levels(confidences, *(_CALIBRATED if self.calibration else _UNCALIBRATED))


def judge_query(
    query: Query,
    judge: Judge | None,
    vectors: Mapping[Leaf, Floats],
    biases: Floats,
    cosines: Mapping[Leaf, Floats],
    by_term: Mapping[Leaf, Doubles],
) -> tuple[Doubles | None, Levels]:
    """Return the confidences (n,) and the levels (n,) of photos, by the embedding (dim,) of each
    text, the photos' biases (n,), and the photos' cosines (n,) and probabilities (n,) for each
    term.

    Without a judge, which a library has once it was measured, there are no confidences and all
    photos match.
    """
    if judge is None:
        return None, np.full(len(biases), MATCH, np.int8)
    confidences: dict[Leaf, Doubles] = {}
    levels: dict[Leaf, Levels] = {}
    for term, values in cosines.items():
        if isinstance(term, Text):
            confidences[term] = judge.confidences(vectors[term], values, biases)
            levels[term] = judge.levels(confidences[term])
        else:
            confidences[term] = by_term[term]
            levels[term] = _levels(by_term[term], LIKELY, _POSSIBLE)
    return combine_levels(query, confidences, 1), combine_levels(query, levels, MATCH)


def _levels(values: Doubles, match: float, maybe: float) -> Levels:
    """Return the level (n,) of each value, given the least values of a match and of a maybe."""
    return (values >= match).astype(np.int8) + (values >= maybe)


def _share_below(values: Doubles, absent: Doubles) -> Doubles:
    """Return the share, 0 to 1, of the absent texts' evidence, ascending (m,), below each value
    (n,).

    Above the highest evidence, half a text is left, and it falls like an exponential tail whose
    mean is the mean excess of the upper tenth. Hits above all absent texts can then still be
    compared.
    """
    count = len(absent)
    upper = absent[-max(1, round(_TAIL * count)) :]
    scale = max(float((upper - upper[0]).mean()), 1e-6)
    beyond = np.exp(-np.clip(values - absent[-1], 0, None) / scale) / (2 * count)
    inside = np.searchsorted(absent, values, side="left") / count
    return np.where(values > absent[-1], 1 - beyond, inside)
