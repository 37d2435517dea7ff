"""The way back after a withdrawal: the patient reopens their case, with what is still in it."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from erasure.destructions.orders import NotNow, has_night, stop, unfinished_destruction
from patients.cases.models import Case
from patients.memories.models import LockedMap
from patients.vault.models import StoredObject


def may_reopen(case: Case) -> bool:
    """Return whether the patient can reopen the case.

    They can if they withdrew it, its own words are not destroyed, they have no newer case, and no night of it
    is booked or under way.
    """
    return (
        case.stage == Case.Stage.WITHDRAWN
        and StoredObject.objects.filter(pk=case.pk).live().exists()
        and not Case.objects.current().filter(patient=case.patient_id).exists()
        and not has_night(case)
    )


@transaction.atomic
def reopen(case: Case, *, by: User) -> None:
    """Reopen a withdrawn case: stop a destruction that is not finished, and unlock the map.

    The consent stays withdrawn until the patient signs again. Errors: NotNow if `by` is not the patient, or
    the case cannot be reopened (`may_reopen`).
    """
    if by.pk != case.patient_id:
        raise NotNow(_("Only the patient can open their file again."))
    if destruction := unfinished_destruction(case):  # first: `_doom` too locks it before the case
        stop(destruction.pk, by=by)
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if not may_reopen(locked):
        raise NotNow(_("This file cannot be opened again. Ask the front desk for a new one."))
    LockedMap.objects.filter(case=locked, unlocked_at__isnull=True).update(unlocked_at=timezone.now())
    Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.BRINGING, closed_at=None)
    record(Act("case.reopened", f"case:{locked.pk}", actor=actor_of(by), case=locked.pk))
