"""From embeddings to scores: cosine, logit, sigmoid probability.

numpy is imported where something is computed: every start describes a checkpoint, which needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scoring:
    """The two learned scalars of SigLIP's loss (Zhai et al. 2023, arXiv 2303.15343, section 3.2).

    `logit_scale` is the logarithm of the factor, as checkpoints hold it.
    """

    logit_scale: float
    logit_bias: float

    def logits(self, cosines: Floats) -> Floats:
        """Return `exp(logit_scale) * cosine + logit_bias` in float32, for cosines of any shape."""
        import numpy as np

        scale = np.exp(np.float32(self.logit_scale))
        logits: Floats = np.asarray(cosines, np.float32) * scale + np.float32(self.logit_bias)
        return logits

    def probabilities(self, cosines: Floats) -> Floats:
        """Return the sigmoid of the logits: the probability, 0 to 1, that a pair matches.

        Each pair of text and picture is judged by itself.
        """
        return sigmoid(self.logits(cosines))


def sigmoid(logits: Floats) -> Floats:
    """Return 1 / (1 + exp(-logit)) in float32, without overflow for logits of any size."""
    import numpy as np

    logits = np.asarray(logits, np.float32)
    small = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)


def cosines(queries: Floats, embeddings: Floats) -> Floats:
    """Return cosines float32 (queries, n) of unit-norm embeddings (queries, dim) and (n, dim)."""
    import numpy as np

    return np.asarray(queries, np.float32) @ np.asarray(embeddings, np.float32).T
