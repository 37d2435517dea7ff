"""The repeat limit: how long there is between two nights of a patient, and how many nights they have ever.

The nights are in the app above, erasure. They are read through reverse relations.
"""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import ngettext

from clinic.accounts.models import User
from clinic.configuration.values import value_of
from patients.cases.models import Case
from patients.repeats.configuration import NIGHTS_EVER, REPEAT_MONTHS

# Outcomes of runs that count. A night that was stopped does not: its case goes on, and may need another one.
FINISHED_OUTCOMES = frozenset({"complete", "partial"})


@dataclass(frozen=True)
class Night:
    """A night of a patient that counts: finished, going on, or booked and not over."""

    procedure: UUID
    day: date
    finished: bool


def nights_of(patient: User, *, exclude: UUID | None = None) -> list[Night]:
    """Return the nights of a patient that count, of all their files, the earliest first. One query.

    Those of accounts that were closed for good and had the same e-mail address count, too.
    exclude: the id of a procedure that is left out, because it is to be moved.
    """
    now = timezone.now()
    earlier = User.objects.formerly_at_address(patient.email)
    cases = Case.objects.filter(Q(patient=patient) | Q(patient__in=earlier), procedures__isnull=False)
    rows = cases.values_list(
        "procedures__pk",
        "procedures__state",
        "procedures__run__outcome",
        "procedures__booking__starts_at",
        "procedures__booking__ends_at",
    )
    nights = []
    for procedure, state, outcome, starts_at, ends_at in rows:
        finished = outcome in FINISHED_OUTCOMES
        going_on = state == "started" and not outcome
        expected = state == "booked" and ends_at > now
        if procedure != exclude and (finished or going_on or expected):
            nights.append(Night(procedure, timezone.localdate(starts_at), finished))
    return sorted(nights, key=lambda night: night.day)


def months_after(day: date, months: int) -> date:
    """Return the same day `months` later, or the last day of that month if it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if year > date.max.year:
        return date.max
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def repeat_limit_sentences(nights: Sequence[Night], day: date) -> list[str]:
    """Return why the limit does not allow a night on `day` beside `nights`, as sentences; [] if it does."""
    months, most = int(value_of(REPEAT_MONTHS)), int(value_of(NIGHTS_EVER))
    sentences = []
    if most and len(nights) >= most:
        sentences.append(
            ngettext(
                "This patient has %(n)d night already. The clinic allows %(most)d.",
                "This patient has %(n)d nights already. The clinic allows %(most)d.",
                len(nights),
            )
            % {"n": len(nights), "most": most}
        )
    too_near = [
        night
        for night in nights
        if months and months_after(min(night.day, day), months) > max(night.day, day)
    ]
    if too_near:
        last = too_near[-1].day
        shown = {
            "day": date_format(last, "DATE_FORMAT"),
            "months": months,
            "first": date_format(months_after(last, months), "DATE_FORMAT"),
        }
        sentences.append(
            ngettext(
                "This patient has a night on %(day)s. The clinic keeps %(months)d month between two: the "
                "next one is possible from %(first)s on.",
                "This patient has a night on %(day)s. The clinic keeps %(months)d months between two: the "
                "next one is possible from %(first)s on.",
                months,
            )
            % shown
        )
    return sentences


def first_allowed_day(nights: Sequence[Night]) -> date | None:
    """Return the first day on which the limit allows another night; None if that is today or never."""
    months, most = int(value_of(REPEAT_MONTHS)), int(value_of(NIGHTS_EVER))
    if not months or not nights or (most and len(nights) >= most):
        return None
    first = months_after(nights[-1].day, months)
    return first if first > timezone.localdate() else None
