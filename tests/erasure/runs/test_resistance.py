"""Copies off the map: when a memory is held, who decides, and what needs the patient's prior consent."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from clinic.audit.models import Entry
from erasure.jobs.worker import advance
from erasure.runs import control, handover
from erasure.runs.finishing import outcome_of
from erasure.runs.lease import claim
from erasure.runs.models import DoctorCall, Fence, Hold, Run, Step
from erasure.runs.resistance import Likeness, consequence, copies_off_the_map, decide, hold, open_hold
from erasure.runs.run_actions import NotNow
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.configured import key_store
from tests.erasure.runs.nights import actors_of, doctor_of, event_kinds
from tests.factories import jpeg, make_case, make_doctor, make_keepsake, make_memory, make_run

pytestmark = pytest.mark.django_db(transaction=True)

NOT_ALLOWED = "The patient did not agree to this beforehand, so the copy can only be spared."
DECIDED = "This has been decided already."


def make_held(copies: int = 1) -> Run:
    """A run whose only memory is held, because `copies` childhood memories have its photo too."""
    case, picture = make_case(), jpeg()
    make_keepsake(make_memory(case, "The target"), picture)
    for number in range(copies):
        make_keepsake(make_memory(case, f"Childhood {number}", zone=Memory.Zone.CHILDHOOD), picture)
    run = make_run(memories=0, case=case)
    assert not advance(run.pk)
    assert Step.objects.get(run=run).state == Step.State.HELD
    assert Hold.objects.filter(step__run=run, state=Hold.State.OPEN).count() == copies
    return run


def make_fence(run: Run) -> Fence:
    fence = claim(run.pk)
    assert fence
    return fence


def decide_on(run: Run, item: Hold, *, extend: bool = False, reason: str = "childhood") -> Hold:
    return decide(run.pk, item.pk, extend=extend, reason=reason, by=doctor_of(run))


def is_open(item: Hold) -> bool:
    row = Hold.objects.get(pk=item.pk)
    return (row.state, row.decided_by, row.decided_at, row.reason) == (Hold.State.OPEN, None, None, "")


def test_a_copy_is_not_erased_without_the_patients_consent() -> None:
    run = make_held()
    Signature.objects.filter(pk=run.procedure.consent_id).update(may_extend=False)
    item = Hold.objects.get()
    with pytest.raises(ValueError, match=f"^{NOT_ALLOWED}$"):
        decide_on(run, item, extend=True, reason="patient-asked")
    assert is_open(item)
    assert actors_of(run, "resistance.extended") == []
    decide_on(run, item, extend=False)
    assert not advance(run.pk)
    assert Keepsake.objects.get(pk=item.copy_id).gone_at is None
    assert Keepsake.objects.get(pk=item.keepsake_id).gone_at is not None


def test_a_copy_is_erased_with_its_memory_if_the_patient_consented() -> None:
    run = make_held()
    item = decide_on(run, Hold.objects.get(), extend=True, reason="clause")
    assert (item.state, item.decided_by, item.reason) == (Hold.State.EXTENDED, doctor_of(run), "clause")
    assert not advance(run.pk)
    assert Keepsake.objects.get(pk=item.copy_id).gone_at is not None
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)


@pytest.mark.parametrize(("reason", "outcome"), [("childhood", "partial"), ("not-a-copy", "complete")])
def test_a_run_that_spared_a_copy_is_partial(reason: str, outcome: str) -> None:
    run = make_held()
    decide_on(run, Hold.objects.get(), reason=reason)
    assert not advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, outcome)
    (finished,) = Entry.objects.filter(run=run.pk, action="run.finished")
    assert finished.details == {"outcome": outcome, "destroyed": 1, "spared": 0}
    assert run.certificate.statement["outcome"] == outcome


def test_the_outcome_of_a_run_does_not_depend_on_other_runs() -> None:
    spared, other = make_held(), make_run(memories=1)
    decide_on(spared, Hold.objects.get())
    assert (outcome_of(spared), outcome_of(other)) == ("partial", "complete")
    Step.objects.filter(run=other).update(state=Step.State.SPARED)
    assert outcome_of(other) == "partial"
    Hold.objects.update(reason="not-a-copy")
    assert outcome_of(spared) == "complete"
    spared.state = Run.State.STOPPING
    assert outcome_of(spared) == "stopped"


def test_a_decision_is_made_once() -> None:
    run = make_held()
    item = decide_on(run, Hold.objects.get(), reason="childhood")
    with pytest.raises(ValueError, match=f"^{DECIDED}$"):
        decide_on(run, item, extend=True, reason="clause")
    row = Hold.objects.get()
    assert (row.state, row.reason) == (Hold.State.SPARED, "childhood")
    assert actors_of(run, "resistance.extended") == []


def test_nothing_is_decided_after_the_end_of_the_run() -> None:
    run = make_held()
    Run.objects.update(state=Run.State.FINISHED, outcome="stopped", finished_at=timezone.now())
    item = Hold.objects.get()
    with pytest.raises(ValueError, match=f"^{DECIDED}$"):
        decide_on(run, item)
    assert is_open(item)


@pytest.mark.parametrize(
    ("extend", "reason"),
    [
        *[(True, reason) for reason in ("doubt", "not-a-copy", "childhood", "kept")],
        *[(False, reason) for reason in ("clause", "kept")],
    ],
)
def test_a_reason_fits_its_decision(extend: bool, reason: str) -> None:
    run = make_held()
    with pytest.raises(ValueError, match=r"^The reason “.+” does not fit the decision “.+”\.$"):
        decide_on(run, Hold.objects.get(), extend=extend, reason=reason)
    assert is_open(Hold.objects.get())


def test_a_decision_in_doubt_spares_the_memory_and_all_its_copies() -> None:
    run = make_held(copies=2)
    first, second = Hold.objects.order_by("found_at", "pk")
    decide_on(run, first, reason="doubt")
    step = Step.objects.get(run=run)
    assert (step.state, step.spared_because, step.level) == (Step.State.SPARED, "doubt", 0)
    assert step.memory.fate == Memory.Fate.PROTECTED
    second.refresh_from_db()
    assert (second.state, second.reason, second.decided_by) == (Hold.State.SPARED, "doubt", doctor_of(run))
    assert actors_of(run, "resistance.spared") == [f"user:{doctor_of(run).pk}"] * 2
    assert actors_of(run, "memory.protected") == [f"user:{doctor_of(run).pk}"]
    assert event_kinds(run)[-4:] == ["decided", "decided", "protected", "doctor-acknowledged"]
    assert not advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.PARTIAL)
    assert not Keepsake.objects.filter(gone_at__isnull=False).exists()
    assert run.certificate.statement["remains"]["spared"] == [{"number": 1, "because": "doubt", "passes": 0}]


def test_a_copy_in_a_protected_memory_is_never_added_to_the_map() -> None:
    case, picture = make_case(), jpeg()
    make_keepsake(make_memory(case, "The target"), picture)
    make_keepsake(make_memory(case, "Kept", "2003-01-01", fate=Memory.Fate.PROTECTED), picture)
    run = make_run(memories=0, case=case)
    assert not advance(run.pk)
    item = Hold.objects.get()
    with pytest.raises(ValueError, match=r"^The copy belongs to a memory that is kept on purpose"):
        decide_on(run, item, extend=True, reason="clause")
    with pytest.raises(ValueError, match=r"does not fit"):
        decide_on(run, item, reason="childhood")
    assert consequence(item, extend=False, reason="kept") == (
        "Memory 2 is erased tonight. The copy in memory 1 stays; the night is then partial."
    )
    assert decide_on(run, item, reason="kept").state == Hold.State.SPARED


def test_a_copy_of_a_memory_protected_meanwhile_is_spared() -> None:
    run = make_held()
    control.protect(run.pk, run.steps.get().memory_id, by=run.procedure.case.patient)
    item = Hold.objects.get()
    with pytest.raises(ValueError, match=r"^The memory itself is kept by now, so its copy stays too\.$"):
        decide_on(run, item, extend=True, reason="clause")
    item = open_hold(run, item.pk)
    assert consequence(item, extend=False, reason="doubt").startswith("Memory 1 is kept by now.")
    decide_on(run, item, reason="doubt")
    assert Step.objects.get().spared_because == "protected", "the first reason stays"
    assert len(actors_of(run, "memory.protected")) == 1


def test_nothing_is_decided_while_the_run_is_stopping() -> None:
    run = make_held()
    control.abort(run.pk, by=doctor_of(run), reason="doubt")
    with pytest.raises(NotNow, match=r"^This session is being stopped\.$"):
        decide_on(run, Hold.objects.get(), extend=True, reason="clause")
    assert is_open(Hold.objects.get())


@pytest.mark.parametrize(
    ("extend", "reason", "sentence"),
    [
        (True, "clause", "Memory 1 and the copy in childhood are erased tonight."),
        (
            False,
            "childhood",
            "Memory 1 is erased tonight. The copy in childhood stays; the night is then partial.",
        ),
        (
            False,
            "not-a-copy",
            "Memory 1 is erased tonight. What was found in childhood stays: it is no copy.",
        ),
        (False, "doubt", "Memory 1 and the copy in childhood stay; the night is then partial."),
    ],
)
def test_the_stated_consequence_of_a_decision_is_true(extend: bool, reason: str, sentence: str) -> None:
    run = make_held()
    item = open_hold(run, Hold.objects.get().pk)
    assert consequence(item, extend=extend, reason=reason) == sentence
    decide_on(run, item, extend=extend, reason=reason)
    assert not advance(run.pk)
    run.refresh_from_db()
    own, copy = Keepsake.objects.get(pk=item.keepsake_id), Keepsake.objects.get(pk=item.copy_id)
    assert (own.gone_at is not None) == ("Memory 1 is erased" in sentence or "are erased" in sentence)
    assert (copy.gone_at is not None) == ("are erased" in sentence)
    assert (run.outcome == Run.Outcome.PARTIAL) == ("partial" in sentence)


def test_the_consequence_mentions_other_undecided_copies() -> None:
    run = make_held(copies=2)
    item = open_hold(run, Hold.objects.order_by("pk")[0].pk)
    assert consequence(item, extend=False, reason="childhood").endswith(
        "It still waits until you have decided on its other copies."
    )


def test_a_decision_needs_a_reason_that_is_known() -> None:
    run = make_held()
    with pytest.raises(ValueError, match=r"^Please choose a reason\.$"):
        decide_on(run, Hold.objects.get(), reason="because")
    assert is_open(Hold.objects.get())


def test_a_hold_is_decided_only_in_its_own_run() -> None:
    run, other = make_held(), make_run(memories=1)
    item = Hold.objects.get()
    with pytest.raises(Hold.DoesNotExist):
        decide(other.pk, item.pk, extend=False, reason="doubt", by=doctor_of(other))
    with pytest.raises(Hold.DoesNotExist):
        decide(run.pk, uuid4(), extend=False, reason="doubt", by=doctor_of(run))
    assert is_open(item)


def test_only_the_doctor_who_has_taken_over_decides() -> None:
    run = make_held()
    in_charge = make_doctor()
    handover.take_over(run.pk, by=in_charge)
    with pytest.raises(NotNow):
        decide_on(run, Hold.objects.get())
    assert is_open(Hold.objects.get())
    assert decide(run.pk, Hold.objects.get().pk, extend=False, reason="doubt", by=in_charge).decided_at


def test_a_memory_waits_until_all_of_its_copies_are_decided_on() -> None:
    run = make_held(copies=2)
    other = make_held()
    call = DoctorCall.objects.get(run=run)
    first, second = Hold.objects.filter(step__run=run)
    decide_on(run, first)
    assert is_open(second)
    assert Step.objects.get(run=run).state == Step.State.HELD
    assert not advance(run.pk)
    call.refresh_from_db()
    assert call.acknowledged_at is None
    due = Run.objects.get(pk=run.pk).next_due_at
    other_due = Run.objects.get(pk=other.pk).next_due_at
    decide_on(run, second)
    assert Run.objects.get(pk=other.pk).next_due_at == other_due
    assert Step.objects.get(run=run).state == Step.State.WAITING
    assert Run.objects.get(pk=run.pk).next_due_at > due
    call.refresh_from_db()
    assert call.acknowledged_by == doctor_of(run)
    assert event_kinds(run)[-2:] == ["decided", "doctor-acknowledged"]
    assert Step.objects.get(run=other).state == Step.State.HELD
    assert DoctorCall.objects.get(run=other).acknowledged_at is None


def test_a_decided_copy_does_not_hold_its_memory_again() -> None:
    run = make_held()
    decide_on(run, Hold.objects.get())
    step = run.steps.get()
    found = copies_off_the_map(step)
    assert len(found) == 1
    assert not hold(make_fence(run), step, found)
    assert Step.objects.get(run=run).state == Step.State.WAITING
    assert actors_of(run, "resistance.found") == ["system:worker"]


def test_a_memory_protected_while_held_stays_protected() -> None:
    run = make_held()
    control.protect(run.pk, run.steps.get().memory_id, by=run.procedure.case.patient)
    decide_on(run, Hold.objects.get())
    assert Step.objects.get(run=run).state == Step.State.SPARED


def test_each_memory_has_its_own_hold() -> None:
    case, picture = make_case(), jpeg()
    for number in (1, 2):
        make_keepsake(make_memory(case, f"Target {number}", f"2003-02-{number:02d}"), picture)
    make_keepsake(make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD), picture)
    run = make_run(memories=0, case=case)
    first, second = run.steps.select_related("memory")
    fence = make_fence(run)
    assert hold(fence, first, copies_off_the_map(first))
    assert [step.state for step in run.steps.all()] == [Step.State.HELD, Step.State.WAITING]
    assert hold(fence, second, copies_off_the_map(second))
    assert [step.state for step in run.steps.all()] == [Step.State.HELD, Step.State.HELD]
    assert not hold(fence, second, copies_off_the_map(second))


@pytest.mark.parametrize("whose", ["its own", "the copy's"])
def test_a_keepsake_without_its_key_has_no_copies(whose: str) -> None:
    case, picture = make_case(), jpeg()
    own = make_keepsake(make_memory(case, "The target"), picture)
    copy = make_keepsake(make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD), picture)
    run = make_run(memories=0, case=case)
    assert len(copies_off_the_map(run.steps.get())) == 1
    key_store().destroy(own.pk if whose == "its own" else copy.pk)
    assert copies_off_the_map(run.steps.get()) == []


def make_likeness_of(run: Run) -> tuple[Step, list[Likeness]]:
    step = Step.objects.select_related("memory").get(run=run)
    copy = make_keepsake(make_memory(run.procedure.case, "Childhood", zone=Memory.Zone.CHILDHOOD))
    return step, [Likeness(Keepsake.objects.get(memory=step.memory), copy, 0)]


@pytest.mark.parametrize("why", ["paused", "fenced off", "lease over"])
def test_a_worker_that_lost_the_run_makes_no_hold(why: str) -> None:
    run = make_run(memories=1)
    step, found = make_likeness_of(run)
    fence = make_fence(run)
    if why == "paused":
        control.pause(run.pk, by=None)
    elif why == "fenced off":
        fence = Fence(run.pk, fence.epoch - 1)
    else:
        Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert not hold(fence, step, found)
    assert not Hold.objects.exists()
    assert Step.objects.get(pk=step.pk).state == Step.State.WAITING


def make_same_photo_everywhere(case: Case, picture: bytes) -> dict[str, Keepsake]:
    """Keepsakes with the same photo in every kind of memory of a case."""
    return {
        "the target": make_keepsake(make_memory(case, "The target"), picture),
        "another target": make_keepsake(make_memory(case, "Another target"), picture),
        "protected": make_keepsake(make_memory(case, "Kept", fate=Memory.Fate.PROTECTED), picture),
        "childhood": make_keepsake(make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD), picture),
        "gone": make_keepsake(make_memory(case, "Long ago", zone=Memory.Zone.CHILDHOOD), picture),
    }


def test_copies_are_searched_in_all_memories_of_the_case_that_stay() -> None:
    case, picture = make_case(), jpeg()
    copies_by_place = make_same_photo_everywhere(case, picture)
    beside = make_keepsake(copies_by_place["the target"].memory, picture)
    removed = make_keepsake(copies_by_place["the target"].memory, picture)
    make_same_photo_everywhere(make_case(), picture)
    Keepsake.objects.filter(pk__in=[copies_by_place["gone"].pk, removed.pk]).update(
        picture=None, thumb=None, gone_at=timezone.now()
    )
    run = make_run(memories=0, case=case)
    step = Step.objects.get(run=run, memory=copies_by_place["the target"].memory)
    found = {(item.keepsake, item.copy) for item in copies_off_the_map(step)}
    assert found == {
        (own, copy)
        for own in (copies_by_place["the target"], beside)
        for copy in (copies_by_place["protected"], copies_by_place["childhood"])
    }
