"""Blocks of photos with their values of one kind, such as their cameras, in a few bytes each."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from sigseek.storage.facets import FacetKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SHIFT = 14
"""A block is about the photos whose ids are equal but for the lowest 14 bits."""
PHOTOS = 1 << SHIFT
"""The most photos of a block. Counting a block takes nearly the same time however many photos it
has, so fewer and larger blocks are faster. But it is made again after one photo has changed, which
takes 0.07 s.
"""
BLOCK_KINDS: tuple[FacetKind, ...] = ("month", "camera", "place", "format", "rating", "folder")
"""The kinds that blocks are made of. A photo's value of "folder" is the ids of its folders."""
_MOST_IN_A_BYTE = 255


@dataclass(frozen=True)
class FacetBlock:
    """The values that the photos of a block have of one kind."""

    words: list[Any]
    """Each value once: text, numbers, None, or lists of these."""
    codes: npt.NDArray[np.uint8 | np.uint16]
    """For each id of the block up to its last photo: 0 where there is no such photo, or else the
    place of its value among the words, from 1.
    """

    @classmethod
    def of(cls, ids: Sequence[int], values: Iterable[Any]) -> Self:
        """Make a block of the ids of its photos, ascending, and the value of each. Lists are given
        as tuples.
        """
        import numpy as np

        places: defaultdict[Any, int] = defaultdict(count(1).__next__)
        codes = np.zeros(ids[-1] % PHOTOS + 1 if ids else 0, np.uint16)
        codes[np.array(ids, np.int64) % PHOTOS] = [places[value] for value in values]
        fits = len(places) <= _MOST_IN_A_BYTE
        return cls(list(places), codes.astype(np.uint8) if fits else codes)

    @classmethod
    def read(cls, words: str, codes: bytes) -> Self:
        """Return the block that the catalog has in this form."""
        import numpy as np

        found = json.loads(words)
        return cls(
            found, np.frombuffer(codes, np.uint8 if len(found) <= _MOST_IN_A_BYTE else "<u2")
        )

    def written(self) -> tuple[str, bytes]:
        """Return the words and the codes as the catalog has them."""
        codes = self.codes.astype("<u2") if self.codes.itemsize > 1 else self.codes
        return json.dumps(self.words), codes.tobytes()

    def counts(self, places: npt.NDArray[np.int64] | None) -> Counter[Any]:
        """Return how many photos have each value that any of them has. `places` (n,) has the lower
        bits of the ids of those to count, each once; None means all.
        """
        import numpy as np

        codes = self.codes if places is None else self.codes[places[places < len(self.codes)]]
        counts = np.bincount(codes, minlength=len(self.words) + 1)[1:].tolist()
        return Counter(
            {
                tuple(word) if isinstance(word, list) else word: photos
                for word, photos in zip(self.words, counts, strict=True)
                if photos
            }
        )
