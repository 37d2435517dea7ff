"""Mail that waits in the database until a mail server has taken it."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OutgoingMessage(models.Model):
    """One message on one event to one recipient. It is written from ids when it is sent.

    event: its name in the registry (clinic/outgoing/events.py). about: the object, as "procedure:<id>".
    version: counts the events of this kind about the object. recipient: "user:<id>", or another reference
    (recipients.py). No name, address, subject or token is stored here.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        FAILED = "failed", _("not delivered")
        CANCELLED = "cancelled", _("not sent, because it was true no longer")

    class Audience(models.TextChoices):
        PATIENT = "patient", _("patient")
        STAFF = "staff", _("staff")

    class Reason(models.TextChoices):
        """Why the last attempt failed, or why nothing is sent."""

        UNREACHABLE = "unreachable", _("The mail server does not answer.")
        CERTIFICATE = "certificate", _("The mail server's certificate is not trusted.")
        LOGIN = "login", _("The mail server refuses our login.")
        SECURITY = "security", _("The mail server cannot do what the settings ask for.")
        SENDER = "sender", _("The mail server refuses our sender address.")
        ADDRESS = "address", _("The mail server knows no such address.")
        CONTENT = "content", _("The mail server refuses the message.")
        LATER = "later", _("The mail server asks us to try again later.")
        FAULT = "fault", _("The message could not be written. The server's log says why.")
        UNTRUE = "untrue", _("It was no longer true when its turn came.")
        REPLACED = "replaced", _("What it said has changed or was canceled.")
        GIVEN_UP = "given-up", _("Given up by a member of staff.")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)  # also in its Message-ID
    event = models.CharField(max_length=40)
    about = models.CharField(max_length=80)
    version = models.PositiveBigIntegerField()
    recipient = models.CharField(max_length=80)
    audience = models.CharField(max_length=8, choices=Audience.choices)
    language = models.CharField(max_length=8)
    case = models.UUIDField(null=True)
    base = models.CharField(max_length=200, blank=True)  # root URL for its link; "": that of the settings
    urgent = models.BooleanField(default=False)  # is sent before the others
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    queued_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    # Set by the process that sends it. A sender whose time ran out finds another `claim` here than its own.
    claim = models.UUIDField(null=True)
    taken_until = models.DateTimeField(null=True)
    # May be set while it is being sent: if that attempt fails, it is not tried again.
    cancelled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)  # when it was sent, failed for good, or was cancelled
    reason = models.CharField(max_length=12, choices=Reason.choices, blank=True)
    reply_code = models.PositiveSmallIntegerField(null=True)  # of the mail server's refusal, such as 550

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["event", "about", "version", "recipient"], name="message_queued_once"
            )
        ]
        indexes = [
            models.Index(fields=["status", "next_attempt_at"], name="message_due"),
            models.Index(fields=["status", "-ended_at"], name="message_failed"),
            models.Index(fields=["about"], name="message_about"),
            models.Index(fields=["case"], name="message_case"),
        ]

    @property
    def about_id(self) -> str:
        """The id of the object that it is about."""
        return self.about.partition(":")[2]
