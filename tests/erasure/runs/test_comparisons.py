"""Verifying the log also compares the rows of runs and steps with their entries."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.db.models import F

from clinic.audit import triggers
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from erasure.runs.models import Run, Step
from tests.clinic.audit.plugin import unguarded
from tests.erasure.certificates.proofs import ended_run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def step() -> Step:
    """A destroyed step of a run that ended."""
    run = ended_run()
    triggers.install(connection)
    assert verify_log().problems == []
    found = Step.objects.filter(run=run).order_by("position").first()
    assert found
    return found


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("objects", {"objects_destroyed": F("objects_destroyed") + 1}),
        ("bytes", {"bytes_destroyed": 0}),
        ("passes", {"level": 3}),
    ],
)
def test_a_destroyed_step_with_changed_numbers_is_reported(
    step: Step, name: str, change: dict[str, object]
) -> None:
    Step.objects.filter(pk=step.pk).update(**change)
    assert verify_log().problems == [
        f"Step {step.pk} is not as the log says (entry {step.entry_id}): {name}."
    ]


def test_a_step_that_is_no_longer_destroyed_is_reported(step: Step) -> None:
    Step.objects.filter(pk=step.pk).update(state=Step.State.SPARED)
    assert verify_log().problems == [
        f"Step {step.pk}: entry {step.entry_id} speaks of it, and it is no longer there."
    ]


def test_a_step_with_the_entry_of_another_is_reported(step: Step) -> None:
    other = Step.objects.exclude(pk=step.pk).get()
    Step.objects.filter(pk=other.pk).update(state=Step.State.SPARED, entry=None)
    Step.objects.filter(pk=step.pk).update(entry=other.entry_id)
    assert f"Step {step.pk} is not as the log says (entry {step.entry_id}): entry." in verify_log().problems


def test_a_changed_outcome_is_reported(step: Step) -> None:
    Run.objects.filter(pk=step.run_id).update(outcome="partial")
    entry = Entry.objects.get(action="run.finished")
    assert verify_log().problems == [
        f"Run {step.run_id} is not as the log says (entry {entry.index}): outcome."
    ]


def lose_details(entry: Entry) -> None:
    entry.details = {}


def make_list(entry: Entry) -> None:
    entry.details = ["complete"]


def lose_subject(entry: Entry) -> None:
    entry.subject = "run:9"


@pytest.mark.parametrize("change", [lose_details, make_list, lose_subject])
def test_a_changed_entry_is_reported(step: Step, change: Callable[[Entry], None]) -> None:
    entry = Entry.objects.get(action="run.finished")
    change(entry)
    with unguarded(connection):
        entry.save()
    changed, *others = verify_log().problems
    assert changed.startswith(f"Entry {entry.index} was changed: ")
    unreadable = f"Run {step.run_id}: what entry {entry.index} says of it cannot be read."
    missing = f"Run {step.run_id}: the log says nothing of it."
    assert (missing if change is lose_subject else unreadable) in others
