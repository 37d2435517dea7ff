"""The conditions for starting a run, and the steps it starts with."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from erasure.procedures.models import Procedure
from erasure.runs.models import Run, Step
from erasure.runs.planning import CannotStart, start_run
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.memories.map_content import map_body, map_digest
from patients.memories.models import LockedMap, Memory
from tests.factories import make_case, make_keepsake, make_memory, make_procedure

pytestmark = pytest.mark.django_db

STARTED_OR_CANCELED = "This procedure was started or canceled before."
NO_CONSENT = "The patient's consent is no longer in force."
COOLING_OFF = "The patient is still within the time to think it over."
MAP_CHANGED = "The map has changed since the patient signed."
MEMORIES_CHANGED = "The memories are no longer those on the signed map."


@pytest.fixture
def procedure() -> Procedure:
    """A booked procedure with two targets, one protected memory and one off the map."""
    case = make_case()
    for day in (1, 2):
        make_keepsake(make_memory(case, f"Day {day}", f"2003-02-{day:02d}"))
    make_memory(case, "Kept", "2003-02-03", fate=Memory.Fate.PROTECTED)
    make_memory(case, "Childhood", "1980-02-03", zone=Memory.Zone.CHILDHOOD)
    return make_procedure(case)


def refused_sentence(procedure: Procedure) -> str:
    """Try to start the run. Returns why it is refused, and asserts that nothing was changed."""
    state = Procedure.objects.get(pk=procedure.pk).state
    with pytest.raises(CannotStart) as refusal:
        start_run(procedure.pk, by=None)
    assert not Run.objects.exists()
    assert Procedure.objects.get(pk=procedure.pk).state == state
    assert Case.objects.get(pk=procedure.case_id).stage == Case.Stage.BOOKED
    return str(refusal.value)


def test_a_run_starts_with_the_targets_of_its_case_newest_first(procedure: Procedure) -> None:
    other, third = make_case(), make_case()
    make_memory(other, "Of another case")
    make_keepsake(make_memory(third, "Of another night"))
    another_procedure = make_procedure(third)
    run = start_run(procedure.pk, by=None)
    steps = list(Step.objects.filter(run=run).values_list("memory__number", "memory__case", "state"))
    assert steps == [(2, procedure.case_id, "waiting"), (1, procedure.case_id, "waiting")]
    assert run.expected_steps == 2
    assert Procedure.objects.get(pk=procedure.pk).state == Procedure.State.STARTED
    assert Case.objects.get(pk=procedure.case_id).stage == Case.Stage.RUNNING
    assert Case.objects.get(pk=other.pk).stage == Case.Stage.BRINGING
    assert Procedure.objects.get(pk=another_procedure.pk).state == Procedure.State.BOOKED
    assert Case.objects.get(pk=third.pk).stage == Case.Stage.BOOKED


@pytest.mark.parametrize("state", [state for state in Procedure.State if state != Procedure.State.BOOKED])
def test_only_a_booked_procedure_is_started(procedure: Procedure, state: str) -> None:
    Procedure.objects.update(state=state)
    assert refused_sentence(procedure) == STARTED_OR_CANCELED


def test_a_procedure_is_started_once(procedure: Procedure) -> None:
    first = start_run(procedure.pk, by=None)
    Procedure.objects.update(state=Procedure.State.BOOKED)
    with pytest.raises(CannotStart) as refusal:
        start_run(procedure.pk, by=None)
    assert str(refusal.value) == STARTED_OR_CANCELED
    assert Run.objects.get() == first


@pytest.mark.parametrize("ended", ["withdrawn_at", "superseded_at"])
def test_a_run_does_not_start_without_a_consent_in_force(procedure: Procedure, ended: str) -> None:
    Signature.objects.filter(pk=procedure.consent_id).update(**{ended: timezone.now()})
    assert refused_sentence(procedure) == NO_CONSENT


def test_a_run_does_not_start_during_cooling_off(procedure: Procedure, settings: LazySettings) -> None:
    signature = Signature.objects.filter(pk=procedure.consent_id)
    signature.update(cooling_off_hours=72)
    signature.update(signed_at=timezone.now() - timedelta(hours=72) + timedelta(minutes=5))
    assert refused_sentence(procedure) == COOLING_OFF
    signature.update(signed_at=timezone.now() - timedelta(hours=72))
    assert start_run(procedure.pk, by=None).expected_steps == 2


def test_a_run_does_not_start_with_an_unlocked_map(procedure: Procedure) -> None:
    LockedMap.objects.update(unlocked_at=timezone.now())
    assert refused_sentence(procedure) == MAP_CHANGED


def test_a_run_does_not_start_with_another_map_than_the_signed_one(procedure: Procedure) -> None:
    Signature.objects.filter(pk=procedure.consent_id).update(map_digest="0" * 64)
    assert refused_sentence(procedure) == MAP_CHANGED


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda case: Memory.objects.filter(number=1).update(number=9), id="number"),
        pytest.param(lambda case: Memory.objects.update(fate=Memory.Fate.TARGET), id="fate"),
        pytest.param(lambda case: Memory.objects.update(zone=Memory.Zone.MAP), id="zone"),
        pytest.param(lambda case: make_memory(case, "Since"), id="a memory more"),
        pytest.param(lambda case: make_keepsake(Memory.objects.get(number=1)), id="a keepsake more"),
    ],
)
def test_a_run_does_not_start_if_memories_changed_after_the_signature(
    procedure: Procedure, change: Callable[[Case], object]
) -> None:
    change(procedure.case)
    assert refused_sentence(procedure) == MEMORIES_CHANGED


def test_a_run_does_not_start_without_a_target(procedure: Procedure) -> None:
    Memory.objects.update(fate=Memory.Fate.PROTECTED)
    digest = map_digest(map_body(procedure.case))
    LockedMap.objects.update(digest=digest)
    Signature.objects.filter(pk=procedure.consent_id).update(map_digest=digest)
    assert refused_sentence(procedure) == "There is nothing on the map to erase."
