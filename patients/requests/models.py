"""Requests for an appointment, by visitors who have no account yet."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import Invitation
from clinic.accounts.search_words import SearchWord
from patients.vault.sealed import SealedModel


@dataclass(frozen=True)
class RequestFields:
    """The fields encrypted with the request's own key."""

    message: str = ""
    decision: str = ""  # the reason given to the visitor


class AppointmentRequestQuerySet(models.QuerySet["AppointmentRequest"]):
    def waiting(self) -> "AppointmentRequestQuerySet":
        """Return the requests that are new or on hold."""
        return self.filter(state__in=[AppointmentRequest.State.NEW, AppointmentRequest.State.HELD])

    def decided(self) -> "AppointmentRequestQuerySet":
        return self.filter(state__in=[AppointmentRequest.State.ACCEPTED, AppointmentRequest.State.DECLINED])


class AppointmentRequest(SealedModel):
    """A visitor's request for an appointment. Its message is encrypted: it may name whom to forget."""

    class State(models.TextChoices):
        NEW = "new", _("new")
        HELD = "held", _("held")
        DECLINED = "declined", _("declined")
        ACCEPTED = "accepted", _("accepted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("e-mail address"), max_length=254)
    phone = models.CharField(_("telephone"), max_length=40, blank=True)
    language = models.CharField(max_length=8, default="en")
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
    created_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    invitation = models.OneToOneField(
        Invitation, on_delete=models.PROTECT, null=True, related_name="appointment_request"
    )

    sealed_fields = RequestFields
    objects = AppointmentRequestQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["state", "-created_at", "id"], name="request_state_created"),
            models.Index(fields=["-created_at", "id"], name="request_created"),
            models.Index(fields=["-decided_at", "id"], name="request_decided"),
            # For the reports (erasure/reports).
            models.Index(fields=["state", "decided_at"], name="decided_requests_by_time"),
        ]

    @property
    def is_waiting(self) -> bool:
        """Whether it can still be decided."""
        return self.state in {self.State.NEW, self.State.HELD}


class RequestWord(SearchWord):
    """A word by which a request is found: of its visitor's name, address and telephone, and its number."""

    # Without an index of its own: the one of the constraint begins with it.
    request = models.ForeignKey(
        AppointmentRequest, on_delete=models.CASCADE, db_index=False, related_name="search_words"
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "word", "kind"], name="request_word_once")]
        indexes = [models.Index(fields=["word", "request"], name="request_word")]
