"""The dates of Tết and of other holidays."""

from datetime import date
from itertools import pairwise

import pytest

from patients.memories.holidays import holiday, tet

# From calendars printed in Vietnam. 1968, 1985, 2007 and 2030 differ from the Chinese New Year.
PRINTED = (
    "1968-01-29 1969-02-16 1975-02-11 1985-01-21 1990-01-27 1995-01-31 1996-02-19 1997-02-07 1998-01-28 "
    "1999-02-16 2000-02-05 2001-01-24 2002-02-12 2003-02-01 2004-01-22 2005-02-09 2006-01-29 2007-02-17 "
    "2008-02-07 2009-01-26 2010-02-14 2015-02-19 2020-01-25 2023-01-22 2024-02-10 2025-01-29 2026-02-17 "
    "2030-02-02"
)


@pytest.mark.parametrize("day", PRINTED.split())
def test_tet_is_the_day_that_calendars_have(day: str) -> None:
    assert tet(int(day[:4])).isoformat() == day


def test_tet_falls_between_21_january_and_20_february_and_12_or_13_moons_apart() -> None:
    days = [tet(year) for year in range(1900, 2051)]
    assert all((1, 21) <= (day.month, day.day) <= (2, 20) for day in days)
    lengths = {(later - earlier).days for earlier, later in pairwise(days)}
    assert lengths <= {353, 354, 355, 383, 384, 385}


def test_a_word_that_names_no_holiday_has_no_day() -> None:
    assert holiday("a walk on the beach", 2003) is None
    assert holiday("the tetris evening", 2003) is None
    assert holiday("thanksgiving", 2001) == date(2001, 11, 22), "a word that names one has a day"
