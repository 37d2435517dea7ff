"""Opens a case for a patient, as soon as the patient has accepted the invitation."""

from django.db import IntegrityError, transaction

from clinic.accounts.models import Role, User
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case, CaseFields
from patients.vault.objects import new_seal


def open_case(patient: User, *, by: User) -> Case:
    """Return the patient's current case; open one if there is none. Concurrent calls open only one."""
    while (current := Case.objects.current().filter(patient=patient).first()) is None:
        reference = Case.objects.free_reference()
        try:
            with transaction.atomic():
                return _open(patient, reference, by)
        except IntegrityError:
            # At the same time, another call took the number or opened a case for the same patient.
            taken = Case.objects.filter(reference=reference).exists()
            if not (taken or Case.objects.current().filter(patient=patient).exists()):
                raise
    return current


def open_case_if_patient(user: User, role: str) -> None:
    """Open a case for a user who joins as a patient. clinic/people/invitations.py calls this."""
    if role == Role.PATIENT:
        open_case(user, by=user)


def _open(patient: User, reference: str, by: User) -> Case:
    case = Case.objects.create(patient=patient, reference=reference)
    new_seal(case_id=case.pk, seal_id=case.pk)
    case.write(CaseFields())
    case.save(update_fields=["sealed"])
    record(Act("case.opened", f"case:{case.pk}", actor=actor_of(by), case=case.pk))
    return case
