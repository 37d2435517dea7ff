"""The waitlist in tests: who waits, and a time that becomes free and is offered."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from clinic.accounts.models import Role, User
from patients.appointments.booking import cancel_appointment
from patients.appointments.models import Appointment, AppointmentTemplate
from patients.cases.models import Case
from patients.waitlist.entries import put_on_waitlist
from patients.waitlist.models import EVERY_DAY, ChangedSpan, WaitlistEntry, WaitlistOffer
from patients.waitlist.offers import offer_time
from patients.waitlist.supervisor_work import process_changed_spans
from patients.waitlist.waitables import OfferableTime
from tests.appointments import make_team, make_template
from tests.factories import make_case, make_user

ANY_TIME = {
    "weekdays": EVERY_DAY,
    "from_clock": None,
    "until_clock": None,
    "first_day": None,
    "last_day": None,
}


def in_days(days: int, hour: int = 10) -> datetime:
    """The moment at which the clinic's clocks show `hour`, in so many days."""
    day = timezone.localtime(timezone.now() + timedelta(days=days))
    return day.replace(hour=hour, minute=0, second=0, microsecond=0)


def make_waiting(
    case: Case | None = None,
    template: AppointmentTemplate | None = None,
    *,
    by: User | None = None,
    note: str = "",
    **wishes: Any,
) -> WaitlistEntry:
    """A patient who waits for an appointment with a template, by default for one of half an hour."""
    return put_on_waitlist(
        case or make_case(),
        template or make_template(),
        wishes=ANY_TIME | wishes,
        note=note,
        by=by or make_user(Role.RECEPTIONIST),
    )


def let_supervisor_work() -> None:
    """Process changed spans, as the supervisor does, until none is left."""
    while process_changed_spans():
        pass
    assert not ChangedSpan.objects.exists()


def cancel_and_offer(appointment: Appointment) -> None:
    """Cancel an appointment, and let the supervisor offer its time."""
    cancel_appointment(appointment, reason="clinic", by=make_user(Role.RECEPTIONIST))
    let_supervisor_work()


def open_offer(entry: WaitlistEntry) -> WaitlistOffer:
    """The open offer of an entry."""
    return WaitlistOffer.objects.open().select_related("booking").get(entry=entry)


def make_offer(case: Case) -> WaitlistOffer:
    """An open offer to the patient of a case, with people and a room of its own."""
    entry = make_waiting(case, make_template("Offered"))
    start = in_days(40)
    offer = offer_time(entry, OfferableTime(start, start + timedelta(minutes=30), make_team(), "visit"))
    assert offer
    return offer


def let_answer_time_pass(offer: WaitlistOffer, hours: int = 48) -> None:
    """Let so many hours pass for an offer, by default more than its time to answer."""
    past = timedelta(hours=hours)
    WaitlistOffer.objects.filter(pk=offer.pk).update(expires_at=F("expires_at") - past)
    offer.booking.held_until = (offer.booking.held_until or timezone.now()) - past
    offer.booking.save(update_fields=["held_until"])
