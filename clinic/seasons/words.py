"""Seasons and their changes in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from django.utils import dates
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.seasons.changes import clinic_cooling_off_hours
from clinic.seasons.models import Season, SeasonChange

LABELS: dict[str, Any] = {
    "name": gettext_lazy("Name"),
    "first": gettext_lazy("First day"),
    "last": gettext_lazy("Last day"),
    "extra_days": gettext_lazy("Weekdays with extra hours"),
    "extra_starts": gettext_lazy("Extra hours from"),
    "extra_ends": gettext_lazy("Extra hours until"),
    "cooling_off_hours": gettext_lazy("Time to think it over"),
    "nights_per_patient": gettext_lazy("Nights for one patient"),
    "appointments_per_patient": gettext_lazy("Appointments for one patient"),
    "waitlist_open": gettext_lazy("Waitlist"),
}


def _number(hours: float) -> str:
    """Return a number of hours as text, without decimals if it has none."""
    return number_format(int(hours) if hours == int(hours) else hours)


def season_days(season: Season) -> str:
    """Return the days of a season in words."""
    first, last = (date_format(day, "DATE_FORMAT") for day in (season.first, season.last))
    return _("%(start)s to %(end)s") % {"start": first, "end": last}


def season_hours(season: Season) -> str:
    """Return the extra hours of a season in words; "" if it has none."""
    if not season.extra_days or season.extra_starts is None or season.extra_ends is None:
        return ""
    return f"{_weekdays(season.extra_days)}, {season.extra_starts:%H:%M}–{season.extra_ends:%H:%M}"


def _weekdays(digits: str) -> str:
    if len(digits) == 7:
        return _("every day")
    return ", ".join(str(dates.WEEKDAYS[int(digit)]) for digit in digits)


def season_rules(season: Season) -> list[str]:
    """Return the rules of a season, one sentence each."""
    sentences = []
    if hours := season_hours(season):
        sentences.append(_("Extra hours: %(hours)s, for those who agreed to them.") % {"hours": hours})
    if season.cooling_off_hours is not None:
        shown = {"hours": _number(season.cooling_off_hours)}
        sentences.append(_("Whoever signs in it has %(hours)s h to think it over.") % shown)
    if season.nights_per_patient is not None:
        sentences.append(_("Nights for one patient: at most %(n)d.") % {"n": season.nights_per_patient})
    if season.appointments_per_patient is not None:
        limit = _("Appointments for one patient, without follow-ups: at most %(n)d.")
        sentences.append(limit % {"n": season.appointments_per_patient})
    sentences.append(_("The waitlist is open.") if season.waitlist_open else _("The waitlist is closed."))
    return sentences


def season_rules_for_patients(season: Season) -> list[str]:
    """Return what a season changes for patients, one sentence each; [] if it changes nothing for them."""
    sentences = []
    if season.cooling_off_hours is not None and season.cooling_off_hours > clinic_cooling_off_hours():
        shown = {"hours": _number(season.cooling_off_hours)}
        sentences.append(_("If you sign in this time, you have %(hours)s hours to think it over.") % shown)
    if season.nights_per_patient is not None:
        sentence = _("You can have at most this many nights in it: %(n)d.")
        sentences.append(sentence % {"n": season.nights_per_patient})
    if season.appointments_per_patient is not None:
        sentence = _("You can have at most this many appointments in it, without follow-ups: %(n)d.")
        sentences.append(sentence % {"n": season.appointments_per_patient})
    return sentences


@dataclass(frozen=True)
class ChangeWords:
    """One change of a season in words. lines: one for each value that changed, with before and after."""

    what: str
    lines: list[str]
    who: str
    at: datetime
    reason: str


def season_history(rows: Iterable[SeasonChange]) -> list[ChangeWords]:
    """Return changes in words, in the same order. rows: loaded with `by`."""
    return [
        ChangeWords(
            str(row.get_what_display()),
            [_line_of(row, name, was, becomes) for name, (was, becomes) in row.values.items()],
            row.by.name,
            row.at,
            row.reason,
        )
        for row in rows
    ]


def _line_of(row: SeasonChange, name: str, was: Any, becomes: Any) -> str:
    """Return one value of a change in words: before and after; of a new season only the value."""
    what, after = LABELS.get(name, name), _in_words(name, becomes)
    if row.what == SeasonChange.What.MADE:
        return f"{what}: {after}"
    shown = {"what": what, "before": _in_words(name, was), "after": after}
    return _("%(what)s: %(before)s, now %(after)s") % shown


def _in_words(name: str, value: Any) -> str:
    """Return a value of the history in words."""
    if name == "waitlist_open":
        return _("open") if value else _("closed")
    if value in (None, ""):
        return "–"
    if name in {"first", "last"}:
        return date_format(date.fromisoformat(value), "DATE_FORMAT")
    if name in {"extra_starts", "extra_ends"}:
        return f"{time.fromisoformat(value):%H:%M}"
    if name == "extra_days":
        return _weekdays(value)
    if name == "cooling_off_hours":
        return f"{_number(value)} h"
    return str(value)
