"""Whether a library contains anything of what a text asks for.

Logits of different queries cannot be compared. Some photos score high for every query, some words
fit every photo a little, and among many photos one scores high by chance. Evidence is the cosine
without the first two effects. The effect of library size enters through the threshold. The
checkpoint's calibration knows the number of photos. Without a calibration, evidence is compared
with the evidence that texts which almost no photo matches find in the same library.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sigseek.search.calibration import Calibration
from sigseek.search.verdicts import JudgedBy
from sigseek.siglip.yardstick.evidence import evidence, text_floors
from sigseek.siglip.yardstick.steps import WHOLE
from sigseek.storage import YardstickRecord

Floats = npt.NDArray[np.float32]
_TAIL = 0.1
_PRESENT = 0.4
"""The share of queries whose thing is there, as far as a calibrated confidence is concerned. The
calibration takes half of them as there. With four in ten, absent things that match and present
ones that do not are the fewest together on drawings (docs/scores.md).
"""
_EVEN_CHANCE, _STEEPNESS = 0.005, 0.75
"""Without a calibration the confidence is one half where 1 of the 200 absent texts finds as much
evidence, and a tenth where 20 of them do.
"""

_BY_CHANCE = 0.98
"""The share of the absent texts that find less than what may be there by chance. This share, the
chance and the steepness were chosen on drawings.
"""
_MANY_PHOTOS = 5000
"""So many photos show what chance can find. Fewer photos find less by chance, but one photo of them
is no more likely to show what was asked for.
"""


@dataclass(frozen=True)
class Judge:
    """Judges the queries of one library and checkpoint."""

    yardstick: YardstickRecord
    calibration: Calibration | None
    scale: float
    """The exponential of the logit scale."""
    photos: int
    """The number of photos that the best hit is the best of."""

    @property
    def judged_by(self) -> JudgedBy:
        """Return what the confidence is based on."""
        if self.yardstick.common_texts < WHOLE.common:
            return "provisional"
        return "calibrated" if self.calibration else "uncalibrated"

    def confidence(self, text: Floats, cosines: Floats, biases: Floats) -> float:
        """Return how certain it is, 0 to 1, that the library contains what the text with the
        embedding (dim,) asks for.

        `cosines` (n,) are those of the library's best photos, and `biases` (n,) belong to these
        photos. Without a photo the confidence is 0.
        """
        if not len(cosines):
            return 0.0
        floor = self._floor(text)
        best = evidence(cosines, biases, floor).max(keepdims=True)
        if self.calibration:
            even = float(self.calibration.confidences(best, self.scale, self.photos)[0])
            return _PRESENT * even / (_PRESENT * even + (1 - _PRESENT) * (1 - even))
        chance = _share_above(float(best[0]), self._absent_evidence)
        return float(1 / (1 + (chance / _EVEN_CHANCE) ** _STEEPNESS))

    def chance_cosine(self, text: Floats, bias: float) -> float:
        """Return the cosine that one in fifty absent texts would reach somewhere in a library of
        5,000 photos or more, for a text with the embedding (dim,) and a photo of this bias.
        """
        nothing, biases = np.zeros(1, np.float32), np.array([bias], np.float32)
        return self._evidence_by_chance - float(evidence(nothing, biases, self._floor(text))[0])

    def _floor(self, text: Floats) -> Floats:
        """Return the floor float32 (1,) of the text with the embedding (dim,)."""
        return text_floors(text[None], self.yardstick.pictures)

    # Every search needs these, and they are the same for all.

    @cached_property
    def _absent_evidence(self) -> Floats:
        """The evidence of the absent texts, ascending (m,)."""
        return np.sort(self.yardstick.absent_evidence)

    @cached_property
    def _evidence_by_chance(self) -> float:
        """The evidence that one in fifty absent texts finds among 5,000 photos or more."""
        found = float(np.quantile(self.yardstick.absent_evidence, _BY_CHANCE))
        # A logit is a logarithm of odds: twice the photos raise the best by chance by log(2).
        return found + max(0.0, math.log(_MANY_PHOTOS / max(self.photos, 1))) / self.scale


def _share_above(value: float, absent: Floats) -> float:
    """Return the share, 0 to 1, of the absent texts whose evidence, ascending (m,), is as high as
    the value.

    Above the highest evidence, half a text is left, and it falls like an exponential tail whose
    mean is the mean excess of the upper tenth. Texts above all absent ones can then still be
    compared.
    """
    count = len(absent)
    if value <= absent[-1]:
        return 1 - float(np.searchsorted(absent, value, side="left")) / count
    upper = absent[-max(1, round(_TAIL * count)) :]
    scale = max(float((upper - upper[0]).mean()), 1e-6)
    return float(np.exp(-(value - absent[-1]) / scale) / (2 * count))
