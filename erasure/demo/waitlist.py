"""The demonstration's waitlist: three patients who wait, one of whom has an offer that is open."""

from collections.abc import Mapping
from datetime import time, timedelta

from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.availability.offers import DAYS_AHEAD
from clinic.calendar.board import Span
from patients.appointments.models import Appointment, AppointmentTemplate, Kind
from patients.cases.models import Case
from patients.waitlist.entries import ask_for_earlier, put_on_waitlist
from patients.waitlist.models import EVERY_DAY, WaitlistEntry
from patients.waitlist.offers import earliest_time, offer_time
from patients.waitlist.waitables import waitable_of

WORKDAYS = 0b0011111
ANY_TIME = {
    "weekdays": EVERY_DAY,
    "from_clock": None,
    "until_clock": None,
    "first_day": None,
    "last_day": None,
}


@transaction.atomic
def make_waitlist(people: Mapping[str, User], *, by: User) -> None:
    """Put three patients on the list as they and the front desk do, and offer one a time that is free."""
    cases = {one.patient_id: one for one in Case.objects.select_related("patient").order_by("opened_at")}
    put_on_waitlist(
        cases[people["nadia"].pk],
        AppointmentTemplate.objects.usable().filter(kind=Kind.MAPPING)[0],
        wishes=ANY_TIME | {"weekdays": WORKDAYS, "until_clock": time(12)},
        note="Works in the afternoon. Can come at an hour's notice.",
        by=by,
    )
    put_on_waitlist(cases[people["agnes"].pk], None, wishes=ANY_TIME, place="home", by=by)
    visit = Appointment.objects.booked().get(case__patient=people["wilhelmina"])
    offer_next(ask_for_earlier(visit, by=people["wilhelmina"]))


def offer_next(entry: WaitlistEntry) -> None:
    """Offer the next free time that suits an entry, even if others have waited longer."""
    now = timezone.now()
    span = Span(now, now + timedelta(days=DAYS_AHEAD))
    for one in waitable_of(entry).times(entry, span, earliest_time(now), {}):
        if offer_time(entry, one):
            break
