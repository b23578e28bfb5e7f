"""Synthetic embeddings that lie to each other as a SigLIP checkpoint's do: images in a narrow
cone, texts far from it.

The figures are those of SigLIP's base checkpoints on photographs: two images' cosine is about 0.6,
a text's cosine with an image that has nothing to do with it 0.04 with a spread of 0.024, and with
the image it describes 0.14. That texts and images of one checkpoint lie in two separate cones is
the modality gap of Liang et al. 2022 (arXiv 2203.02053). The variances about the images' mean fall
as a power of their rank, as natural images' do: an assumption, like the power.
"""

from collections.abc import Iterator
from math import sqrt  # not numpy's: its float64 would turn what it multiplies into float64

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Float16s = npt.NDArray[np.float16]

IMAGE_COSINE = 0.6
RANDOM_COSINE = 0.04
CAPTION_COSINE = 0.14
_POWER = 0.8
_NEARNESS = 0.95  # cosine of a near query with its image
_CHUNK = 20_000


class Geometry:
    """A checkpoint's embedding space of `dimension` dims, the same for the same seed."""

    def __init__(self, dimension: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        axes = np.linalg.qr(rng.standard_normal((dimension, dimension)))[0].astype(np.float32)
        variances = np.arange(1, dimension, dtype=np.float32) ** -_POWER
        self.dimension = dimension
        self._mean = axes[0]
        self._spread = axes[1:] * np.sqrt(variances / variances.sum() * (1 - IMAGE_COSINE))[:, None]

    def chunks(self, count: int, seed: int = 1) -> Iterator[Float16s]:
        """Yield the unit-norm embeddings of `count` images, float16, in chunks of up to (20,000,
        dim).
        """
        rng = np.random.default_rng(seed)
        for start in range(0, count, _CHUNK):
            noise = rng.standard_normal(
                (min(_CHUNK, count - start), self.dimension - 1), dtype=np.float32
            )
            yield _unit(sqrt(IMAGE_COSINE) * self._mean + noise @ self._spread).astype(np.float16)

    def images(self, count: int, seed: int = 1) -> Float16s:
        """Return all of `chunks` in one array, float16 (count, dim)."""
        return np.concatenate(list(self.chunks(count, seed)))

    def near(self, images: Float16s, seed: int = 2) -> Floats:
        """Return queries float32 (n, dim): a noisy copy of each image, as of another shot of the
        same thing.
        """
        noise = _unit(np.random.default_rng(seed).standard_normal(images.shape, dtype=np.float32))
        return _unit(_NEARNESS * images.astype(np.float32) + sqrt(1 - _NEARNESS**2) * noise)

    def captions(self, images: Float16s, seed: int = 3) -> Floats:
        """Return queries float32 (n, dim): a text that describes each image."""
        along = images.astype(np.float32) @ self._mean
        own = _unit(images.astype(np.float32) - along[:, None] * self._mean)
        noise = np.random.default_rng(seed).standard_normal(images.shape, dtype=np.float32)
        noise -= (noise @ self._mean)[:, None] * self._mean
        noise = _unit(noise - (noise * own).sum(axis=1, keepdims=True) * own)
        to_mean = RANDOM_COSINE / sqrt(IMAGE_COSINE)
        to_own = (CAPTION_COSINE - RANDOM_COSINE) / sqrt(1 - IMAGE_COSINE)
        return _unit(to_mean * self._mean + to_own * own + sqrt(1 - to_mean**2 - to_own**2) * noise)


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
