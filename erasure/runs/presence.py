"""Is somebody with the patient? Asked by a timer and for strong memories; a miss pauses and calls.

Asking and missing are the supervisor's, by the database's clock; answering is a person's. All take the run
row's lock, so an answer and a miss in the same moment have one winner.
"""

from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import Role, RoleGrant, User
from clinic.audit.canonical import Detail
from erasure.runs.calls import open_call
from erasure.runs.control import pause
from erasure.runs.models import DoctorCall, PresenceCheck, Run, Step
from erasure.runs.passes import GONE
from erasure.runs.run_actions import UNCHANGED, Done, NotNow, after, lock, of_the_team, record_run_event
from patients.memories.models import MemoryLink


def minutes_of(run: Run) -> float:
    """Minutes between two checks: the procedure's own, else the policy of the house. 0: none are made."""
    own: float | None = run.procedure.presence_minutes
    return settings.LACUNA_PRESENCE_CHECK_MINUTES if own is None else own


def unsettled() -> "QuerySet[PresenceCheck]":
    """Questions that are neither answered nor missed."""
    return PresenceCheck.objects.filter(answered_at__isnull=True, missed_at__isnull=True)


def strong_step(run: Run) -> Step | None:
    """The memory that fades now, if it is strong (intensity x links) and was not asked about yet."""
    step = (
        Step.objects.filter(run=run, state=Step.State.FADING, level__lt=GONE, presence_check__isnull=True)
        .select_related("memory")
        .first()
    )
    if step is None:
        return None
    links = MemoryLink.objects.filter(Q(a=step.memory_id) | Q(b=step.memory_id)).count()
    return step if (step.memory.intensity or 0) * links >= settings.LACUNA_PRESENCE_STRENGTH else None


def ask_due() -> int:
    """Ask the team of every run that is due for it; returns how many were asked."""
    asked = 0
    quiet = Run.objects.filter(state=Run.State.RUNNING).exclude(pk__in=unsettled().values("run_id"))
    for run in quiet.select_related("procedure"):
        if minutes_of(run) > 0 and (_long_ago(run) or strong_step(run)):
            asked += _ask(run.pk)
    return asked


def _long_ago(run: Run) -> bool:
    return Run.objects.filter(pk=run.pk, attended_at__lte=after(-60 * minutes_of(run))).exists()


@transaction.atomic
def _ask(run_id: UUID) -> bool:
    run = lock(run_id, over=True)
    if run.state != Run.State.RUNNING or unsettled().filter(run=run).exists():
        return False
    step = strong_step(run)
    if step is None and not _long_ago(run):
        return False
    PresenceCheck.objects.create(
        run=run, step=step, asked_at=Now(), due_at=after(settings.LACUNA_PRESENCE_GRACE_SECONDS)
    )
    about: dict[str, Detail] = {"n": step.memory.number or 0} if step else {}
    return record_run_event(run, "presence-asked", None, about).changed


@transaction.atomic
def answer(run_id: UUID, *, by: User) -> Done:
    """Somebody of the team is there. Whoever is first, this or the miss, wins; the other changes nothing.

    Errors: NotNow when the question was missed, when none is open, or for who does not sit with the patient.
    """
    run = lock(run_id)
    if not of_the_team(run, by):
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
    """Pause the runs whose team did not answer in time, and call their doctors; returns how many."""
    due = unsettled().filter(due_at__lte=Now(), run__state__in=[Run.State.RUNNING, Run.State.PAUSED])
    return sum(_miss(pk, run_id) for pk, run_id in due.values_list("pk", "run_id"))


@transaction.atomic
def _miss(check_id: int, run_id: UUID) -> bool:
    run = lock(run_id, over=True)
    if run.state not in {Run.State.RUNNING, Run.State.PAUSED}:
        return False
    if unsettled().filter(pk=check_id, due_at__lte=Now()).update(missed_at=Now()) != 1:
        return False
    record_run_event(run, "presence-missed", None)
    _stand_still(run)
    return True


def _stand_still(run: Run) -> None:
    pause(run.pk, by=None, why=Run.Why.PRESENCE)
    open_call(lock(run.pk), by=None, why=DoctorCall.Why.PRESENCE)


def release_absent() -> int:
    """Take the night from people who may work here no longer; returns how many runs were touched.

    A night nobody answers for stands still until somebody does.
    """
    works = User.objects.filter(is_active=True)
    technician = RoleGrant.objects.filter(role=Role.TECHNICIAN, user=OuterRef("responsible"))
    doctor = RoleGrant.objects.filter(role=Role.DOCTOR, user=OuterRef("taken_over_by"))
    left = (Q(responsible__isnull=False) & (~Q(responsible__in=works) | ~Exists(technician))) | (
        Q(taken_over_by__isnull=False) & (~Q(taken_over_by__in=works) | ~Exists(doctor))
    )
    going_on = Run.objects.filter(left, state__in=[Run.State.RUNNING, Run.State.PAUSED])
    return sum(_release(pk) for pk in going_on.values_list("pk", flat=True))


def _gone(person: User | None, role: str) -> bool:
    return person is not None and not (person.is_active and person.has_role(role))


@transaction.atomic
def _release(run_id: UUID) -> bool:
    run = lock(run_id, over=True)
    if run.state not in {Run.State.RUNNING, Run.State.PAUSED}:
        return False
    told = False
    if _gone(run.taken_over_by, Role.DOCTOR):
        run.taken_over_by, run.taken_over_at = None, None
        run.save(update_fields=["taken_over_by", "taken_over_at"])
        told = record_run_event(run, "handed-back", None).changed
    if _gone(run.responsible, Role.TECHNICIAN):
        run.responsible = None
        run.save(update_fields=["responsible"])
        told = record_run_event(run, "responsible-left", None).changed
        _stand_still(run)
    elif told:
        _stand_still(run)
    return told
