"""Writes messages, and marks them as opened."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.names import compose
from clinic.outgoing.queue import cancel
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.messages.mails import ANSWERED, queue_answer_mail, thread_reference
from patients.messages.models import Message, MessageFields, MessageThread
from patients.messages.promise import answer_by
from patients.vault.keys import KeyGone
from patients.vault.stream import Tampered

MAX_CHARACTERS = 10_000


class MessageRefused(Exception):
    """The message is not sent, or the thread not changed. The message is a sentence for the user."""


def why_closed(case: Case, *, for_patient: bool) -> str:
    """Return why nothing more can be sent in the thread of a case; "" if it can.

    for_patient: whether the patient reads the sentence.
    """
    if case.stage == Case.Stage.WITHDRAWN and for_patient:
        return _(
            "You have taken back your consent, so nobody at the clinic reads this any more, and nothing more "
            "can be sent. What stands here is yours to read until it is destroyed."
        )
    if case.is_over and for_patient:
        return _(
            "Your file is closed, so nothing more can be sent. What stands here is yours to read until it is "
            "destroyed."
        )
    if case.is_over:
        return _("The file is closed, so nothing more can be sent.")
    return ""


def clean_words(text: str) -> str:
    """Return a typed text as it is stored. Errors: MessageRefused if it is empty or too long."""
    text = compose(text.replace("\0", "").replace("\r\n", "\n")).strip()
    if not text:
        raise MessageRefused(_("Please write something first."))
    if len(text) > MAX_CHARACTERS:
        raise MessageRefused(
            _("That is too long. Please write at most %(most)d characters.") % {"most": MAX_CHARACTERS}
        )
    return text


def _keepsake_of(case: Case, keepsake: UUID | None) -> Keepsake | None:
    """Return the keepsake that a message is about. Errors: MessageRefused if it is not there."""
    if keepsake is None:
        return None
    row = Keepsake.objects.filter(pk=keepsake, case=case, gone_at__isnull=True).first()
    if row is None:
        raise MessageRefused(
            _("The thing that you wrote about is not here any more. You can send your words without it.")
        )
    return row


@transaction.atomic
def send_message(case: Case, words: str, *, message: UUID, keepsake: UUID | None = None, by: User) -> Message:
    """Add a message to the thread of a case and return it. A form that is sent twice adds one message.

    message: the id that the page's form carries. keepsake: what it is about. by: the patient, or somebody of
    the staff, whom the policy let in. Errors: MessageRefused.
    """
    text = clean_words(words)
    locked = Case.objects.select_for_update(of=("self",)).select_related("patient").get(pk=case.pk)
    if existing := Message.objects.filter(pk=message).first():
        return _sent_before(existing, locked, text, by)
    for_patient = by.pk == locked.patient_id
    if closed := why_closed(locked, for_patient=for_patient):
        raise MessageRefused(closed)
    row = Message(
        pk=message,
        case=locked,
        author=by,
        from_clinic=not for_patient,
        keepsake=_keepsake_of(locked, keepsake),
    )
    try:
        row.write(MessageFields(text))
    except KeyGone:
        raise MessageRefused(_("The words of this file are destroyed, so nothing can be added.")) from None
    if row.from_clinic:
        queue_answer_mail(locked)
    row.save(force_insert=True)
    _update_thread(row)
    record(
        Act(
            "message.sent",
            f"message:{row.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={"by": "clinic" if row.from_clinic else "patient"},
        )
    )
    return row


def _sent_before(existing: Message, case: Case, text: str, by: User) -> Message:
    """Return the message that was sent with this form. Errors: MessageRefused if it has other words."""
    try:
        same = (existing.case_id, existing.author_id, existing.read().words) == (case.pk, by.pk, text)
    except (KeyGone, Tampered):
        same = False
    if not same:
        raise MessageRefused(
            _("This form has sent another message before. Your words are still here: please send them again.")
        )
    return existing


def _update_thread(message: Message) -> None:
    """Update the thread for a new message: the patient's begins the wait, the clinic's ends it.

    The caller holds the lock of the case.
    """
    thread = MessageThread.objects.filter(case=message.case_id).first() or MessageThread(case=message.case)
    thread.last_at = message.written_at
    if message.from_clinic:
        thread.waits_since = thread.answer_by = None
    elif thread.answer_by is None:
        thread.waits_since, thread.answer_by = message.written_at, answer_by(message.written_at)
    thread.settled_at = thread.settled_by = thread.settled_answer_by = None
    thread.save()


@transaction.atomic
def mark_opened(case: Case, shown: Sequence[Message], *, by: User) -> None:
    """Record that `by` opened those of `shown` that the other side wrote.

    The log has an entry if the staff opened something new. A mail that tells the patient of answers is
    cancelled when all of them are opened.
    """
    by_patient = by.pk == case.patient_id
    new = [row.pk for row in shown if row.from_clinic == by_patient and row.opened_at is None]
    if not new:
        return
    # `send_message` holds this lock when it looks for unopened messages.
    Case.objects.select_for_update().get(pk=case.pk)
    unopened = Message.objects.filter(case=case, from_clinic=by_patient, opened_at__isnull=True)
    opened = unopened.filter(pk__in=new).update(opened_at=timezone.now())
    if by_patient:
        if not unopened.exists():
            cancel(thread_reference(case), ANSWERED)
    elif opened:
        actor = actor_of(by)
        record(
            Act("messages.opened", thread_reference(case), actor=actor, case=case.pk, details={"n": opened})
        )
