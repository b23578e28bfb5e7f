"""Which photos a search is about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.storage.catalog import CatalogReader

    Ids: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Selection:
    """Conditions that a photo must fulfil, all of them. Without any, all photos are selected."""

    tags: tuple[str, ...] = ()
    """The photo has each of these tags."""

    def resolve(self, catalog: CatalogReader) -> Ids | None:
        """Return the ids (n,), ascending, of the photos that are selected now; None for all."""
        import numpy as np

        if not self.tags:
            return None
        found = (catalog.tagged(name) for name in self.tags)
        return reduce(lambda one, other: np.intersect1d(one, other, assume_unique=True), found)
