"""The mails of the waitlist, to the patient: a time is offered, and an offer was taken back."""

from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from clinic.outgoing.queue import cancel, queue
from clinic.outgoing.recipients import to_patient
from patients.waitlist.models import WaitlistOffer
from patients.waitlist.waitables import entry_words

OFFERED, TAKEN_BACK = "waitlist-offered", "waitlist-taken-back"
Because = WaitlistOffer.Because
# Why an offer was taken back, as the patient reads it. The mail does not give the other reasons.
PATIENT_SENTENCES = {
    Because.TEAM: gettext_lazy("Somebody or something that it needs is not available any more."),
    Because.CASE_OVER: gettext_lazy("Your file is closed."),
    Because.NOT_READY: gettext_lazy("Something has to be settled with you before the night first."),
    Because.PATIENT: gettext_lazy("You have something else with us at that time."),
    Because.LATER: gettext_lazy("What is booked for you is earlier than that now."),
    Because.ENDED: gettext_lazy("You are not on the waitlist for it any more."),
}


def about(offer: WaitlistOffer) -> str:
    """Return what the messages on an offer are about (OutgoingMessage.about)."""
    return f"waitlist-offer:{offer.pk}"


def queue_offer_mail(offer: WaitlistOffer) -> None:
    """Queue the mail with an offer. The caller holds the lock of its case."""
    queue(OFFERED, about(offer), to=[to_patient(offer.case.patient)], version=1, case=offer.case_id)


def has_offer_mail_left(offer: WaitlistOffer) -> bool:
    """Return whether the mail with an offer was sent, or is being sent."""
    sent = (OutgoingMessage.Status.SENT, OutgoingMessage.Status.SENDING)
    return OutgoingMessage.objects.filter(about=about(offer), event=OFFERED, status__in=sent).exists()


def cancel_offer_mail(offer: WaitlistOffer) -> None:
    """Cancel the mail with an offer that has ended, unless it was sent."""
    cancel(about(offer), OFFERED)


def queue_taken_back_mail(offer: WaitlistOffer) -> None:
    """Queue the mail that an offer was taken back."""
    queue(TAKEN_BACK, about(offer), to=[to_patient(offer.case.patient)], version=1, case=offer.case_id)


def _offer(message: OutgoingMessage, state: str) -> WaitlistOffer:
    """Return the offer of a message. Raises MessageOutdated if it is not in `state`."""
    rows = WaitlistOffer.objects.select_related("booking", "entry__template", "entry__appointment")
    offer = rows.get(pk=message.about_id)
    if offer.state != state:
        raise MessageOutdated
    return offer


def _words(offer: WaitlistOffer) -> dict[str, str]:
    """Return the parameters of the mails' sentences."""

    def in_words(moment: datetime) -> str:
        return date_format(timezone.localtime(moment), "SHORT_DATETIME_FORMAT")

    return {
        "begins": in_words(offer.booking.starts_at),
        "ends": date_format(timezone.localtime(offer.booking.ends_at), "H:i"),
        "until": in_words(offer.expires_at),
        "what": entry_words(offer.entry, for_patient=True),
    }


def offered(message: OutgoingMessage) -> Letter:
    """Write the mail that offers a time. Raises MessageOutdated if the offer is over."""
    offer = _offer(message, WaitlistOffer.State.OPEN)
    if offer.expires_at <= timezone.now():
        raise MessageOutdated
    words = [
        _("A time has become free: %(begins)s to %(ends)s. %(what)s.") % _words(offer),
        _("We hold it for you until %(until)s. Please accept or decline it on your page.") % _words(offer),
        _("If you do not answer, it is offered to somebody else, and you stay on the waitlist."),
    ]
    path = reverse("patients:waitlist-offer", args=[offer.pk])
    return Letter(_("A time has become free"), words, path)


def taken_back(message: OutgoingMessage) -> Letter:
    """Write the mail that says that an offer was taken back. Raises MessageOutdated if it was not."""
    offer = _offer(message, WaitlistOffer.State.TAKEN_BACK)
    words = [
        _("We had offered you a time: %(begins)s to %(ends)s. It is not held for you any more.")
        % _words(offer),
        str(PATIENT_SENTENCES.get(Because(offer.because), "")),
    ]
    if offer.entry.ended_at is None:
        words.append(_("You stay on the waitlist. We are sorry."))
    return Letter(_("An offered time is taken back"), words, reverse("patients:portal"))


register_events(
    waitlist_offered=MailEvent(gettext_lazy("Time from the waitlist offered"), offered, urgent=True),
    waitlist_taken_back=MailEvent(gettext_lazy("Offered time taken back"), taken_back),
)
