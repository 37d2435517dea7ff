"""What is next for a patient: one list by date, with what waits for them first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from patients.appointments.on_pages import AppointmentDisplay
from patients.cases.status import Stage, Status, Who
from patients.cases.status_words import patient_url, patient_words
from patients.waitlist.models import WaitlistOffer


@dataclass(frozen=True)
class NextLine:
    """One line of the list. at: None for what waits now. until: the end, if it has hours.

    url: where to act. appointment: of an appointment, which the page shows with its buttons.
    """

    at: datetime | None
    text: str | Promise
    url: str = ""
    until: datetime | None = None
    detail: str = ""
    appointment: AppointmentDisplay | None = None


def next_lines(
    status: Status | None, appointments: Iterable[AppointmentDisplay], offer: WaitlistOffer | None
) -> list[NextLine]:
    """Return the lines: a returned keepsake first, then all that has a date, the earliest first.

    status: of the current case; None if there is none.
    """
    lines = [*_of_case(status)] if status else []
    if offer:
        url = reverse("patients:waitlist-offer", args=[offer.pk])
        lines.append(NextLine(offer.expires_at, _("Answer whether a free time suits you"), url))
    for one in appointments:
        booking = one.appointment.booking
        kind = one.appointment.get_kind_display()
        lines.append(NextLine(booking.starts_at, kind, until=booking.ends_at, appointment=one))
    return sorted(lines, key=lambda line: (line.at is not None, line.at or timezone.now()))


def _of_case(status: Status) -> Iterable[NextLine]:
    """Yield the lines about keepsakes that came back, the time to think it over, and the night."""
    for wait in status.waits_for(Who.PATIENT):
        if wait.code == "returned":
            yield NextLine(None, patient_words("returned", wait.count), patient_url("returned"))
    consent, night = status.facts.consent, status.night
    if consent and consent.starts_from > timezone.now():
        words = _("Until then you can think it over. No night begins before.")
        yield NextLine(consent.starts_from, words, reverse("patients:consent"))
    if night and status.stage in {Stage.BOOKED, Stage.RUNNING}:
        url = reverse("erasure:session", args=[night.run]) if night.run else ""
        yield NextLine(night.starts_at, _("The night"), url, night.ends_at, night.place)
