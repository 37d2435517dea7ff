"""Reads and changes which places of the left-behind list a patient has ticked off."""

from datetime import datetime

from django.db import transaction

from clinic.accounts.models import User
from patients.left_behind.models import LeftBehindTick
from patients.left_behind.places import PLACES


def ticks_of(patient: User) -> dict[str, datetime]:
    """Return when a patient ticked off each place, by its id; without places that are on the list no more."""
    found = LeftBehindTick.objects.filter(patient=patient, place__in=PLACES)
    return dict(found.values_list("place", "ticked_at"))


@transaction.atomic
def tick(patient: User, place: str) -> None:
    """Tick off a place of the list. A second tick keeps the time of the first.

    It has no audit entry: the list is the patient's own, and the clinic does not read it. The lock on the
    account keeps a tick from arriving after the account was closed.
    """
    if User.objects.select_for_update().get(pk=patient.pk).is_active:
        LeftBehindTick.objects.get_or_create(patient=patient, place=place)


def untick(patient: User, place: str) -> None:
    """Take a tick back, if there is one. It has no audit entry either."""
    LeftBehindTick.objects.filter(patient=patient, place=place).delete()
