"""A checkpoint's calibration: from logits to probabilities, from evidence to confidence. Its
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
    """Of evidence times the exponential of the logit scale, that is, in logits."""
    photos_weight: float
    """Of the natural logarithm of the number of photos: among many photos one fits by chance
    sooner.
    """
    confidence_intercept: float
    pictures: int
    """What it was fitted to."""
    captions: int

    def probabilities(self, logits: Floats) -> Floats:
        """The probability that text and photo match, 0 to 1, of logits of any shape."""
        return sigmoid(self.slope * logits + self.intercept)

    def confidences(self, evidence: Floats, scale: float, photos: int) -> Floats:
        """How sure it is that a library of so many photos shows what was asked, 0 to 1, of evidence
        (n,), the best hit's first.

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
        """The calibration as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Calibration:
        """What `as_json` gave; CalibrationError for anything else."""
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
