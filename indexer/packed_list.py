"""A list for millions of small records."""

import pickle
import zlib
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

_Item = TypeVar("_Item")

_TOGETHER = 1_000
"""Items that are packed together."""


class PackedList(Generic[_Item]):
    """A list that can be added to and gone through, in little memory where its items resemble each
    other: all but the last ones are pickled and compressed.
    """

    def __init__(self, items: Iterable[_Item] = ()) -> None:
        self._blocks: list[bytes] = []
        self._last: list[_Item] = []
        self._packed = 0
        """How many items are in the blocks."""
        for item in items:
            self.append(item)

    def append(self, item: _Item) -> None:
        """Add an item at the end."""
        self._last.append(item)
        if len(self._last) == _TOGETHER:
            self._blocks.append(zlib.compress(pickle.dumps(self._last, -1), 1))
            self._packed += _TOGETHER
            self._last = []

    def __len__(self) -> int:
        return self._packed + len(self._last)

    def __iter__(self) -> Iterator[_Item]:
        for block in self._blocks:
            yield from pickle.loads(zlib.decompress(block))
        yield from self._last
