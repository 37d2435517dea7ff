"""Who answers a thread, and whether an answer is due."""

from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import Role, User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from patients.cases.models import MAPPING_STAGES, Case, assigned_people
from patients.messages.mails import thread_reference
from patients.messages.models import MessageThread
from patients.messages.sending import MessageRefused


def thread_mark(thread: MessageThread) -> str:
    """Return the mark of what a page shows of a thread (clinic/edits/seen.py). Each button sends it back."""
    return seen_mark(f"thread:{thread.pk}", *_shown(thread))


def _shown(thread: MessageThread) -> list[object]:
    return [thread.last_at, thread.assigned_to_id, thread.answer_by, thread.settled_at]


def _lock_thread(case: UUID, seen: str) -> MessageThread:
    """Lock case and thread. Errors: MessageRefused if there is none, or it is not what the page showed."""
    locked = Case.objects.select_for_update().get(pk=case)
    thread = MessageThread.objects.filter(case=locked).first()
    if thread is None:
        raise MessageRefused(_("There is no message yet."))
    if not is_seen(seen, f"thread:{thread.pk}", *_shown(thread)):
        raise MessageRefused(
            _("Something was written or changed here while your page was open. It is shown now as it is.")
        )
    thread.case = locked
    return thread


def possible_answerers(case: Case) -> list[User]:
    """Return the doctors and technicians whose work lets them open the thread of a case, sorted by name.

    It is the rule of policy.py for many people in few queries. A test compares the two.
    """
    if case.stage == Case.Stage.WITHDRAWN:
        return []
    people = User.objects.filter(is_active=True).exclude(pk__in=case.people_in_conflict())
    doctors = Q(grants__role=Role.DOCTOR)
    technicians = Q(grants__role=Role.TECHNICIAN)
    if case.stage not in MAPPING_STAGES:
        technicians &= Q(pk__in=assigned_people(case).values("pk"))
    return list(people.filter(doctors | technicians).distinct().order_by("name", "pk"))


@transaction.atomic
def assign_thread(case: UUID, person: UUID | None, *, seen: str, by: User) -> MessageThread:
    """Assign a thread to a person, or to nobody (None). Errors: MessageRefused."""
    thread = _lock_thread(case, seen)
    if thread.case.is_over:
        raise MessageRefused(_("The file is closed, so nobody answers here any more."))
    if person == thread.assigned_to_id:
        return thread
    if person is not None and person not in {one.pk for one in possible_answerers(thread.case)}:
        # One sentence for every reason: a sentence of its own would reveal that somebody is the subject.
        raise MessageRefused(_("This colleague is not available for this file."))
    MessageThread.objects.filter(pk=thread.pk).update(assigned_to=person)
    action, details = ("messages.assigned", {"to": person}) if person else ("messages.released", {})
    record(
        Act(action, thread_reference(thread.case), actor=actor_of(by), case=thread.case_id, details=details)
    )
    return thread


@transaction.atomic
def settle_thread(case: UUID, *, seen: str, by: User) -> None:
    """Record that the last message needs no answer. Errors: MessageRefused."""
    thread = _lock_thread(case, seen)
    if thread.answer_by is None:
        raise MessageRefused(_("Nothing waits for an answer here."))
    MessageThread.objects.filter(pk=thread.pk).update(
        answer_by=None, settled_answer_by=thread.answer_by, settled_at=timezone.now(), settled_by=by
    )
    record(Act("messages.settled", thread_reference(thread.case), actor=actor_of(by), case=thread.case_id))


@transaction.atomic
def unsettle_thread(case: UUID, *, seen: str, by: User) -> None:
    """Undo `settle_thread`: the patient waits again, with the same promise. Errors: MessageRefused."""
    thread = _lock_thread(case, seen)
    if thread.settled_answer_by is None or thread.case.is_over:
        raise MessageRefused(_("There is nothing to take back here."))
    MessageThread.objects.filter(pk=thread.pk).update(
        answer_by=thread.settled_answer_by, settled_answer_by=None, settled_at=None, settled_by=None
    )
    record(Act("messages.unsettled", thread_reference(thread.case), actor=actor_of(by), case=thread.case_id))


def end_wait(case: UUID) -> None:
    """End the wait for an answer in the thread of a case that ends.

    Call it inside the transaction that ends the case.
    """
    MessageThread.objects.filter(case=case).update(
        answer_by=None, waits_since=None, settled_at=None, settled_by=None, settled_answer_by=None
    )


def end_wait_on_withdrawal(case: Case, *, by: User) -> None:
    """End the wait of a patient who takes the consent back (`patients.consent.signing.on_withdrawal`).

    If no consent is in force, nothing is withdrawn, and the thread goes on.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if locked.signatures.in_force().exists():
        end_wait(locked.pk)
