"""Context processor: the seasons that pages mention."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property

from clinic.seasons.models import Season
from clinic.seasons.rules import seasons_between
from clinic.seasons.words import season_days, season_rules, season_rules_for_patients

# Times are offered so far ahead (DAYS_AHEAD in clinic/availability/offers.py, a package above this one).
AHEAD = timedelta(days=90)


class Seasons:
    """The seasons of today and of the next 90 days, read when a template asks for them."""

    @cached_property
    def _rows(self) -> list[Season]:
        today = timezone.localdate()
        return seasons_between(today, today + AHEAD)

    @property
    def near(self) -> list[dict[str, Any]]:
        """Each of these seasons: its name, days and rules in words, and whether it holds today."""
        today = timezone.localdate()
        return [
            {
                "name": one.name,
                "days": season_days(one),
                "rules": season_rules(one),
                "holds_today": one.holds_on(today),
            }
            for one in self._rows
        ]

    @property
    def for_patients(self) -> list[str]:
        """What the season of today changes for patients, one sentence each; [] if there is none."""
        season = self.today
        return season_rules_for_patients(season) if season else []

    @property
    def today(self) -> Season | None:
        """The season that holds today; None if there is none."""
        today = timezone.localdate()
        return next((one for one in self._rows if one.holds_on(today)), None)


def seasons(request: HttpRequest) -> dict[str, Any]:
    """Return the seasons as `clinic_seasons`."""
    return {"clinic_seasons": Seasons()}
