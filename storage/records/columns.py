"""A few columns of all photos, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.storage.records.arrays import Ids


@dataclass(frozen=True)
class PhotoArrays:
    """A few columns of all photos, as arrays (n,) in the order of the ids."""

    ids: Ids
    """The ids, ascending."""
    widths: Ids
    """In pixels, as shown."""
    heights: Ids
    colors: Ids
    """The mean colours, 0xRRGGBB; -1 where it is not known."""
    taken_at: npt.NDArray[np.bytes_]
    """The local time in ISO 8601, as precise as its source; empty where it is not known. The order
    of these texts is that of the times.
    """
