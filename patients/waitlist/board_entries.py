"""The waitlist on the day board: times held for an offer, and offers whose mail was not delivered."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.calendar.board import BoardSource, BookingLabel, Need, Span
from clinic.calendar.durations import format_moment
from clinic.calendar.models import Booking
from clinic.calendar.state_lanes import State
from clinic.outgoing.models import OutgoingMessage
from patients.cases.relations import board_patient, patient_label, roles_on
from patients.waitlist.mails import OFFERED, about
from patients.waitlist.models import WaitlistOffer

# If a mail was not sent after this time, the desk is asked to call.
MAIL_IS_LATE_AFTER = timedelta(minutes=15)
MAX_OFFERS = 40  # so many open offers are looked at


def describe_bookings(bookings: Sequence[Booking], viewer: User) -> Mapping[UUID, BookingLabel]:
    """Return labels of the times that are held for an offer, by booking id."""
    rows = WaitlistOffer.objects.open().filter(booking__in=bookings).select_related("case__patient")
    offers = list(rows)
    roles_by_case = roles_on(viewer, [row.case_id for row in offers]) if offers else {}
    return {row.booking_id: _label(row, roles_by_case.get(row.case_id, frozenset())) for row in offers}


def _label(row: WaitlistOffer, roles: frozenset[str]) -> BookingLabel:
    """Return the label of an offer. It names the patient only to viewers with `roles` on the case."""
    what = _("offered from the waitlist")
    if not roles:
        return BookingLabel(what=what, held=True, state=State.EXPECTED)
    return BookingLabel(
        patient_label(row.case, roles, short=True),
        what,
        reverse("patients:case", args=[row.case_id]),
        held=True,
        state=State.EXPECTED,
        since=row.made_at,
        patient=board_patient(row.case, roles),
    )


def _with_undelivered_mail(offers: Sequence[WaitlistOffer]) -> set[UUID]:
    """Return the ids of the offers whose mail has failed, or was not sent after MAIL_IS_LATE_AFTER."""
    offer_by_about = {about(row): row.pk for row in offers}
    messages = OutgoingMessage.objects.filter(about__in=offer_by_about, event=OFFERED)
    sent = set(messages.filter(status=OutgoingMessage.Status.SENT).values_list("about", flat=True))
    failed = set(messages.filter(status=OutgoingMessage.Status.FAILED).values_list("about", flat=True))
    late = {about(row) for row in offers if row.made_at <= timezone.now() - MAIL_IS_LATE_AFTER}
    return {offer_by_about[name] for name in failed | (late - sent)}


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """Return a need for each open offer whose mail was not delivered: the patient may not know of it.

    span: not used, because these needs belong to no day.
    """
    # No select_related: for so few offers a database may read all cases and join the offers to them.
    rows = WaitlistOffer.objects.open().prefetch_related("booking", "case__patient").order_by("expires_at")
    offers = list(rows[:MAX_OFFERS])
    undelivered = _with_undelivered_mail(offers) if offers else set()
    cases = [row.case_id for row in offers]
    roles_by_case = roles_on(viewer, cases, "patients:waitlist-new") if undelivered else {}
    entries = []
    for row in offers:
        if row.pk in undelivered and row.case_id in roles_by_case:
            words = {
                "when": format_moment(row.booking.starts_at),
                "until": date_format(timezone.localtime(row.expires_at), "MONTH_DAY_TIME_FORMAT"),
            }
            text = _("The mail that offers %(when)s was not delivered. Call by %(until)s.") % words
            roles = roles_by_case[row.case_id]
            entries.append(
                Need(
                    patient_label(row.case, roles, short=True),
                    text,
                    reverse("patients:waitlist-entry", args=[row.entry_id]),
                    late=True,
                    patient=board_patient(row.case, roles),
                )
            )
    return entries


BOARD_SOURCE = BoardSource(describe_bookings=describe_bookings, needs=needs)
