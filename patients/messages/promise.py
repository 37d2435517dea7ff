"""Until when the clinic promises to answer a message."""

from datetime import datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import ngettext

from clinic.availability.timetables import clock_moment, exceptions_in
from clinic.configuration.values import value_of
from patients.messages.configuration import ANSWER_DAYS

SATURDAY = 5  # as `date.weekday` counts
# How many days ahead working days are looked for. If they are too few, the last of these days is promised.
MAX_DAYS_AHEAD = 120


def promise_words() -> str:
    """Return the promise as a sentence for patients."""
    days = int(value_of(ANSWER_DAYS))
    text = ngettext("We answer within %(n)d working day.", "We answer within %(n)d working days.", days)
    return text % {"n": days}


def answer_by(asked_at: datetime) -> datetime:
    """Return the promised time for a message of `asked_at`: ANSWER_DAYS working days later, the same hour.

    A day is a working day if it is no Saturday or Sunday and the clinic is not closed for the whole of it.
    """
    asked = timezone.localtime(asked_at)
    end = clock_moment(asked.date() + timedelta(days=MAX_DAYS_AHEAD + 1), time(0))
    closings = list(exceptions_in(asked_at, end).filter(resource=None).values_list("starts_at", "ends_at"))
    left, day = int(value_of(ANSWER_DAYS)), asked.date()
    for _attempt in range(MAX_DAYS_AHEAD):
        day += timedelta(days=1)
        begins, ends = clock_moment(day, time(0)), clock_moment(day + timedelta(days=1), time(0))
        closed = any(start <= begins and ends <= until for start, until in closings)
        if day.weekday() < SATURDAY and not closed:
            left -= 1
        if not left:
            break
    return clock_moment(day, asked.time().replace(tzinfo=None))
