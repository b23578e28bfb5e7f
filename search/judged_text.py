"""Judges a text in a library: whether there is anything of it, and which photos show it.

Searches, tags and evaluations judge texts here, so that all three list the same photos.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.search.calibration import Calibration
from sigseek.search.judgement import Judge
from sigseek.search.retrieval import highest
from sigseek.search.terms import Doubles, TextModel, text_model
from sigseek.siglip import Scoring

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

JUDGED = 100
"""The number of nearest photos whose evidence is looked at for a text's confidence."""


@dataclass(frozen=True)
class JudgedText:
    """The model of a text in one library. It makes a probability of the text's cosine to a photo:
    that the library shows anything of the text, times that the photo shows it then.
    """

    confidence: float | None
    """How certain it is, 0 to 1, that the library shows anything of the text; None in a library
    that was not measured.
    """
    shows: TextModel
    """How likely a photo shows the text, given that something does."""

    def __call__(self, cosines: Floats) -> Doubles:
        """Return the probabilities of photos, whose cosines may have any shape."""
        shown = self.shows(cosines)
        return shown if self.confidence is None else self.confidence * shown


@dataclass(frozen=True)
class TextJudge:
    """Judges texts by one library and checkpoint."""

    judge: Judge | None
    """It is None in a library that was not measured."""
    calibration: Calibration | None
    scoring: Scoring
    biases: Callable[[Ids], Floats]
    """It gives the biases (n,) of photos, whose ids ascend."""
    usual_bias: Callable[[], float]

    def judged(self, vector: Floats, sampled: Floats, ids: Ids, cosines: Floats) -> JudgedText:
        """Judge the text with the embedding (dim,).

        `sampled` are its cosines to a sample of the library. `ids`, ascending, and `cosines` (n,)
        are those of photos that include the nearest ones.
        """
        chance_logit = 0.0
        if self.judge and not self.calibration:
            cosine = self.judge.chance_cosine(vector, self.usual_bias())
            chance_logit = float(self.scoring.logits(np.array(cosine, np.float32)))
        model = text_model(sampled, self.scoring, self.calibration, chance_logit)
        return JudgedText(self._confidence(vector, ids, cosines), model)

    def _confidence(self, vector: Floats, ids: Ids, cosines: Floats) -> float | None:
        if self.judge is None:
            return None
        rows = np.sort(highest(cosines, JUDGED))
        return self.judge.confidence(vector, cosines[rows], self.biases(ids[rows]))
