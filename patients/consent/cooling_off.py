"""How long whoever signs today has to think it over: the clinic's own time, or a longer one of a season."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from clinic.configuration.values import value_of
from clinic.seasons.models import Season
from clinic.seasons.rules import season_on
from patients.consent.configuration import COOLING_OFF_HOURS


@dataclass(frozen=True)
class CoolingOff:
    """The time from signing until a night may begin.

    policy_hours: the clinic's own. season: the one that makes it longer, or None.
    """

    hours: float
    policy_hours: float
    season: Season | None = None

    @property
    def mark(self) -> str:
        """What the form carries, so that nobody signs under another time than the page showed."""
        return f"{self.hours:g}"

    @property
    def until(self) -> datetime:
        """When it would end for whoever signs now."""
        return timezone.now() + timedelta(hours=self.hours)

    @property
    def days(self) -> int | None:
        """The hours as whole days; None if they are none."""
        return int(self.hours // 24) if self.hours and self.hours % 24 == 0 else None


def cooling_off_on(day: date) -> CoolingOff:
    """Return the time that holds for consents signed on `day`. A season never makes it shorter."""
    policy, season = value_of(COOLING_OFF_HOURS), season_on(day)
    if season is None or season.cooling_off_hours is None or season.cooling_off_hours <= policy:
        return CoolingOff(policy, policy)
    return CoolingOff(season.cooling_off_hours, policy, season)
