"""Enters, changes and ends seasons: each with a row of the history and an audit entry.

Each function first locks the settings (clinic/configuration/changes.py). So two changes never happen at once,
and no two seasons overlap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.configuration.changes import lock_settings
from clinic.configuration.registry import setting_of
from clinic.configuration.values import value_of
from clinic.seasons.models import Season, SeasonChange

LONGEST_SEASON = timedelta(days=366)
LONGEST_COOLING_OFF = 8760  # hours
# The policy that a season can make longer. The package patients/consent states it, which is above this one.
COOLING_OFF_KEY = "cooling-off-hours"


class SeasonRefused(Exception):
    """Nothing was changed. The message is a sentence for the user. field: the form field to change, or ""."""

    def __init__(self, sentence: str, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


@dataclass(frozen=True)
class SeasonValues:
    """What an administrator decides about a season. The fields of `Season` have the same names."""

    name: str
    first: date
    last: date
    extra_days: str = ""
    extra_starts: time | None = None
    extra_ends: time | None = None
    cooling_off_hours: float | None = None
    nights_per_patient: int | None = None
    appointments_per_patient: int | None = None
    waitlist_open: bool = False


VALUE_FIELDS = tuple(one.name for one in fields(SeasonValues))
# When one of these changes, everybody who has agreed to the extra hours is asked again.
HOURS_FIELDS = frozenset({"first", "last", "extra_days", "extra_starts", "extra_ends"})


def values_of(season: Season) -> SeasonValues:
    """Return what is decided about a season now."""
    return SeasonValues(**{name: getattr(season, name) for name in VALUE_FIELDS})


def clinic_cooling_off_hours() -> float:
    """Return the clinic's own time to think it over, in hours. That of a season is never shorter."""
    setting = setting_of(COOLING_OFF_KEY)
    return float(value_of(setting)) if setting else 0.0


def lock_season(season: UUID) -> Season | None:
    """Lock the settings and return a season, or None if there is none. Call it inside a transaction."""
    lock_settings()
    return Season.objects.filter(pk=season).first()


def _json_value(value: Any) -> Any:
    """Return a value as the history stores it in JSON."""
    return value.isoformat() if isinstance(value, date | time) else value


def _audit_value(value: Any) -> int | bool | str:
    """Return a value as the audit log takes it: rounded, because it stores no floats; "" for None."""
    value = _json_value(value)
    if isinstance(value, float):
        return round(value)
    return "" if value is None else value


def _check_days(values: SeasonValues, old: Season | None) -> None:
    """Check the first and the last day. old: the season that is changed; None: a new one is entered."""
    today = timezone.localdate()
    if values.last < values.first:
        raise SeasonRefused(_("The last day is before the first one."), "last")
    if values.last - values.first >= LONGEST_SEASON:
        raise SeasonRefused(_("A season has at most one year."), "last")
    if old is None or not old.has_begun:
        if values.first < today:
            raise SeasonRefused(
                _("A season begins today at the earliest. The past stays as it was."), "first"
            )
    elif values.first != old.first:
        raise SeasonRefused(_("This season has begun, so its first day stays."), "first")
    elif values.last < today:
        raise SeasonRefused(_("Today is the earliest last day. The past stays as it was."), "last")
    others = Season.objects.in_force().between(values.first, values.last).order_by("first")
    if other := (others.exclude(pk=old.pk) if old else others).first():
        shown = {
            "name": other.name,
            "first": date_format(other.first, "DATE_FORMAT"),
            "last": date_format(other.last, "DATE_FORMAT"),
        }
        sentence = _("It overlaps the season “%(name)s”, from %(first)s to %(last)s.")
        raise SeasonRefused(sentence % shown, "first" if other.holds_on(values.first) else "last")


def _check_hours(values: SeasonValues) -> None:
    """Check that the extra hours are complete, or all empty, and begin and end on a quarter of an hour."""
    given = [bool(values.extra_days), values.extra_starts is not None, values.extra_ends is not None]
    if any(given) and not all(given):
        missing = ("extra_days", "extra_starts", "extra_ends")[given.index(False)]
        raise SeasonRefused(_("Extra hours need weekdays, a start and an end."), missing)
    for name in ("extra_starts", "extra_ends"):
        clock = getattr(values, name)
        if clock and (clock.minute % 15 or clock.second or clock.microsecond):
            raise SeasonRefused(_("Hours begin and end on a quarter: :00, :15, :30 or :45."), name)


def _check_cooling_off(values: SeasonValues, old: Season | None) -> None:
    """Check the time to think it over, if it changes: not shorter than the clinic's, at most a year."""
    hours = values.cooling_off_hours
    if hours is None or (old is not None and hours == old.cooling_off_hours):
        return
    policy = clinic_cooling_off_hours()
    if hours < policy:
        sentence = _("The clinic's own time is %(hours)g h. A season can only make it longer.")
        raise SeasonRefused(sentence % {"hours": policy}, "cooling_off_hours")
    if hours > LONGEST_COOLING_OFF:
        raise SeasonRefused(
            _("The longest time is %(hours)d h, one year.") % {"hours": LONGEST_COOLING_OFF},
            "cooling_off_hours",
        )


