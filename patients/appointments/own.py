"""What patients do with their appointments themselves: book one at a free time, move it, cancel it."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.availability.offers import Offer
from clinic.configuration.values import value_of
from patients.appointments.booking import (
    CannotBook,
    book_appointment,
    can_have_appointment,
    cancel_appointment,
    check_seen,
    hold_appointment,
    lock_appointment,
    move_appointment,
)
from patients.appointments.configuration import OWN_NOTICE_HOURS
from patients.appointments.models import Appointment, AppointmentTemplate, Kind
from patients.appointments.offers import first_allowed, offered_times, usable_resources
from patients.cases.models import Case


def earliest_own(now: datetime) -> datetime:
    """Return the first moment whose appointments patients still book, move and cancel themselves."""
    return now + timedelta(hours=value_of(OWN_NOTICE_HOURS))


def own_case(patient: User) -> Case | None:
    """Return the case for which a patient books: the current one, or else the last."""
    cases = Case.objects.filter(patient=patient).order_by("-opened_at")
    return cases.current().first() or cases.first()


def own_templates(case: Case) -> list[AppointmentTemplate]:
    """Return what the patient of a case can book themselves now. What is booked already is left out."""
    booked = Appointment.objects.booked().filter(case=case).values("template")
    rows = AppointmentTemplate.objects.usable().filter(patients_may_book=True).exclude(pk__in=booked)
    return [
        row
        for row in rows
        if can_have_appointment(case, row.kind) and (row.kind != Kind.MAPPING or case.map_is_open)
    ]


def times_to_book(case: Case, template: AppointmentTemplate, start: datetime | None = None) -> list[Offer]:
    """Return the next free times for a patient. start: not before this moment."""
    first = max(earliest_own(timezone.now()), first_allowed(case, template))
    return offered_times(
        case, template, usable_resources(case, template), start=max(first, start) if start else first
    )


def times_to_move_to(row: Appointment, start: datetime | None = None) -> list[Offer]:
    """Return the next times at which the same people and room are free."""
    first = earliest_own(timezone.now())
    return offered_times(
        row.case,
        row,
        list(row.booking.resources.all()),
        start=max(first, start) if start else first,
        duration=row.booking.ends_at - row.booking.starts_at,
        exclude=row.booking,
    )


def _taken() -> CannotBook:
    return CannotBook(_("This time is not free any more. Please choose another one."))


def book_own(case: Case, template: AppointmentTemplate, starts_at: datetime, *, by: User) -> Appointment:
    """Book an appointment at a time that is offered. Errors: CannotBook, in words for the patient."""
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        if template not in own_templates(locked):
            raise CannotBook(_("This cannot be booked here any more. Please call us."))
        # From a moment before, as the search begins at the next quarter of an hour.
        offer = _offer_at(times_to_book(locked, template, starts_at - timedelta(minutes=1)), starts_at)
        try:
            held = hold_appointment(
                locked, template, resources=offer.resources, starts_at=offer.starts_at, by=by
            )
            return book_appointment(held, by=by)
        except CannotBook as refusal:
            raise _taken() from refusal


def _offer_at(offers: list[Offer], starts_at: datetime) -> Offer:
    for offer in offers:
        if offer.starts_at == starts_at:
            return offer
    raise _taken()


def near(row: Appointment, now: datetime) -> bool:
    """Return whether an appointment begins too soon for its patient to change it themselves."""
    return row.booking.starts_at < earliest_own(now)


def check_own(row: Appointment) -> None:
    """Check that its patient can still change an appointment themselves. Errors: CannotBook."""
    if row.status != Appointment.Status.BOOKED:
        raise CannotBook(_("This appointment does not take place any more."), stale=True)
    if near(row, timezone.now()):
        raise CannotBook(_("It is too near to be changed here. Please call us."))


@transaction.atomic
def move_own(row: Appointment, starts_at: datetime, *, seen: str, by: User) -> Appointment:
    """Move an appointment to a time that is offered. seen: the `appointment_mark` on the page.

    Errors: CannotBook, in words for the patient; `stale` if it is not as the page showed it.
    """
    locked = lock_appointment(row)
    check_own(locked)
    check_seen(seen, locked)
    offer = _offer_at(times_to_move_to(locked, starts_at - timedelta(minutes=1)), starts_at)
    try:
        return move_appointment(
            locked,
            starts_at=offer.starts_at,
            ends_at=offer.ends_at,
            expected_start=locked.booking.starts_at,
            reason=Appointment.Reason.PATIENT,
            by=by,
        )
    except CannotBook as refusal:
        if refusal.confirm_limit_token:
            sentence = _("Your appointments were moved so often that we talk about it first. Please call us.")
            raise CannotBook(sentence) from refusal
        raise _taken() from refusal


@transaction.atomic
def cancel_own(row: Appointment, *, seen: str, by: User) -> None:
    """Cancel an appointment. seen: the `appointment_mark` on the page. Errors: CannotBook, as `move_own`."""
    locked = lock_appointment(row)
    check_own(locked)
    cancel_appointment(locked, reason=Appointment.Reason.PATIENT, seen=seen, by=by)
