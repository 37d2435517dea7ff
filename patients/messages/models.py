"""The messages between a patient and the clinic, and the state of the thread of each case."""

import uuid
from dataclasses import dataclass

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.vault.sealed import SealedModel


class MessageThreadQuerySet(models.QuerySet["MessageThread"]):
    def waiting(self) -> "MessageThreadQuerySet":
        """Return the threads in which the patient waits for an answer."""
        return self.filter(answer_by__isnull=False)

    def overdue(self) -> "MessageThreadQuerySet":
        """Return the threads in which the promised answer is late, by the database's clock."""
        return self.filter(answer_by__lte=Now())


class MessageThread(models.Model):
    """The state of the thread of a case: who answers it, and until when. The first message creates it.

    answer_by: until when an answer is promised; null while the patient waits for none. assigned_to: who
    answers. settled_at, settled_by: when a member of staff said that no answer is needed, and who.
    settled_answer_by: the `answer_by` that this removed. The undo restores it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.OneToOneField(Case, on_delete=models.PROTECT, related_name="message_thread")
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    last_at = models.DateTimeField(default=timezone.now)  # when the newest message was written
    waits_since = models.DateTimeField(null=True)
    answer_by = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, db_index=False, related_name="+"
    )
    settled_answer_by = models.DateTimeField(null=True)

    objects = MessageThreadQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["answer_by", "-id"], condition=Q(answer_by__isnull=False), name="thread_waiting"
            ),
            models.Index(fields=["-last_at", "id"], name="thread_newest"),
            models.Index(fields=["assigned_to", "-last_at", "id"], name="thread_assigned"),
            models.Index(
                fields=["assigned_to", "answer_by"],
                condition=Q(answer_by__isnull=False),
                name="thread_assigned_waiting",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(answer_by__isnull=True) | Q(waits_since__isnull=False),
                name="thread_waits_since_something",
            ),
            models.CheckConstraint(
                condition=Q(answer_by__isnull=True) | Q(settled_at__isnull=True),
                name="settled_thread_waits_for_nothing",
            ),
        ]

    @property
    def is_overdue(self) -> bool:
        """Whether the promised answer is late."""
        return self.answer_by is not None and self.answer_by <= timezone.now()


@dataclass(frozen=True)
class MessageFields:
    """The encrypted fields. They are lost with the case's key, or with that of the keepsake (`Message`)."""

    words: str = ""


class Message(SealedModel):
    """One message. It is never edited.

    A message about a keepsake is sealed under the keys of both case and keepsake: what is said of a thing
    that is destroyed must not outlive it. opened_at: when the other side first opened it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, db_index=False, related_name="messages")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    from_clinic = models.BooleanField()
    keepsake = models.ForeignKey(Keepsake, on_delete=models.PROTECT, null=True, related_name="+")
    written_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True)

    sealed_fields = MessageFields

    class Meta:
        indexes = [
            models.Index(fields=["case", "written_at", "-id"], name="message_of_case"),
            models.Index(
                fields=["case", "from_clinic"], condition=Q(opened_at__isnull=True), name="message_unopened"
            ),
        ]

    @property
    def seal_key_id(self) -> uuid.UUID:
        return self.case_id

    @property
    def seal_key_ids(self) -> tuple[uuid.UUID, ...]:
        return (self.case_id, self.keepsake_id) if self.keepsake_id else (self.case_id,)
