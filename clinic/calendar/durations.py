"""Durations as text."""

from django.utils.translation import gettext as _


def format_duration(seconds: float) -> str:
    """Return a duration as text: '2 h 50 min', '6 min', 'less than a minute'."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return _("less than a minute")
    if minutes < 60:
        return _("%(m)d min") % {"m": minutes}
    return _("%(h)d h %(m)d min") % {"h": minutes // 60, "m": minutes % 60}
