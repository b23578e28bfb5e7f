"""A checkpoint's calibration turns logits into probabilities and evidence into confidence. Its
constants are always fitted.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

from sigseek.errors import Call, ErrorKind, Remedy
from sigseek.search.errors import CalibrationError
from sigseek.siglip.scoring import sigmoid

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """Platt's sigmoid over logits (Platt 1999) and a logistic regression over a hit's evidence:
    constants and their origin.
    """

    slope: float
    intercept: float
    evidence_weight: float
    """The weight of evidence in logits, that is, times the exponential of the logit scale."""
    photos_weight: float
    """The weight of the natural logarithm of the number of photos: among many photos, one is more
    likely to fit by chance.
    """
    confidence_intercept: float
    pictures: int
    """The number of pictures that the constants were fitted to."""
    captions: int

    def probabilities(self, logits: Floats) -> Floats:
        """Return the probability, 0 to 1, that text and photo match, for logits of any shape."""
        return sigmoid(self.slope * logits + self.intercept)

    def confidences(self, evidence: Floats, scale: float, photos: int) -> Floats:
        """Return the confidence, 0 to 1, that a library of `photos` photos contains what was asked
        for, if a photo with this evidence (n,) were its best.

        `scale` is the exponential of the checkpoint's logit scale.
        """
        import numpy as np

        odds = (
            self.evidence_weight * scale * evidence
            + self.photos_weight * np.log(photos)
            + self.confidence_intercept
        )
        return sigmoid(np.asarray(odds, np.float32))

    def as_json(self) -> str:
        """Return the calibration as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Calibration:
        """Read what `as_json` returned. Raises CalibrationError for anything else."""
        try:
            calibration = cls(**json.loads(line))
            if not all(map(math.isfinite, vars(calibration).values())):
                raise ValueError("a constant is not finite")
            if min(calibration.slope, calibration.evidence_weight) <= 0:
                raise ValueError("more evidence would count for less")
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            reason = " ".join(str(error).split())
            raise CalibrationError(
                f"the calibration cannot be read ({reason})",
                Remedy("make a new one with: {}", (Call("calibrate", ("CAPTIONS",)),)),
                ErrorKind.DAMAGED,
            ) from error
        return calibration
