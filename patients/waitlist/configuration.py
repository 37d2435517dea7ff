"""What the clinic decides about the waitlist."""

from datetime import date

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register
from clinic.configuration.values import value_of
from clinic.seasons.rules import season_on

WAITLIST_OPEN = register(
    NumberSetting(
        key="waitlist-open",
        section=Section.POLICIES,
        label=_("Waitlist open"),
        help_text=_(
            "1: patients can be put on the waitlist, and free times are offered. 0: not. "
            "In a season, the season's own switch counts."
        ),
        default=1,
        lowest=0,
        highest=1,
        whole=True,
    )
)
OFFER_HOURS = register(
    NumberSetting(
        key="waitlist-offer-hours",
        section=Section.POLICIES,
        label=_("A time that is offered is held for"),
        help_text=_("Hours, and never longer than until two hours before the time itself."),
        default=12,
        lowest=1,
        highest=72,
        unit=_("h"),
    )
)


def is_open_on(day: date) -> bool:
    """Return whether the waitlist is open on a day: as the day's season says, or else the setting."""
    season = season_on(day)
    return season.waitlist_open if season else bool(value_of(WAITLIST_OPEN))
