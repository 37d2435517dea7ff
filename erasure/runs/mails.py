"""The mails on a run: a doctor is wanted, and the night is over."""

from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.access.policy import allowed
from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from erasure.runs.calls import OF_THE_MACHINE, unanswered
from erasure.runs.models import CallNotice


def doctor_wanted(message: OutgoingMessage) -> Letter:
    """Call a doctor to a session; if it is about the machine, a technician.

    It names the file, not the patient: a stranger who sees it learns only that a doctor is wanted. An
    administrator may not open the session; their link leads to the page of the call. Errors: MessageOutdated
    if somebody has answered.
    """
    notices = CallNotice.objects.select_related("call__run__procedure__case", "user")
    notice = notices.get(pk=message.version)
    call = notice.call
    if not unanswered().filter(pk=call.pk).exists():
        raise MessageOutdated
    at = {
        "at": time_format(timezone.localtime(call.called_at), "H:i"),
        "file": call.run.procedure.case.reference,
    }
    first = _("A doctor has been wanted at the session of file %(file)s since %(at)s.") % at
    if call.why in OF_THE_MACHINE:
        first = (
            _("The session of file %(file)s has stood still since %(at)s: the machine needs somebody.") % at
        )
    session = {"run": call.run_id}
    page = "session" if allowed(notice.user, "erasure:session", session, "GET").allowed else "call"
    escalated = _("Nobody has answered, so you are told too.")
    return Letter(
        _("Lacuna: a doctor is wanted"),
        [
            first,
            escalated if notice.kind == CallNotice.Kind.ESCALATED else "",
            _("This message comes again until somebody answers."),
        ],
        reverse(f"erasure:{page}", kwargs=session),
        _("Please open it and answer:"),
    )


def notice_sent(message: OutgoingMessage) -> None:
    """Note on the call that its message was sent."""
    CallNotice.objects.filter(pk=message.version).update(sent_at=Now())


def over(message: OutgoingMessage) -> Letter:
    """Say that the night is over. How it went is told after sign-in."""
    words = _("Your night is over. What was done is being verified now; you get a certificate of it.")
    return Letter(_("Your night is over"), [words], reverse("patients:portal"))


register_events(
    doctor_wanted=MailEvent(gettext_lazy("Doctor wanted"), doctor_wanted, notice_sent, urgent=True),
    night_over=MailEvent(gettext_lazy("Night over"), over),
)
