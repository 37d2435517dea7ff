"""Presence checks: the team is asked whether somebody is with the patient.

A timer or a strong memory causes a check. A missed check pauses the run and calls the doctor. The supervisor
asks, and marks checks as missed, by the database's clock. All functions lock the run row, so if an answer and
a miss come at the same moment, only one of them counts.
"""

from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import Role, RoleGrant, User
from clinic.audit.canonical import Detail
from erasure.runs.calls import open_call
from erasure.runs.control import pause
from erasure.runs.models import DoctorCall, PresenceCheck, Run, Step
from erasure.runs.passes import PASS_COUNT
from erasure.runs.run_actions import (
    UNCHANGED,
    ActionResult,
    NotNow,
    after,
    check_not_stopping,
    counts_as_attending,
    lock,
    record_run_event,
)
from patients.memories.models import MemoryLink


def unsettled() -> "QuerySet[PresenceCheck]":
    """Checks that are neither answered nor missed."""
    return PresenceCheck.objects.filter(answered_at__isnull=True, missed_at__isnull=True)


def strong_step(run: Run) -> Step | None:
    """Return the step that fades now if its memory is strong (intensity x links) and had no check yet."""
    step = (
        Step.objects.filter(
            run=run, state=Step.State.FADING, level__lt=PASS_COUNT, presence_check__isnull=True
        )
        .select_related("memory")
        .first()
    )
    if step is None:
        return None
    links = MemoryLink.objects.filter(Q(a=step.memory_id) | Q(b=step.memory_id)).count()
    return step if (step.memory.intensity or 0) * links >= run.presence_strength else None


def ask_due() -> int:
    """Ask the team of every run whose check is due; returns how many were asked."""
    asked = 0
    unasked = Run.objects.filter(state=Run.State.RUNNING).exclude(pk__in=unsettled().values("run_id"))
    for run in unasked.filter(presence_minutes__gt=0):
        if _timer_due(run) or strong_step(run):
            asked += _ask(run.pk)
    return asked


def _timer_due(run: Run) -> bool:
    return Run.objects.filter(pk=run.pk, attended_at__lte=after(-60 * run.presence_minutes)).exists()


@transaction.atomic
def _ask(run_id: UUID) -> bool:
    run = lock(run_id, allow_finished=True)
    if run.state != Run.State.RUNNING or unsettled().filter(run=run).exists():
        return False
    step = strong_step(run)
    if step is None and not _timer_due(run):
        return False
    PresenceCheck.objects.create(run=run, step=step, asked_at=Now(), due_at=after(run.presence_grace_seconds))
    about: dict[str, Detail] = {"n": step.memory.number or 0} if step else {}
    return record_run_event(run, "presence-asked", None, about).changed


@transaction.atomic
def answer(run_id: UUID, *, by: User) -> ActionResult:
    """Record that `by`, a member of the team, is with the patient. A second answer changes nothing.

    Errors: NotNow if the check was marked as missed first, no check was made, or `by` is not on the team.
    """
    run = lock(run_id)
    check_not_stopping(run)
    if not counts_as_attending(run, by):
        raise NotNow(_("A technician answers this, or the doctor who has taken over."))
    if unsettled().filter(run=run).update(answered_by=by, answered_at=Now()) == 1:
        return record_run_event(run, "presence-answered", by)
    last = PresenceCheck.objects.filter(run=run).order_by("-pk").first()
    if last is None:
        raise NotNow(_("Nobody asked."))
    if last.missed_at:
        raise NotNow(_("It was too late: the session is paused and the doctor is called."))
    return UNCHANGED


def miss_due() -> int:
    """Mark overdue checks as missed, pause their runs and call the doctors; returns how many."""
    due = unsettled().filter(due_at__lte=Now(), run__state__in=[Run.State.RUNNING, Run.State.PAUSED])
    return sum(_miss(pk, run_id) for pk, run_id in due.values_list("pk", "run_id"))


@transaction.atomic
def _miss(check_id: int, run_id: UUID) -> bool:
    run = lock(run_id, allow_finished=True)
    if run.state not in {Run.State.RUNNING, Run.State.PAUSED}:
        return False
    if unsettled().filter(pk=check_id, due_at__lte=Now()).update(missed_at=Now()) != 1:
        return False
    record_run_event(run, "presence-missed", None)
    _pause_and_call(run)
    return True


def _pause_and_call(run: Run) -> None:
    pause(run.pk, by=None, why=Run.Why.PRESENCE)
    open_call(lock(run.pk), by=None, why=DoctorCall.Why.PRESENCE)


def release_absent() -> int:
    """Remove people who may no longer work here from their runs; returns how many runs were changed.

    Such a run is paused and its doctor called; it stays paused until somebody is responsible for it.
    """
    works = User.objects.filter(is_active=True)
    technician = RoleGrant.objects.filter(role=Role.TECHNICIAN, user=OuterRef("responsible"))
    doctor = RoleGrant.objects.filter(role=Role.DOCTOR, user=OuterRef("taken_over_by"))
    left = (Q(responsible__isnull=False) & (~Q(responsible__in=works) | ~Exists(technician))) | (
        Q(taken_over_by__isnull=False) & (~Q(taken_over_by__in=works) | ~Exists(doctor))
    )
    affected = Run.objects.filter(left, state__in=[Run.State.RUNNING, Run.State.PAUSED])
    return sum(_release(pk) for pk in affected.values_list("pk", flat=True))


def _no_longer_works(person: User | None, role: str) -> bool:
    return person is not None and not (person.is_active and person.has_role(role))


@transaction.atomic
def _release(run_id: UUID) -> bool:
    run = lock(run_id, allow_finished=True)
    if run.state not in {Run.State.RUNNING, Run.State.PAUSED}:
        return False
    changed = False
    if _no_longer_works(run.taken_over_by, Role.DOCTOR):
        run.taken_over_by, run.taken_over_at = None, None
        run.save(update_fields=["taken_over_by", "taken_over_at"])
        changed = record_run_event(run, "handed-back", None).changed
    if _no_longer_works(run.responsible, Role.TECHNICIAN):
        run.responsible = None
        run.save(update_fields=["responsible"])
        changed = record_run_event(run, "responsible-left", None).changed
        _pause_and_call(run)
    elif changed:
        _pause_and_call(run)
    return changed
