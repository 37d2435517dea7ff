"""Random histories of seasons: no day has two, no past day changes, and everything is written down."""

import os
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.seasons.changes import (
    SeasonRefused,
    SeasonValues,
    change_season,
    end_season,
    make_season,
    values_of,
)
from clinic.seasons.models import Season, SeasonChange
from clinic.seasons.rules import seasons_between
from tests.factories import make_user

DAY = timedelta(days=1)
ROUNDS = int(os.environ.get("LACUNA_TEST_ROUNDS", "15"))
DAYS = st.integers(-3, 30)  # after today
# What is done, and two numbers: the first and the last day of the season, or how many days pass.
ACTS = st.one_of(
    st.tuples(st.just("make"), DAYS, DAYS),
    st.tuples(st.just("change"), DAYS, DAYS),
    st.tuples(st.just("end"), DAYS, DAYS),
    st.tuples(st.just("wait"), st.integers(1, 6), DAYS),
)


def seasons_by_day(first: date, last: date) -> dict[date, object]:
    """The id of the season that holds on each day, or None."""
    rows = seasons_between(first, last)
    days = (first + number * DAY for number in range((last - first).days + 1))
    return {day: next((one.pk for one in rows if one.holds_on(day)), None) for day in days}


class Walk(TestCase):
    @settings(
        max_examples=ROUNDS,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.lists(ACTS, max_size=8))
    def test_seasons_never_overlap_and_the_past_stays(self, acts: list[tuple[str, int, int]]) -> None:
        by, today = make_user(Role.ADMINISTRATOR), timezone.localdate()
        accepted = 0
        for number, (act, first, last) in enumerate(acts):
            past = seasons_by_day(today - 40 * DAY, today - DAY)
            season = Season.objects.order_by("first", "name").first()
            try:
                if act == "make":
                    days = (today + first * DAY, today + last * DAY)
                    make_season(SeasonValues(f"Season {number}", *days), reason="r", by=by)
                    accepted += 1
                elif act == "change" and season:
                    values = replace(values_of(season), first=today + first * DAY, last=today + last * DAY)
                    accepted += bool(change_season(season, values, reason="r", by=by))
                elif act == "end" and season:
                    end_season(season, reason="r", by=by)
                    accepted += 1
                elif act == "wait":  # `first` days pass: every season is so much earlier then
                    for row in Season.objects.all():
                        row.first, row.last = row.first - first * DAY, row.last - first * DAY
                        row.save(update_fields=["first", "last"])
                    continue
            except SeasonRefused:
                pass
            assert seasons_by_day(today - 40 * DAY, today - DAY) == past
        rows = list(Season.objects.in_force().order_by("first"))
        assert all(row.last < following.first for row, following in pairwise(rows))
        assert SeasonChange.objects.count() == accepted
        assert Entry.objects.filter(action__startswith="season.").count() == accepted
