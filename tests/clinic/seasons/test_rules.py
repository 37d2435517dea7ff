"""Which season holds on a day (clinic/seasons/rules.py)."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from clinic.seasons.models import Season
from clinic.seasons.rules import season_on, seasons_between

pytestmark = pytest.mark.django_db

FIRST, LAST = date(2027, 2, 1), date(2027, 2, 14)
DAY = timedelta(days=1)


def test_a_season_holds_from_its_first_to_its_last_day() -> None:
    season = Season.objects.create(name="Valentine", first=FIRST, last=LAST)
    later = Season.objects.create(name="Spring", first=LAST + 10 * DAY, last=LAST + 20 * DAY)

    assert season_on(FIRST) == season_on(LAST) == season
    assert season_on(FIRST - DAY) is None
    assert season_on(LAST + DAY) is None
    assert seasons_between(FIRST - DAY, LAST + 10 * DAY) == [season, later]
    assert seasons_between(LAST + DAY, LAST + 9 * DAY) == []


def test_a_season_that_was_given_up_holds_on_no_day() -> None:
    season = Season.objects.create(name="Valentine", first=FIRST, last=LAST, canceled_at=timezone.now())

    assert season_on(FIRST) is None
    assert seasons_between(FIRST, LAST) == []
    assert not season.holds_on(FIRST)
