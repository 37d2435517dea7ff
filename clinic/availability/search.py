"""Finds the next times at which all people and things that are needed are free.

Time is counted in quarters of an hour from a base. A Python integer holds one bit for each quarter. So a
question about 90 days (8,640 quarters) is a few operations on long integers. Nothing here reads the database.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

EVERY = -1  # an integer of which all bits are set: every quarter


@dataclass(frozen=True)
class BookableQuarters:
    """When one resource can be booked, as bitmaps with one bit for each quarter.

    hours: the quarters inside its hours. unbooked: those without a booking, and without the rest after one.
    starts: those at which a booking may begin. rest: the number of quarters that must be unbooked after a
    booking, inside or outside the hours.
    """

    hours: int
    unbooked: int
    starts: int = EVERY
    rest: int = 0


@dataclass(frozen=True)
class Candidate:
    """A resource that may be chosen. holder: the same for two resources that are one person."""

    key: Hashable
    holder: Hashable
    bookable: BookableQuarters


@dataclass(frozen=True)
class Need:
    """`count` of the candidates `among` are needed. before, after: quarters reserved around the booking."""

    count: int
    among: Sequence[Candidate]
    before: int = 0
    after: int = 0


@dataclass(frozen=True)
class Found:
    """A time that was found. at: its first quarter. teams: for each need the candidates chosen."""

    at: int
    teams: tuple[tuple[Candidate, ...], ...]


def starts_of_sequences(bits: int, length: int) -> int:
    """Return the quarters at which `length` set quarters in a row begin.

    Each step doubles the length that is known to be set: a night of 40 quarters takes six steps.
    """
    checked = 1
    while checked < length:
        step = min(checked, length - checked)
        bits &= bits >> step
        checked += step
    return bits


def at_least(count: int, masks: Sequence[int]) -> int:
    """Return the quarters that are set in at least `count` of `masks`.

    reached[i] has the quarters that are set in at least i of the masks so far, so no combinations are tried.
    """
    reached = [EVERY] + [0] * count
    for mask in masks:
        for number in range(count, 0, -1):
            reached[number] |= reached[number - 1] & mask
    return reached[count]


def possible_starts(bookable: BookableQuarters, length: int, before: int = 0, after: int = 0) -> int:
    """Return the quarters at which a booking of `length` quarters may begin for one resource.

    before, after: quarters that must be unbooked around it, inside or outside the hours.
    """
    after = max(after, bookable.rest)
    bits = starts_of_sequences(bookable.hours & bookable.unbooked, length) & bookable.starts
    if before or after:
        bits &= starts_of_sequences(bookable.unbooked, before + length + after) << before
    return bits


def set_bits(bits: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


def next_times(
    needs: Sequence[Need],
    length: int,
    *,
    allowed: int,
    limit: int = 10,
    order: Callable[[int, Candidate], Any] | None = None,
) -> list[Found]:
    """Return the first `limit` times at which all needs are met, each with a choice of candidates.

    length: in quarters. allowed: the quarters at which a booking may begin, not negative. order: the key by
    which candidates are preferred at a time; by default they are taken as listed.
    """

    @cache
    def starts(need: int, candidate: int) -> int:  # both by their place in the lists
        row = needs[need]
        return possible_starts(row.among[candidate].bookable, length, row.before, row.after)

    possible = allowed
    for number, need in enumerate(needs):
        possible &= at_least(need.count, [starts(number, index) for index in range(len(need.among))])
    found = []
    for at in set_bits(possible):
        available = [
            [one for index, one in enumerate(need.among) if starts(number, index) >> at & 1]
            for number, need in enumerate(needs)
        ]
        if order:
            available = [sorted(row, key=lambda one: order(at, one)) for row in available]
        if teams := _choose([need.count for need in needs], available):
            found.append(Found(at, teams))
            if len(found) == limit:
                break
    return found


def _choose(
    counts: Sequence[int], available: Sequence[Sequence[Candidate]]
) -> tuple[tuple[Candidate, ...], ...] | None:
    """Choose candidates for each need, so that no holder is chosen twice. Return None if it is impossible.

    counts, available: for each need, how many candidates it takes, and which there are. A need of `count`
    candidates has that many seats, which are filled one after another. A seat may take the candidate of
    another seat if that seat can be filled with somebody else. This finds a choice whenever there is one
    (augmenting paths).
    """
    seats = [need for need, count in enumerate(counts) for _ in range(count)]  # the need of each seat
    seat_of: dict[Hashable, int] = {}  # by holder
    candidate_in: dict[int, Candidate] = {}  # by seat

    def fill(seat: int, tried: set[Hashable]) -> bool:
        # Candidates without a seat come first, so that none is moved without need.
        for one in sorted(available[seats[seat]], key=lambda one: one.holder in seat_of):
            if one.holder in tried:
                continue
            tried.add(one.holder)
            if one.holder not in seat_of or fill(seat_of[one.holder], tried):
                seat_of[one.holder], candidate_in[seat] = seat, one
                return True
        return False

    if not all(fill(seat, set()) for seat in range(len(seats))):
        return None
    return tuple(
        tuple(candidate_in[seat] for seat, need in enumerate(seats) if need == number)
        for number in range(len(counts))
    )
