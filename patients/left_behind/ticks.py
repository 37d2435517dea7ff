"""Reads and changes a patient's ticks on the left-behind list."""

from datetime import datetime

from django.db import transaction

from clinic.accounts.models import User
from patients.left_behind.models import LeftBehindTick
from patients.left_behind.places import PLACES


def ticks_of(patient: User) -> dict[str, datetime]:
    """Return the time of each tick of a patient, by the id of its place.

    Ticks of places that were taken off the list are left out.
    """
    found = LeftBehindTick.objects.filter(patient=patient, place__in=PLACES)
    return dict(found.values_list("place", "ticked_at"))


@transaction.atomic
def tick(patient: User, place: str) -> None:
    """Tick off a place of the list. A second tick keeps the time of the first.

    There is no audit entry: the list is the patient's own, and the clinic does not read it. A closed account
    gets no tick. The account's row is locked, so it cannot be closed between the check and the tick.
    """
    if User.objects.select_for_update().get(pk=patient.pk).is_active:
        LeftBehindTick.objects.get_or_create(patient=patient, place=place)


def untick(patient: User, place: str) -> None:
    """Remove the tick of a place, if there is one. There is no audit entry either."""
    LeftBehindTick.objects.filter(patient=patient, place=place).delete()
