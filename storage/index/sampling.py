"""Random choices of photos, and the embeddings of those chosen."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Float16s = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]

SAMPLED = 5_000
"""The photos in a sample. They are enough to estimate a share of a few percent to within a tenth of
its value, and are scored in a millisecond.
"""


def collected(chunks: Iterable[tuple[Ids, Float16s]], dimension: int) -> tuple[Ids, Float16s]:
    """Return the ids (n,) and embeddings (n, dim) of all chunks together."""
    found = list(chunks)
    return (
        np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in found)]),
        np.concatenate([np.zeros((0, dimension), np.float16), *(rows for _, rows in found)]),
    )


def draw(values: Ids, count: int) -> Ids:
    """Return a random choice of the values, which ascend, as it does; always the same of the same
    values.

    Importing numpy's random numbers takes 10 ms, so it is left to where something is left out.
    """
    if count >= len(values):
        return values
    return np.sort(np.random.default_rng(0).choice(values, count, replace=False))
