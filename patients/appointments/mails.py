"""The mails on an appointment: made, moved, cancelled, and before it. To the patient and to the team."""

from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import User
from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.queue import cancel, queue
from clinic.outgoing.recipients import Recipient, to_patient, to_staff
from patients.appointments.models import Appointment

# The reminders, and how long before its start they leave.
REMINDERS = {"appointment-in-three-days": timedelta(days=3), "appointment-tomorrow": timedelta(days=1)}
Status = Appointment.Status
Words = str | Promise


def about(appointment: Appointment) -> str:
    """Return the object of the messages on an appointment."""
    return f"appointment:{appointment.pk}"


def tell_of_appointment(event: str, appointment: Appointment, *, by: User | None) -> None:
    """Queue `event` ("appointment-booked", "-moved", "-cancelled") and reminders; cancel all queued before.

    The team is told too, except `by`. The caller holds the lock of the appointment's row.
    """
    cancel(about(appointment))
    patient = to_patient(appointment.case.patient)
    team = User.objects.filter(resources__bookings=appointment.booking_id).distinct()
    told = [person for person in team if by is None or person.pk != by.pk]
    everybody: list[Recipient] = [patient, *(to_staff(person) for person in told)]
    queue(event, about(appointment), to=everybody, case=appointment.case_id)
    if event == "appointment-cancelled":
        return
    for reminder, before in REMINDERS.items():
        due = appointment.booking.starts_at - before
        if due > timezone.now():
            queue(reminder, about(appointment), to=[patient], case=appointment.case_id, at=due)


def end_reminders(appointment: Appointment) -> None:
    """Cancel the reminders of an appointment whose patient has come, or did not come."""
    cancel(about(appointment), *REMINDERS)


def _appointment(message: OutgoingMessage, status: str) -> Appointment:
    """Return the appointment of a message. Errors: MessageOutdated if it is not in `status`."""
    row = Appointment.objects.with_booking().get(pk=message.about_id)
    if row.status != status:
        raise MessageOutdated
    return row


def _text_values(row: Appointment) -> dict[str, str]:
    def words(moment: datetime) -> str:
        return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")

    return {
        "begins": words(row.booking.starts_at),
        "ends": date_format(timezone.localtime(row.booking.ends_at), "H:i"),
        "kind": str(row.get_kind_display()),
        "file": row.case.reference,
    }


def _event(title: Words, status: str, subject: Words, to_patient: Words, to_team: Words) -> MailEvent:
    """Return an event of appointments in `status`: what it says to the patient and to each of the team.

    The texts are translated when a message is written; they may have begins, ends, kind and file. The patient
    also reads how to prepare, unless the appointment does not take place.
    """

    def write(message: OutgoingMessage) -> Letter:
        row = _appointment(message, status)
        if message.audience == OutgoingMessage.Audience.STAFF:
            path = reverse("patients:case", args=[row.case_id])
            return Letter(str(subject), [str(to_team) % _text_values(row)], path)
        preparation = row.preparation if status == Status.BOOKED else ""
        calendar = (
            _("On your page you can add it to your calendar.")
            if status == Status.BOOKED
            else _("On your page you can take it out of your calendar.")
        )
        paragraphs = [str(to_patient) % _text_values(row), preparation, calendar]
        return Letter(str(subject), paragraphs, reverse("patients:portal"))

    return MailEvent(title, write)


def remind(message: OutgoingMessage) -> Letter:
    """Write a reminder. Errors: MessageOutdated if the appointment has begun, or the next reminder is due."""
    row = _appointment(message, Status.BOOKED)
    left = row.booking.starts_at - timezone.now()
    if left <= (
        REMINDERS["appointment-tomorrow"] if message.event == "appointment-in-three-days" else timedelta()
    ):
        raise MessageOutdated
    words = _("We expect you on %(begins)s: %(kind)s, until %(ends)s.") % _text_values(row)
    ask = _("If it does not suit you any more, please tell us.")
    return Letter(_("Your appointment is near"), [words, row.preparation, ask], reverse("patients:portal"))


register_events(
    appointment_booked=_event(
        gettext_lazy("Appointment booked"),
        Status.BOOKED,
        gettext_lazy("An appointment is booked"),
        gettext_lazy("Your appointment is booked: %(begins)s to %(ends)s, %(kind)s."),
        gettext_lazy("You are booked for file %(file)s: %(begins)s to %(ends)s, %(kind)s."),
    ),
    appointment_moved=_event(
        gettext_lazy("Appointment moved"),
        Status.BOOKED,
        gettext_lazy("An appointment is moved"),
        gettext_lazy("Your appointment is moved. It is now %(begins)s to %(ends)s, %(kind)s."),
        gettext_lazy(
            "The appointment of file %(file)s is moved. It is now %(begins)s to %(ends)s, %(kind)s."
        ),
    ),
    appointment_cancelled=_event(
        gettext_lazy("Appointment canceled"),
        Status.CANCELLED,
        gettext_lazy("An appointment is canceled"),
        gettext_lazy("Your appointment of %(begins)s does not take place."),
        gettext_lazy("The appointment of file %(file)s on %(begins)s does not take place."),
    ),
    appointment_in_three_days=MailEvent(gettext_lazy("Three days before the appointment"), remind),
    appointment_tomorrow=MailEvent(gettext_lazy("One day before the appointment"), remind),
)
