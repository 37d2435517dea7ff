"""Answers which season holds on a day, and which in a span of days."""

from datetime import date

from clinic.seasons.models import Season


def season_on(day: date) -> Season | None:
    """Return the season whose rules hold on `day`, by the clinic's calendar; None if there is none."""
    return Season.objects.in_force().between(day, day).first()


def seasons_between(first: date, last: date) -> list[Season]:
    """Return the seasons that have any day from `first` to `last`, both included, the earliest first."""
    return list(Season.objects.in_force().between(first, last).order_by("first"))
