"""What speaks for a hit, and the verdict on it: match, maybe or no match.

A logit does not carry over from query to query. Some photos score high whatever is asked, some
words fit every photo a little, and among many photos one scores high by chance. Evidence is the
cosine without the first two effects. The third is in the threshold: the checkpoint's calibration
knows the number of photos, and without a calibration evidence is compared with what texts that next
to no photo fits find in this very library.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.search.calibration import Calibration
from sigseek.search.verdicts import JudgedBy
from sigseek.siglip.yardstick.embeddings import evidence, text_floors
from sigseek.storage import YardstickRecord

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]
_CALIBRATED = (0.7, 0.3)
"""Confidence from which on a hit is a match, and a maybe: chosen on drawings, for the errors in
docs/scores.md.
"""
_UNCALIBRATED = (0.995, 0.9)
"""The same without a calibration: at most 1 and at most 20 of the 200 absent texts found as much
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
    """Of how many a hit is the best."""

    @property
    def judged_by(self) -> JudgedBy:
        """What verdicts rest on."""
        return "calibrated" if self.calibration else "uncalibrated"

    def confidences(self, text: Floats, cosines: Floats, biases: Floats) -> Doubles:
        """How sure it is that the photos (n,) are no chance hits of the text's embedding (dim,), 0
        to 1.

        `biases` (n,) are NaN for photos that were not measured; these take the mean.
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
        """The level of each confidence (n,), as int8; VERDICTS names them."""
        match, maybe = _CALIBRATED if self.calibration else _UNCALIBRATED
        return ((confidences >= match).astype(np.int8) + (confidences >= maybe)).astype(np.int8)


def _share_below(values: Doubles, absent: Doubles) -> Doubles:
    """The share of the absent texts' evidence, ascending (m,), that lies below each value (n,), 0
    to 1.

    Beyond the highest, half of a text is left and falls as an exponential tail does, by the mean
    excess of the upper tenth: so hits that all absent texts fall short of are still told apart.
    """
    count = len(absent)
    upper = absent[-max(1, round(_TAIL * count)) :]
    scale = max(float((upper - upper[0]).mean()), 1e-6)
    beyond = np.exp(-np.clip(values - absent[-1], 0, None) / scale) / (2 * count)
    inside = np.searchsorted(absent, values, side="left") / count
    return np.where(values > absent[-1], 1 - beyond, inside)
