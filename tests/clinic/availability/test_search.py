"""The search by bitmaps finds the same as a model that tries every time and every choice of people."""

from collections.abc import Sequence
from itertools import combinations, product

from hypothesis import given
from hypothesis import strategies as st

from clinic.availability.search import (
    BookableQuarters,
    Candidate,
    Need,
    at_least,
    next_times,
    possible_starts,
    set_bits,
    starts_of_sequences,
)

SIZE = 24  # quarters of the horizon in these tests
bits = st.integers(0, 2**SIZE - 1)
# All quarters except up to three spans (first quarter, length). In random bits too few set ones follow one
# another.
mostly_set = st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(1, 4)), max_size=3).map(
    lambda spans: (2**SIZE - 1) & ~sum({1 << q for at, n in spans for q in range(at, min(at + n, SIZE))})
)
bookable_quarters = st.builds(
    BookableQuarters, st.one_of(bits, mostly_set), mostly_set, st.one_of(st.just(-1), bits), st.integers(0, 5)
)


def is_bookable(row: BookableQuarters, at: int, length: int, before: int, after: int) -> bool:
    """Look at every quarter, one by one."""
    around = range(at - before, at + length + max(after, row.rest))
    return (
        bool(row.starts >> at & 1)
        and all(row.hours >> quarter & 1 for quarter in range(at, at + length))
        and all(quarter >= 0 and row.unbooked >> quarter & 1 for quarter in around)
    )


def can_meet(needs: Sequence[Need], at: int, length: int) -> bool:
    """Try every choice of candidates."""
    choices = [
        list(
            combinations(
                [one for one in need.among if is_bookable(one.bookable, at, length, need.before, need.after)],
                need.count,
            )
        )
        for need in needs
    ]
    return any(
        len({one.holder for team in teams for one in team}) == sum(need.count for need in needs)
        for teams in product(*choices)
    )


@st.composite
def all_needs(draw: st.DrawFn) -> list[Need]:
    """Draw up to three needs. Candidates with the same holder are one person."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        among = [
            Candidate((number, index), draw(st.integers(0, 4)), draw(bookable_quarters))
            for index in range(draw(st.integers(0, 4)))
        ]
        found.append(Need(draw(st.integers(1, 2)), among, draw(st.integers(0, 2)), draw(st.integers(0, 2))))
    return found


@given(all_needs(), st.integers(1, 6), bits)
def test_exactly_the_times_are_found_that_a_brute_force_model_finds(
    needs: list[Need], length: int, allowed: int
) -> None:
    expected = [at for at in range(SIZE) if allowed >> at & 1 and can_meet(needs, at, length)]
    found = next_times(needs, length, allowed=allowed, limit=SIZE)
    assert [one.at for one in found] == expected
    for one in found:
        people = [candidate for team in one.teams for candidate in team]
        assert len({candidate.holder for candidate in people}) == len(people)
        for need, team in zip(needs, one.teams, strict=True):
            assert len(team) == need.count
            assert all(
                candidate in need.among
                and is_bookable(candidate.bookable, one.at, length, need.before, need.after)
                for candidate in team
            )


@given(bits, st.integers(1, SIZE + 1))
def test_sequences_start_at_each_quarter_with_enough_set_quarters_after_it(mask: int, length: int) -> None:
    expected = [at for at in range(SIZE) if all(mask >> quarter & 1 for quarter in range(at, at + length))]
    assert list(set_bits(starts_of_sequences(mask, length))) == expected


@given(st.lists(bits, max_size=5), st.integers(1, 5))
def test_at_least_returns_the_bits_that_enough_masks_have(masks: list[int], count: int) -> None:
    expected = [at for at in range(SIZE) if sum(mask >> at & 1 for mask in masks) >= count]
    assert list(set_bits(at_least(count, masks))) == expected


@given(bookable_quarters, st.integers(1, 6), st.integers(0, 3), st.integers(0, 3))
def test_possible_starts_respect_buffers_and_rest(
    row: BookableQuarters, length: int, before: int, after: int
) -> None:
    expected = [at for at in range(SIZE) if is_bookable(row, at, length, before, after)]
    assert list(set_bits(possible_starts(row, length, before, after))) == expected


def test_only_the_first_ten_times_are_returned_by_default() -> None:
    always = Candidate("Stan", "Stan", BookableQuarters(2**SIZE - 1, 2**SIZE - 1))
    found = next_times([Need(1, [always])], 1, allowed=2**SIZE - 1)
    assert [one.at for one in found] == list(range(10))


def test_the_preferred_candidate_is_left_to_a_need_that_has_nobody_else() -> None:
    first_quarter = BookableQuarters(1, 1)
    both, other = Candidate("both", 1, first_quarter), Candidate("other", 2, first_quarter)
    found = next_times([Need(1, [both, other]), Need(1, [both])], 1, allowed=1)
    assert [one.teams for one in found] == [((other,), (both,))]


def test_one_person_does_not_meet_two_needs() -> None:
    first_quarter = BookableQuarters(1, 1)
    doctor = Candidate("doctor", 1, first_quarter)
    same_person = Candidate("technician", 1, first_quarter)
    assert next_times([Need(1, [doctor]), Need(1, [same_person])], 1, allowed=1) == []
