"""Groups around the photo to keep, made from pairs."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.duplicates.groups import star_groups

RANK = {number: number for number in range(1, 20)}


def test_a_chain_is_no_group() -> None:
    """Of 1-2-3-4, every next one like the one before, only neighbours of the best come to it."""
    pairs = [(1, 2), (2, 3), (3, 4)]
    assert star_groups(pairs, RANK, set()) == [[1, 2], [3, 4]]


def test_what_hangs_together_by_others_is_compared_with_the_best() -> None:
    asked: list[Sequence[tuple[int, int]]] = []

    def check(pairs: Sequence[tuple[int, int]]) -> list[bool]:
        asked.append(list(pairs))
        return [pair == (1, 3) for pair in pairs]

    assert star_groups([(1, 2), (2, 3), (3, 4)], RANK, set(), check) == [[1, 2, 3]]
    assert asked == [[(1, 3), (1, 4)]]


def test_the_best_is_the_first_of_its_group() -> None:
    assert star_groups([(1, 2), (2, 3)], {1: 3, 2: 1, 3: 2}, set()) == [[2, 3, 1]]


def test_pairs_that_a_person_parted_never_meet() -> None:
    pairs = [(1, 2), (1, 3), (2, 3)]
    assert star_groups(pairs, RANK, {(2, 3)}) == [[1, 2]]
    assert star_groups(pairs, RANK, {(1, 2)}) == [[1, 3]]
    assert star_groups(pairs, RANK, {(1, 2), (1, 3)}) == [[2, 3]]
    assert star_groups(pairs, RANK, {(1, 2), (1, 3), (2, 3)}) == []


@given(
    st.sets(st.tuples(st.integers(1, 12), st.integers(1, 12)).filter(lambda p: p[0] < p[1])),
    st.sets(st.tuples(st.integers(1, 12), st.integers(1, 12)).filter(lambda p: p[0] < p[1])),
)
def test_every_photo_is_in_one_group_and_a_partner_of_its_best(
    pairs: set[tuple[int, int]], distinct: set[tuple[int, int]]
) -> None:
    groups = star_groups(pairs, RANK, distinct)
    members = [photo for group in groups for photo in group]
    assert len(members) == len(set(members))
    for best, *others in groups:
        assert others
        assert min(best, *others) == best
        for other in others:
            assert (best, other) in pairs - distinct
            assert all((min(a, other), max(a, other)) not in distinct for a in (best, *others))
