"""Opening a case: once a patient has come in, their file exists."""

from django.db import IntegrityError, transaction

from clinic.accounts.models import Role, User
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case, CaseFields
from patients.vault.objects import new_seal


def open_case(patient: User, *, by: User) -> Case:
    """Return the patient's current case, opening one if there is none. May be raced: one case results."""
    current = Case.objects.current().filter(patient=patient).first()
    if current:
        return current
    for _attempt in range(5):  # a file number is random; the sixth clash in a row would be a fault
        try:
            with transaction.atomic():
                return _open(patient, by)
        except IntegrityError:
            current = Case.objects.current().filter(patient=patient).first()
            if current:
                return current
    raise RuntimeError("no free file number was found")


def open_for_patient(user: User, role: str) -> None:
    """Give whoever comes in as a patient their file (clinic/people/invitations.py calls this)."""
    if role == Role.PATIENT:
        open_case(user, by=user)


def _open(patient: User, by: User) -> Case:
    case = Case.objects.create(patient=patient)
    new_seal(case_id=case.pk, seal_id=case.pk)
    case.write(CaseFields())
    case.save(update_fields=["sealed"])
    record(Act("case.opened", f"case:{case.pk}", actor=actor_of(by), case=case.pk))
    return case
