"""Checks the limits on a patient's nights: in a season, and the clinic's repeat limit."""

from collections.abc import Callable
from datetime import date, datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.seasons.models import Season
from clinic.seasons.rules import season_on, seasons_between
from patients.cases.models import Case
from patients.repeats.exceptions import has_exception
from patients.repeats.limits import Night, nights_of, repeat_limit_sentences


def season_sentence(season: Season | None, nights: list[Night]) -> str:
    """Return why a season does not allow one more night beside these, or "" if it does."""
    if season is None or season.nights_per_patient is None:
        return ""
    have = sum(season.holds_on(night.day) for night in nights)
    if have < season.nights_per_patient:
        return ""
    return ngettext(
        "In the season “%(name)s” a patient has at most %(most)d night, and this patient has %(have)d.",
        "In the season “%(name)s” a patient has at most %(most)d nights, and this patient has %(have)d.",
        season.nights_per_patient,
    ) % {"name": season.name, "most": season.nights_per_patient, "have": have}


def limits_against(case: Case, starts_at: datetime, *, exclude: UUID | None = None) -> tuple[list[str], bool]:
    """Return why the limits do not allow a night of a case's patient, and whether it needs an exception.

    The sentences are empty if it is allowed. If only the repeat limit is against it and an exception lets it
    happen, they are empty too, and the second value is True: use the exception up then. exclude: the id of
    the procedure that is to be moved. Whoever books the night holds the lock of the patient.
    """
    nights, day = nights_of(case.patient, exclude=exclude), timezone.localdate(starts_at)
    sentences = [one] if (one := season_sentence(season_on(day), nights)) else []
    repeats = repeat_limit_sentences(nights, day)
    needs_exception = bool(repeats) and has_exception(case.patient_id, procedure=exclude)
    if repeats and not needs_exception:
        ask = _("A doctor and an administrator can agree to an exception, on the page “Repeat limit”.")
        sentences += [*repeats, ask]
    return sentences, needs_exception


def day_filter(case: Case, first: date, last: date, *, exclude: UUID | None = None) -> Callable[[date], bool]:
    """Return a function that says whether the limits allow a night on a day from `first` to `last`.

    It reads what it needs once, for any number of days.
    """
    nights = nights_of(case.patient, exclude=exclude)
    seasons = seasons_between(first, last)
    has_one = has_exception(case.patient_id, procedure=exclude)

    def allows(day: date) -> bool:
        season = next((one for one in seasons if one.holds_on(day)), None)
        return not season_sentence(season, nights) and (has_one or not repeat_limit_sentences(nights, day))

    return allows
