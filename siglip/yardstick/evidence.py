"""What cosines are corrected by before hits are judged: a photo's bias and a text's floor.

A photo's *bias* is the mean of its 20 highest cosines to the common texts. It tells how high the
photo scores whatever is asked (Nearest Neighbor Normalization, Chowdhury et al., EMNLP 2024, arXiv
2410.24114). A text's *floor* is the mean of its 2 highest cosines to pictures that show nothing.
The *evidence* of a photo for a text is their cosine without a share of the bias and of the floor.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_HIGHEST_TEXTS = 20
_HIGHEST_PICTURES = 2
_BIAS_SHARE = 0.5
_FLOOR_SHARE = 0.2


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


def _mean_of_highest(cosines: Floats, count: int) -> Floats:
    highest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
    means: Floats = highest.mean(axis=1, dtype=np.float32)
    return means
