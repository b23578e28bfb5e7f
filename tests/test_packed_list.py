"""A packed list gives back what it was given."""

import sys
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from sigseek.indexer import packed_list
from sigseek.indexer.packed_list import PackedList

ITEMS = st.lists(st.tuples(st.text(st.characters(codec=None)), st.integers() | st.none()))


@given(ITEMS, st.integers(1, 5))
def test_it_gives_back_its_items_in_their_order(
    items: list[tuple[str, int | None]], together: int
) -> None:
    """Texts with half of a character, as paths that are not UTF-8 have them, among them."""
    with patch.object(packed_list, "_TOGETHER", together):
        packed = PackedList(items)
        assert (list(packed), list(packed), len(packed)) == (items, items, len(items))
        packed.append(("after", 1))
        assert list(packed) == [*items, ("after", 1)]
    assert bool(packed)


def test_an_empty_one_is_false() -> None:
    assert not PackedList()


def test_it_is_small() -> None:
    packed = PackedList((f"2024/IMG_{number:06}.jpg", number) for number in range(10_500))
    assert sum(map(sys.getsizeof, packed._blocks)) < 10 * 10_000
