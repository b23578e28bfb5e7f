"""The biases of photos that a searcher has read, kept in memory."""

import threading
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sigseek.storage import CatalogReader

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


class Biases:
    """The biases of the photos of one library and checkpoint, read from the catalog when first
    asked for. They take 4 bytes of memory for each photo that the library ever had.

    A photo's bias is the mean of its highest cosines to common texts. It stays the same until the
    checkpoint is measured again, and then a new searcher is made. Several threads may ask.
    """

    def __init__(
        self, catalog: CatalogReader, checkpoint_id: int, sample: Callable[[], Ids]
    ) -> None:
        self._catalog = catalog
        self._checkpoint_id = checkpoint_id
        self._sample = sample
        """It gives the ids, ascending, of a sample of the library."""
        self._lock = threading.Lock()
        self._known = np.zeros(0, np.float32)
        """The bias at the position of the photo's id; NaN where it is not known."""
        self._usual: float | None = None

    def of(self, ids: Ids) -> Floats:
        """Return the biases (n,) of photos, whose ids ascend. A photo that was not measured gets
        the library's usual bias.
        """
        biases = self._measured(ids)
        unknown = np.isnan(biases)
        if unknown.any():
            biases[unknown] = self.usual()
        return biases

    def _measured(self, ids: Ids) -> Floats:
        """Return the biases (n,) of photos; NaN for a photo that was not measured."""
        with self._lock:
            if len(ids) and ids[-1] >= len(self._known):
                more = np.full(int(ids[-1]) + 1 - len(self._known), np.nan, np.float32)
                self._known = np.concatenate([self._known, more])
            unknown = ids[np.isnan(self._known[ids])]
            if len(unknown):
                # A photo that was not measured is asked for again, because another process may
                # measure it at any time.
                self._known[unknown] = self._catalog.biases(self._checkpoint_id, unknown)
            return self._known[ids]

    def usual(self) -> float:
        """Return the mean bias of a sample of the library; 0 where none was measured."""
        if self._usual is None:
            biases = self._measured(self._sample())
            measured = biases[~np.isnan(biases)]
            self._usual = float(measured.mean()) if len(measured) else 0.0
        return self._usual
