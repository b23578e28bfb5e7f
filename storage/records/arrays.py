"""The types of arrays of ids and embeddings, for type checkers only: numpy takes long to load."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Ids: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.int64]
"""Places in another array."""
Floats: TypeAlias = npt.NDArray[np.float32]
Float16s: TypeAlias = npt.NDArray[np.float16]
