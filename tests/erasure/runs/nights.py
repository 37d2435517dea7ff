"""Helpers for tests of runs: people, due times, events, failpoints, and the check of a complete end."""

from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from clinic.calendar.bookings import book
from clinic.calendar.models import Resource
from erasure.runs.models import DoctorCall, Event, PresenceCheck, Run, Step
from erasure.runs.passes import PASS_COUNT
from erasure.runs.run_actions import after
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import storage

# The labels of clinic/failpoints.py in the order in which a run reaches them. "label:3" means that the
# process is killed or stopped when it reaches the label for the third time.
POINTS = {
    "making frames": [
        "claimed",
        "cleared:2",
        "row:2",
        "key:3",
        "file:4",
        "create.written:5",
        "create.durable:2",
        "frames-made:3",
        "before-commit:2",
    ],
    "destroying": [
        "after-commit:4",
        "destroy.written:6",
        "destroy.durable:3",
        "key-destroyed:2",
        "file-unlinked:5",
        "recorded:4",
    ],
    "closing a memory": ["case-rolled", "before-close", "after-close"],
    "ending": [
        "roll.key-written",
        "roll.slots-written",
        "roll.renamed",
        "roll.old-key-destroyed",
        "rolled",
        "renewed",
        "verified",
    ],
}


def one_of(run: Run, role: str) -> User:
    """The doctor or technician booked for a run."""
    return User.objects.get(resources__bookings=run.procedure.booking, grants__role=role)


def doctor_of(run: Run) -> User:
    return one_of(run, Role.DOCTOR)


def technician_of(run: Run) -> User:
    return one_of(run, Role.TECHNICIAN)


def event_kinds(run: Run, *excluded: str) -> list[str]:
    """The kinds of a run's events in their order, without `excluded`."""
    return [
        kind for kind in Event.objects.filter(run=run).values_list("kind", flat=True) if kind not in excluded
    ]


def actors_of(run: Run, action: str) -> list[str]:
    """The actors of a run's log entries with this action, in their order."""
    return list(
        Entry.objects.filter(run=run.pk, action=action).order_by("index").values_list("actor", flat=True)
    )


def make_call_due(run: Run, *, remind: bool = False, escalate: bool = False) -> None:
    """Make the next reminder or escalation of the open doctor call due now."""
    fields = {name: Now() for name, wanted in (("remind_at", remind), ("escalate_at", escalate)) if wanted}
    assert DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True).update(**fields) == 1


def leave_unattended(run: Run, minutes: float = 60) -> None:
    """Make it `minutes` since somebody of the team last attended to the run."""
    Run.objects.filter(pk=run.pk).update(attended_at=after(-60 * minutes))


def make_check_overdue(run: Run) -> None:
    """Make the open presence check unanswered for longer than its grace period."""
    assert PresenceCheck.objects.filter(run=run).update(due_at=after(-1)) == 1


def book_elsewhere(person: User, run: Run, by: User) -> None:
    """Book a technician for something else during this run."""
    now = timezone.now()
    book(
        kind="visit",
        resources=list(Resource.objects.filter(user=person)),
        starts_at=now + timedelta(hours=1),
        ends_at=now + timedelta(hours=2),
        by=by,
    )


def check_end(run: Run) -> None:
    """Assert that the run is complete, with one log entry per step and falling bits, and has left nothing."""
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)
    assert set(run.steps.values_list("state", "level")) == {(Step.State.DESTROYED, PASS_COUNT)}
    assert Entry.objects.filter(action="memory.destroyed", run=run.pk).count() == run.expected_steps
    assert Entry.objects.filter(action="run.finished", run=run.pk).count() == 1
    assert Entry.objects.filter(action="certificate.issued", run=run.pk).count() == 1
    events = list(Event.objects.filter(run=run).order_by("seq"))
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    for memory in run.steps.values_list("memory__number", flat=True):
        passes = [event.data for event in events if event.kind == "pass" and event.data["n"] == memory]
        assert [data["level"] for data in passes] == list(range(1, PASS_COUNT + 1))
        assert [data["bits"] for data in passes] == sorted((data["bits"] for data in passes), reverse=True)
    assert not StoredObject.objects.remaining().exists()
    assert list(key_store().ids()) == []
    assert storage().traces() == set()
    assert verify_log().problems == []


def spare_all_steps(run: Run) -> None:
    fields = {"spared_because": "protected", "done_at": timezone.now()}
    Step.objects.filter(run=run).update(state=Step.State.SPARED, **fields)


def process_state(pid: int) -> str:
    """The state of a process as the kernel's letter: R running, S sleeping, T stopped."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - a pseudo file of the kernel
        return file.read().rpartition(")")[2].split()[0]


def is_stopped(pid: int) -> bool:
    return process_state(pid) == "T"
