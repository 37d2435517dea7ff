"""Takes entries off the waitlist when what they wait for is booked or gone, or when their case is over."""

from clinic.accounts.models import User
from patients.appointments.booking import can_have_appointment
from patients.appointments.models import Appointment
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.waitlist.entries import lock_case, waiting_entries_of
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from patients.waitlist.offers import ENTRY_RELATIONS, end_entry, take_back
from patients.waitlist.waitables import held_time_of, waitable_of

Kind, Ended = WaitlistEntry.Kind, WaitlistEntry.Ended


def end_appointment_entries(appointment: Appointment, by: User | None) -> None:
    """End the entries that have nothing to wait for now that an appointment was changed.

    If it is booked, these are the entries for an appointment with its template. If it is not booked any more,
    they are those for an earlier time of it. patients/appointments calls this with the case locked.
    """
    booked = appointment.status == Appointment.Status.BOOKED
    for entry in waiting_entries_of(appointment.case_id, Kind.APPOINTMENT, Kind.EARLIER):
        if booked and entry.kind == Kind.APPOINTMENT and entry.template_id == appointment.template_id:
            end_entry(entry, Ended.BOOKED, by=by)
        elif not booked and entry.appointment_id == appointment.pk:
            end_entry(entry, Ended.GONE, by=by)
    take_back_if_unbookable_of(appointment.case)


def take_back_if_unbookable_of(case: Case) -> None:
    """Take back the open offer of a case if its time could not be booked any more.

    The caller holds the lock of the case.
    """
    rows = WaitlistOffer.objects.open().filter(case=case)
    relations = (f"entry__{name}" for name in ENTRY_RELATIONS)
    for offer in rows.select_related("booking", "case__patient", *relations):
        entry = offer.entry
        if fault := waitable_of(entry).fault(entry, held_time_of(offer.booking), offer.booking):
            take_back(offer, fault, by=None)


def end_night_entries(case: Case, *, booked: bool, by: User | None) -> None:
    """End a case's entries for a night if one was booked, or those for an earlier one if none is any more.

    The app above calls it inside the transaction of its change.
    """
    locked = lock_case(case.pk)
    for entry in waiting_entries_of(locked, Kind.NIGHT if booked else Kind.EARLIER_NIGHT):
        end_entry(entry, Ended.BOOKED if booked else Ended.GONE, by=by)
    take_back_if_unbookable_of(locked)


def end_entries_on_withdrawal(case: Case, *, by: User) -> None:
    """Take a patient whose consent is withdrawn off the waitlist.

    patients/consent calls it in the withdrawal's transaction, before it changes the signatures. If none is in
    force, nothing is withdrawn, and this changes nothing.
    """
    locked = lock_case(case.pk)
    if locked.stage == Case.Stage.CLOSED or not Signature.objects.in_force().filter(case=locked).exists():
        return
    for entry in waiting_entries_of(locked):
        end_entry(entry, Ended.CASE_OVER, by=by)


def end_entries_after_night(case: Case) -> None:
    """End the entries of a case that a night has closed, except those for follow-ups.

    Call it inside a transaction.
    """
    locked = lock_case(case.pk)
    for entry in waiting_entries_of(locked):
        wanted = entry.template or entry.appointment
        if not can_have_appointment(locked, wanted.kind if wanted else ""):
            end_entry(entry, Ended.CASE_OVER, by=None)
