"""The mails on a night: booked, moved, cancelled, missed, and before it. To the patient and to the team."""

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
from erasure.procedures.models import Procedure

# The reminders, and how long before its start they leave.
REMINDERS = {"night-in-three-days": timedelta(days=3), "night-tomorrow": timedelta(days=1)}
State = Procedure.State
Words = str | Promise


def about(procedure: Procedure) -> str:
    """Return the object of the messages on a night."""
    return f"procedure:{procedure.pk}"


def tell_of_night(event: str, procedure: Procedure, *, by: User | None) -> None:
    """Queue `event` ("night-booked" and so on) and the reminders; cancel all queued before.

    The team is told too, except `by`. The caller holds the lock of the procedure's row.
    """
    cancel(about(procedure))
    patient = to_patient(procedure.case.patient)
    team = User.objects.filter(resources__bookings=procedure.booking_id).distinct()
    if by is not None:
        team = team.exclude(pk=by.pk)
    everybody: list[Recipient] = [patient, *(to_staff(person) for person in team)]
    queue(event, about(procedure), to=everybody, case=procedure.case_id)
    if event == "night-cancelled":
        return
    for reminder, before in REMINDERS.items():
        due = procedure.booking.starts_at - before
        if due > timezone.now():
            queue(reminder, about(procedure), to=[patient], case=procedure.case_id, at=due)


def end_reminders(procedure: Procedure) -> None:
    """Cancel the reminders of a night that has begun."""
    cancel(about(procedure), *REMINDERS)


def _night(message: OutgoingMessage, *states: str) -> Procedure:
    """Return the procedure of a message. Errors: MessageOutdated if it is in none of `states`."""
    night = Procedure.objects.select_related("booking", "case").get(pk=message.about_id)
    if night.state not in states:
        raise MessageOutdated
    return night


def _text_values(night: Procedure, *, to_staff: bool = False) -> dict[str, str]:
    def words(moment: datetime) -> str:
        return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")

    return {
        "begins": words(night.booking.starts_at),
        "ends": words(night.booking.ends_at),
        "place": str(night.get_place_display()) if to_staff else Procedure.Place(night.place).for_patient,
        "file": night.case.reference,
    }


def _night_event(title: Words, state: str, subject: Words, to_patient: Words, to_team: Words) -> MailEvent:
    """Return an event of nights in `state`: what it says to the patient and to each of the team.

    The texts are translated when a message is written; they may have begins, ends, place and file.
    """

    def write(message: OutgoingMessage) -> Letter:
        night = _night(message, state)
        to_staff = message.audience == OutgoingMessage.Audience.STAFF
        if to_staff:
            words, path = to_team, reverse("patients:case", args=[night.case_id])
        else:
            words, path = to_patient, reverse("patients:portal")
        return Letter(str(subject), [str(words) % _text_values(night, to_staff=to_staff)], path)

    return MailEvent(title, write)


def remind(message: OutgoingMessage) -> Letter:
    """Write a reminder. Errors: MessageOutdated if the night has begun, or the next reminder is due."""
    night = _night(message, State.BOOKED)
    left = night.booking.starts_at - timezone.now()
    if left <= (REMINDERS["night-tomorrow"] if message.event == "night-in-three-days" else timedelta()):
        raise MessageOutdated
    words = _("Your night is near: from %(begins)s to %(ends)s, %(place)s.") % _text_values(night)
    ask = _("If it does not suit you any more, please tell us. You can take your consent back at any time.")
    return Letter(_("Your night is near"), [words, ask], reverse("patients:portal"))


register_events(
    night_booked=_night_event(
        gettext_lazy("Night booked"),
        State.BOOKED,
        gettext_lazy("A night is booked"),
        gettext_lazy("Your night is booked: from %(begins)s to %(ends)s, %(place)s."),
        gettext_lazy("You are booked for a night, file %(file)s: from %(begins)s to %(ends)s, %(place)s."),
    ),
    night_moved=_night_event(
        gettext_lazy("Night moved"),
        State.BOOKED,
        gettext_lazy("A night is moved"),
        gettext_lazy("Your night is moved. It is now from %(begins)s to %(ends)s, %(place)s."),
        gettext_lazy(
            "The night of file %(file)s is moved. It is now from %(begins)s to %(ends)s, %(place)s."
        ),
    ),
    night_cancelled=_night_event(
        gettext_lazy("Night canceled"),
        State.CANCELED,
        gettext_lazy("A night is canceled"),
        gettext_lazy("Your night of %(begins)s does not take place. Nothing is booked for you now."),
        gettext_lazy("The night of file %(file)s on %(begins)s does not take place."),
    ),
    night_missed=_night_event(
        gettext_lazy("Night missed"),
        State.BOOKED,
        gettext_lazy("A night did not take place"),
        gettext_lazy(
            "Your night of %(begins)s did not take place. Nothing was erased. We look for a new time with"
            " you. Until then nothing is asked of you."
        ),
        gettext_lazy(
            "The night of file %(file)s was booked from %(begins)s to %(ends)s and was not started. It waits"
            " for a decision: move it to a new time, or cancel it."
        ),
    ),
    night_in_three_days=MailEvent(gettext_lazy("Three days before the night"), remind),
    night_tomorrow=MailEvent(gettext_lazy("One day before the night"), remind),
)
