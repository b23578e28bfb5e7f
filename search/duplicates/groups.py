"""Photos that belong together, grouped around the one to keep.

Every photo of a group is near the one to keep, and not only near another photo of the group. Groups
are made from pairs: the best photo that has no group yet takes all of its partners that have none.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Pair = tuple[int, int]

_MOST_CHECKED = 200
"""The most photos that are compared with the best one, if only others connect them with it."""


def star_groups(
    pairs: Iterable[Pair],
    rank: Mapping[int, Any],
    distinct: set[Pair],
    check: Callable[[Sequence[Pair]], Sequence[bool]] | None = None,
) -> list[list[int]]:
    """Return groups of two photos or more, the photo to keep first, then the others by rank.

    A lower rank is better. No pair of `distinct`, which has the lower id first, comes into one
    group. `check` tells whether photos that only others connect are a pair, too.
    """
    partners: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in pairs:
        if ordered(one, other) not in distinct:
            partners[one].add(other)
            partners[other].add(one)
    if check is not None:
        for one, other in _confirmed(_left_to_check(partners, rank, distinct), check):
            partners[one].add(other)
            partners[other].add(one)
    grouped: set[int] = set()
    groups = []
    for best in sorted(partners, key=lambda photo: rank[photo]):
        if best in grouped:
            continue
        group = [best]
        for other in sorted(partners[best] - grouped, key=lambda photo: rank[photo]):
            if all(ordered(other, member) not in distinct for member in group):
                group.append(other)
        if len(group) > 1:
            grouped.update(group)
            groups.append(group)
    return groups


def ordered(one: int, other: int) -> Pair:
    """Return the pair with the lower id first."""
    return (one, other) if one < other else (other, one)


def _left_to_check(
    partners: Mapping[int, set[int]], rank: Mapping[int, Any], distinct: set[Pair]
) -> list[Pair]:
    """Return the pairs to check: the best one of some connected photos, and each of them that is no
    partner of it.
    """
    left = []
    for connected in _connected(partners):
        best = min(connected, key=lambda photo: rank[photo])
        others = sorted(connected - partners[best] - {best}, key=lambda photo: rank[photo])
        found = [ordered(best, other) for other in others[:_MOST_CHECKED]]
        left += [pair for pair in found if pair not in distinct]
    return left


def _connected(partners: Mapping[int, set[int]]) -> list[set[int]]:
    """Return the sets of photos that pairs connect, directly or through others."""
    found = []
    seen: set[int] = set()
    for start in partners:
        if start in seen:
            continue
        connected, unvisited = {start}, [start]
        while unvisited:
            new = partners[unvisited.pop()] - connected
            connected |= new
            unvisited += new
        seen |= connected
        found.append(connected)
    return found


def _confirmed(
    pairs: Sequence[Pair], check: Callable[[Sequence[Pair]], Sequence[bool]]
) -> list[Pair]:
    if not pairs:
        return []
    return [pair for pair, same in zip(pairs, check(pairs), strict=True) if same]
