"""What cosines are corrected by before hits are judged: a photo's bias and a text's floor.

A photo's *bias* is the mean of its 20 highest cosines to the common texts. It tells how high the
photo scores whatever is asked (Nearest Neighbor Normalization, Chowdhury et al., EMNLP 2024, arXiv
2410.24114). A text's *floor* is the mean of its 2 highest cosines to pictures that show nothing.
The *evidence* of a photo for a text is their cosine without a share of the bias and of the floor.
"""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_HIGHEST_TEXTS = 20
_HIGHEST_PICTURES = 2
_BIAS_SHARE = 0.5
_FLOOR_SHARE = 0.2
_EULER = 0.5772156649


def photo_biases(photos: Floats, common: Floats) -> Floats:
    """Return the bias of each photo, a cosine float32 (n,).

    `photos` are unit-norm (n, dim), `common` the yardstick's common texts (m, dim).
    """
    return _mean_of_highest(photos @ common.T, _HIGHEST_TEXTS)


def text_floors(texts: Floats, pictures: Floats) -> Floats:
    """Return the floor of each text, a cosine float32 (m,).

    `texts` are unit-norm (m, dim), `pictures` those of the yardstick (n, dim).
    """
    return _mean_of_highest(texts @ pictures.T, _HIGHEST_PICTURES)


def evidence(cosines: Floats, biases: Floats, floors: Floats) -> Floats:
    """Return the cosines without a share of the photos' biases and of the texts' floors.

    The arrays may have any shapes that broadcast. The shares were chosen on drawings embedded by
    `mini`: they best tell texts that a library shows from texts that it does not (docs/scores.md).
    """
    left: Floats = cosines - np.float32(_BIAS_SHARE) * biases - np.float32(_FLOOR_SHARE) * floors
    return left


def evidence_of_all_absent(few: Floats, count: int) -> Floats:
    """Return what `count` absent texts find, judged by what a few of them find: the highest
    evidence of each, float32 (count,), ascending.

    The best of many photos follows Gumbel's distribution, which is fitted to the few by their mean
    and standard deviation. Counting a few alone would call twice as many chance hits a match
    (docs/scores.md).
    """
    scale = float(few.std(ddof=1)) * math.sqrt(6) / math.pi
    mode = float(few.mean()) - _EULER * scale
    # The share of the texts that find less than each does; above the last, half a text is left.
    shares = np.minimum(np.arange(1, count + 1) / count, 1 - 0.5 / count)
    return (mode - scale * np.log(-np.log(shares))).astype(np.float32)


def _mean_of_highest(cosines: Floats, count: int) -> Floats:
    highest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
    means: Floats = highest.mean(axis=1, dtype=np.float32)
    return means
