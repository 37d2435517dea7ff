"""Agrees to, takes back and uses up exceptions from the repeat limit.

Each function that changes one locks the patient first, or its caller does.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import Role, User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from patients.cases.models import Case
from patients.repeats.models import RepeatException

DOCTOR, ADMINISTRATOR = str(Role.DOCTOR), str(Role.ADMINISTRATOR)


class ExceptionRefused(Exception):
    """Nothing was changed. The message is a sentence for the user."""


def lock_patient(patient: UUID) -> None:
    """Lock a patient, so that the limits hold for bookings of several of their cases at once.

    Call it inside a transaction.
    """
    User.objects.select_for_update(no_key=True).get(pk=patient)


def open_exception(patient: UUID) -> RepeatException | None:
    """Return the exception of a patient that was neither used nor taken back; None if there is none."""
    rows = RepeatException.objects.open().select_related("doctor", "administrator")
    return rows.filter(patient=patient).first()


def exception_mark(patient: UUID, row: RepeatException | None) -> str:
    """Return the `seen_mark` of a patient's open exception, for the buttons of a page. row: it, or None."""
    return seen_mark(f"repeat:{patient}", *_shown_values(row))


def _shown_values(row: RepeatException | None) -> list[object]:
    return [row.pk, row.doctor_id, row.administrator_id] if row else []


def _check_seen(seen: str | None, patient: UUID, row: RepeatException | None) -> None:
    """Raise ExceptionRefused if the page showed another state than `row`. seen: None if there was no page."""
    if seen is not None and not is_seen(seen, f"repeat:{patient}", *_shown_values(row)):
        raise ExceptionRefused(_("Somebody has changed this meanwhile. It is shown now as it is."))


@transaction.atomic
def agree_to_exception(
    case: Case, *, role: str, reason: str, seen: str | None = None, by: User
) -> RepeatException:
    """Record that `by` agrees, as a doctor or as an administrator, to one more night of a case's patient.

    role: DOCTOR or ADMINISTRATOR. seen: the `exception_mark` on the page; None where no page was shown.
    Raises ExceptionRefused if `by` may not agree in this role, without a reason, or if the page was older.
    """
    if role not in {DOCTOR, ADMINISTRATOR} or not by.has_role(role):
        raise ExceptionRefused(
            _("A doctor and an administrator have to agree. You are not this one of them.")
        )
    if by.pk in case.people_in_conflict():
        raise ExceptionRefused(_("One of these people is not available for this case."))
    if not reason.strip():
        raise ExceptionRefused(_("Please say why."))
    lock_patient(case.patient_id)
    row = open_exception(case.patient_id)
    _check_seen(seen, case.patient_id, row)
    row = row or RepeatException(patient_id=case.patient_id)
    if getattr(row, f"{role}_id") is not None:
        raise ExceptionRefused(_("Somebody has agreed in this role already."))
    if by.pk in {row.doctor_id, row.administrator_id}:
        raise ExceptionRefused(_("You have agreed already. The other one has to be somebody else."))
    setattr(row, role, by)
    setattr(row, f"{role}_reason", reason.strip())
    setattr(row, f"{role}_at", timezone.now())
    row.save()
    _record("repeat.agreed", row, case.pk, by, {"role": role, "complete": row.is_complete})
    return row


@transaction.atomic
def take_back_exception(case: Case, *, seen: str | None = None, by: User) -> None:
    """End the open exception of a case's patient, unused.

    seen: as for `agree_to_exception`. Raises ExceptionRefused if there is none, or if the page was older.
    """
    lock_patient(case.patient_id)
    row = open_exception(case.patient_id)
    _check_seen(seen, case.patient_id, row)
    if row is None:
        raise ExceptionRefused(_("There is no open exception, so nothing can be taken back."))
    row.taken_back_at, row.taken_back_by = timezone.now(), by
    row.save(update_fields=["taken_back_at", "taken_back_by"])
    _record("repeat.taken-back", row, case.pk, by, {"complete": row.is_complete})


def has_exception(patient: UUID, *, procedure: UUID | None = None) -> bool:
    """Return whether a patient has a complete exception, which allows one more night.

    procedure: the id of a night that is to be moved; an exception that this night has used counts too.
    """
    rows = RepeatException.objects.filter(patient=patient)
    if procedure is not None and rows.filter(used_for=procedure).exists():
        return True
    return rows.open().complete().exists()


def use_exception(case: Case, procedure: UUID, *, by: User) -> None:
    """Use up the exception of a case's patient for a night. The caller holds the lock of the patient.

    A night that has used one before, and is moved, needs no other. Raises LookupError if there is none.
    """
    rows = RepeatException.objects.filter(patient=case.patient_id)
    if rows.filter(used_for=procedure).exists():
        return
    row = rows.open().complete().first()
    if row is None:
        raise LookupError("there is no complete exception from the repeat limit")
    row.used_at, row.used_for = timezone.now(), procedure
    row.save(update_fields=["used_at", "used_for"])
    _record("repeat.used", row, case.pk, by, {"procedure": procedure})


def _record(action: str, row: RepeatException, case: UUID, by: User, details: dict[str, object]) -> None:
    record(
        Act(action, f"repeat:{row.pk}", actor=actor_of(by), case=case, details=details)  # type: ignore[arg-type]
    )
