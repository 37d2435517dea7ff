"""Durations and times as text, times as the clinic's clocks show them."""

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _


def format_duration(seconds: float) -> str:
    """Return a duration as text: '2 h 50 min', '6 min', 'less than a minute'."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 60:
        return _("%(m)d min") % {"m": minutes}
    return _("%(h)d h %(m)d min") % {"h": minutes // 60, "m": minutes % 60}


def duration_patterns() -> dict[str, str]:
    """Return the texts of `format_duration`, for the script that keeps timers current."""
    return {
        "less": _("less than a minute"),
        "minutes": _("%(m)d min"),
        "hours": _("%(h)d h %(m)d min"),
    }


def format_moment(moment: datetime) -> str:
    """Return day and time as text."""
    return date_format(timezone.localtime(moment), "MONTH_DAY_TIME_FORMAT")


def format_end(starts_at: datetime, ends_at: datetime) -> str:
    """Return the time of an end as text; with its day, if that is another one than that of the start."""
    start, end = timezone.localtime(starts_at), timezone.localtime(ends_at)
    return date_format(end, "H:i" if start.date() == end.date() else "MONTH_DAY_TIME_FORMAT")
