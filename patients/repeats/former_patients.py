"""Finds whether a visitor who asks for an appointment is a former patient whom the repeat limit refuses."""

from dataclasses import dataclass

from django.utils import timezone

from clinic.accounts.models import User
from patients.cases.models import Case
from patients.repeats.exceptions import has_exception
from patients.repeats.limits import nights_of, repeat_limit_sentences


@dataclass(frozen=True)
class FormerPatient:
    """A former patient whom the limit allows no night today. case: their newest case. sentences: why."""

    case: Case
    sentences: list[str]


def refused_former_patient(email: str) -> FormerPatient | None:
    """Return the former patient with this e-mail address, if the limit allows them no other night today.

    None if nobody has or had this address, if the limit allows a night, or if there is an exception. Only
    the address counts: a name or a telephone number is shown to the desk as a hint, and proves nothing.
    """
    people = [*User.objects.at_address(email), *User.objects.formerly_at_address(email)]
    refused = (_refused(person) for person in people)
    return next((found for found in refused if found), None)


def _refused(person: User) -> FormerPatient | None:
    nights = nights_of(person)
    sentences = repeat_limit_sentences(nights, timezone.localdate()) if nights else []
    if not sentences or has_exception(person.pk):
        return None
    newest = Case.objects.filter(patient=person).order_by("-opened_at").first()
    return FormerPatient(newest, sentences) if newest else None