def _check_reason(reason: str) -> str:
    """Return a reason without blanks around it. Raises SeasonRefused if it is empty."""
    if not reason.strip():
        raise SeasonRefused(_("Please say why."), "reason")
    return reason.strip()


def _check_not_over(season: Season) -> None:
    if season.is_over:
        raise SeasonRefused(_("This season is over and stays as it was. Enter a new one."))


def _check_values(values: SeasonValues, old: Season | None) -> None:
    """Raise SeasonRefused if a value cannot be. old: the season that is changed; None for a new one."""
    if not values.name.strip():
        raise SeasonRefused(_("Please give the season a name."), "name")
    _check_days(values, old)
    _check_hours(values)
    _check_cooling_off(values, old)
    for name in ("nights_per_patient", "appointments_per_patient"):
        limit = getattr(values, name)
        if limit is not None and limit < 1:
            raise SeasonRefused(_("A limit is at least 1. Leave it empty for none."), name)


def _write_change(
    season: Season, what: str, changed: Mapping[str, tuple[Any, Any]], *, reason: str, by: User
) -> None:
    """Add a row to the history and an audit entry. The log does not store names of seasons.

    changed: by field, the values before and after.
    """
    SeasonChange.objects.create(
        season=season,
        number=season.changes.count() + 1,
        what=what,
        values={name: [_json_value(was), _json_value(becomes)] for name, (was, becomes) in changed.items()},
        reason=reason,
        by=by,
    )
    details: dict[str, Any] = {}
    for name, (was, becomes) in changed.items():
        if name == "name":
            details["renamed"] = True
        else:
            details |= {f"{name}_from": _audit_value(was), f"{name}_to": _audit_value(becomes)}
    record(Act(f"season.{what}", f"season:{season.pk}", actor=actor_of(by), details=details, reason=reason))


@transaction.atomic
def make_season(values: SeasonValues, *, reason: str, by: User) -> Season:
    """Enter a season and return it. Raises SeasonRefused if a value cannot be, or without a reason."""
    lock_settings()
    reason = _check_reason(reason)
    _check_values(values, None)
    given = {name: getattr(values, name) for name in VALUE_FIELDS}
    season = Season.objects.create(**given)
    decided = {name: (None, value) for name, value in given.items() if value not in (None, "", False)}
    _write_change(season, SeasonChange.What.MADE, decided, reason=reason, by=by)
    return season


@transaction.atomic
def change_season(season: Season, values: SeasonValues, *, reason: str, by: User) -> int:
    """Change what is decided about a season, and return how many of its values changed.

    What was signed or booked before keeps the earlier values. Raises SeasonRefused if the season is over, if
    a value cannot be, or without a reason.
    """
    locked = lock_season(season.pk)
    if locked is None:
        raise SeasonRefused(_("This season is not there any more."))
    _check_not_over(locked)
    before = values_of(locked)
    changed = {
        name: (getattr(before, name), getattr(values, name))
        for name in VALUE_FIELDS
        if getattr(before, name) != getattr(values, name)
    }
    if not changed:
        return 0
    reason = _check_reason(reason)
    _check_values(values, locked)
    for name, (_was, becomes) in changed.items():
        setattr(locked, name, becomes)
    if HOURS_FIELDS & changed.keys():
        locked.hours_version += 1
    locked.save(update_fields=[*changed, "hours_version"])
    _write_change(locked, SeasonChange.What.CHANGED, changed, reason=reason, by=by)
    return len(changed)


@transaction.atomic
def end_season(season: Season, *, seen_last: date | None = None, reason: str, by: User) -> Season:
    """End a season with today, or give it up if it has not begun. It stays in the list and in the history.

    seen_last: the last day that the page showed; None where no page was shown. Raises SeasonRefused if the
    page showed another day, if the season is over or ends today already, or without a reason.
    """
    locked = lock_season(season.pk)
    if locked is None:
        raise SeasonRefused(_("This season is not there any more."))
    _check_not_over(locked)
    if seen_last is not None and seen_last != locked.last:
        raise SeasonRefused(_("Somebody has changed this season meanwhile. It is shown now as it is."))
    reason = _check_reason(reason)
    today, was = timezone.localdate(), locked.last
    if not locked.has_begun:
        locked.canceled_at = timezone.now()
        locked.save(update_fields=["canceled_at"])
        _write_change(locked, SeasonChange.What.CANCELED, {}, reason=reason, by=by)
        return locked
    if was == today:
        raise SeasonRefused(_("This season ends today already."))
    locked.last = today
    locked.save(update_fields=["last"])
    _write_change(locked, SeasonChange.What.ENDED, {"last": (was, today)}, reason=reason, by=by)
    return locked
