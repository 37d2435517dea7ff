"""Copies off the map: what holds a memory, who decides on a copy, and what the patient must have allowed."""

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
from tests.erasure.runs.nights import acts, doctor_of, kinds
from tests.factories import jpeg, make_case, make_doctor, make_keepsake, make_memory, make_run

pytestmark = pytest.mark.django_db(transaction=True)

NOT_ALLOWED = "The patient did not agree to this beforehand, so the copy can only be spared."
DECIDED = "This has been decided already."


def make_held(copies: int = 1) -> Run:
    """A night whose only memory is held, because its photo lies in `copies` childhood memories too."""
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


def test_a_copy_is_not_erased_unless_the_patient_allowed_it() -> None:
    run = make_held()
    Signature.objects.filter(pk=run.procedure.consent_id).update(may_extend=False)
    item = Hold.objects.get()
    with pytest.raises(ValueError, match=f"^{NOT_ALLOWED}$"):
        decide_on(run, item, extend=True, reason="patient-asked")
    assert is_open(item)
    assert acts(run, "resistance.extended") == []
    decide_on(run, item, extend=False)
    assert not advance(run.pk)
    assert Keepsake.objects.get(pk=item.copy_id).gone_at is None
    assert Keepsake.objects.get(pk=item.keepsake_id).gone_at is not None


def test_a_copy_is_erased_with_its_memory_where_the_patient_allowed_it() -> None:
    run = make_held()
    item = decide_on(run, Hold.objects.get(), extend=True, reason="clause")
    assert (item.state, item.decided_by, item.reason) == (Hold.State.EXTENDED, doctor_of(run), "clause")
    assert not advance(run.pk)
    assert Keepsake.objects.get(pk=item.copy_id).gone_at is not None
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)


@pytest.mark.parametrize(("reason", "outcome"), [("childhood", "partial"), ("not-a-copy", "complete")])
def test_a_night_that_spared_a_copy_is_partial(reason: str, outcome: str) -> None:
    run = make_held()
    decide_on(run, Hold.objects.get(), reason=reason)
    assert not advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, outcome)
    (finished,) = Entry.objects.filter(run=run.pk, action="run.finished")
    assert finished.details == {"outcome": outcome, "destroyed": 1, "spared": 0}
    assert run.certificate.statement["outcome"] == outcome


def test_the_outcome_of_a_night_is_not_that_of_another() -> None:
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
    assert acts(run, "resistance.extended") == []


def test_nothing_is_decided_after_the_night() -> None:
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


def test_in_doubt_nothing_is_erased() -> None:
    run = make_held(copies=2)
    first, second = Hold.objects.order_by("found_at", "pk")
    decide_on(run, first, reason="doubt")
    step = Step.objects.get(run=run)
    assert (step.state, step.spared_because, step.level) == (Step.State.SPARED, "doubt", 0)
    assert step.memory.fate == Memory.Fate.PROTECTED
    second.refresh_from_db()
    assert (second.state, second.reason, second.decided_by) == (Hold.State.SPARED, "doubt", doctor_of(run))
    assert acts(run, "resistance.spared") == [f"user:{doctor_of(run).pk}"] * 2
    assert acts(run, "memory.protected") == [f"user:{doctor_of(run).pk}"]
    assert kinds(run)[-4:] == ["decided", "decided", "protected", "doctor-acknowledged"]
    assert not advance(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.PARTIAL)
    assert not Keepsake.objects.filter(gone_at__isnull=False).exists()
    assert run.certificate.statement["remains"]["spared"] == [{"number": 1, "because": "doubt", "passes": 0}]


def test_a_copy_in_a_memory_that_is_kept_is_never_put_on_the_map() -> None:
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


def test_a_copy_of_a_memory_that_is_kept_by_now_stays_too() -> None:
    run = make_held()
    control.protect(run.pk, run.steps.get().memory_id, by=run.procedure.case.patient)
    item = Hold.objects.get()
    with pytest.raises(ValueError, match=r"^The memory itself is kept by now, so its copy stays too\.$"):
        decide_on(run, item, extend=True, reason="clause")
    item = open_hold(run, item.pk)
    assert consequence(item, extend=False, reason="doubt").startswith("Memory 1 is kept by now.")
    decide_on(run, item, reason="doubt")
    assert Step.objects.get().spared_because == "protected", "kept once, and for the first reason"
    assert len(acts(run, "memory.protected")) == 1


def test_nothing_is_decided_while_the_night_is_stopped() -> None:
    run = make_held()
    control.abort(run.pk, by=doctor_of(run), reason="doubt")
    with pytest.raises(NotNow, match=r"^This session is being stopped\.$"):
        decide_on(run, Hold.objects.get(), extend=True, reason="clause")
    assert is_open(Hold.objects.get())


@pytest.mark.parametrize(
    ("extend", "reason", "follows"),
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
def test_what_is_said_to_follow_does_follow(extend: bool, reason: str, follows: str) -> None:
    run = make_held()
    item = open_hold(run, Hold.objects.get().pk)
    assert consequence(item, extend=extend, reason=reason) == follows
    decide_on(run, item, extend=extend, reason=reason)
    assert not advance(run.pk)
    run.refresh_from_db()
    own, copy = Keepsake.objects.get(pk=item.keepsake_id), Keepsake.objects.get(pk=item.copy_id)
    assert (own.gone_at is not None) == ("Memory 1 is erased" in follows or "are erased" in follows)
    assert (copy.gone_at is not None) == ("are erased" in follows)
    assert (run.outcome == Run.Outcome.PARTIAL) == ("partial" in follows)


def test_what_follows_waits_for_the_other_copies() -> None:
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


def test_a_hold_is_decided_on_in_its_own_night() -> None:
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
    its_due = Run.objects.get(pk=other.pk).next_due_at
    decide_on(run, second)
    assert Run.objects.get(pk=other.pk).next_due_at == its_due
    assert Step.objects.get(run=run).state == Step.State.WAITING
    assert Run.objects.get(pk=run.pk).next_due_at > due
    call.refresh_from_db()
    assert call.acknowledged_by == doctor_of(run)
    assert kinds(run)[-2:] == ["decided", "doctor-acknowledged"]
    assert Step.objects.get(run=other).state == Step.State.HELD
    assert DoctorCall.objects.get(run=other).acknowledged_at is None


def test_what_was_decided_holds_its_memory_no_more() -> None:
    run = make_held()
    decide_on(run, Hold.objects.get())
    step = run.steps.get()
    found = copies_off_the_map(step)
    assert len(found) == 1
    assert not hold(make_fence(run), step, found)
    assert Step.objects.get(run=run).state == Step.State.WAITING
    assert acts(run, "resistance.found") == ["system:worker"]


def test_a_memory_that_was_protected_while_it_was_held_stays_kept() -> None:
    run = make_held()
    control.protect(run.pk, run.steps.get().memory_id, by=run.procedure.case.patient)
    decide_on(run, Hold.objects.get())
    assert Step.objects.get(run=run).state == Step.State.SPARED


def test_each_memory_is_held_for_itself() -> None:
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
def test_a_keepsake_whose_words_are_gone_is_like_nothing(whose: str) -> None:
    case, picture = make_case(), jpeg()
    own = make_keepsake(make_memory(case, "The target"), picture)
    copy = make_keepsake(make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD), picture)
    run = make_run(memories=0, case=case)
    assert len(copies_off_the_map(run.steps.get())) == 1
    key_store().destroy(own.pk if whose == "its own" else copy.pk)
    assert copies_off_the_map(run.steps.get()) == []


def likeness_in(run: Run) -> tuple[Step, list[Likeness]]:
    step = Step.objects.select_related("memory").get(run=run)
    copy = make_keepsake(make_memory(run.procedure.case, "Childhood", zone=Memory.Zone.CHILDHOOD))
    return step, [Likeness(Keepsake.objects.get(memory=step.memory), copy, 0)]


@pytest.mark.parametrize("why", ["paused", "fenced off", "lease over"])
def test_a_worker_that_may_not_work_holds_nothing(why: str) -> None:
    run = make_run(memories=1)
    step, found = likeness_in(run)
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


def make_likeness(case: Case, picture: bytes) -> dict[str, Keepsake]:
    """The same photo in every place of a case where it could lie."""
    return {
        "the target": make_keepsake(make_memory(case, "The target"), picture),
        "another target": make_keepsake(make_memory(case, "Another target"), picture),
        "protected": make_keepsake(make_memory(case, "Kept", fate=Memory.Fate.PROTECTED), picture),
        "childhood": make_keepsake(make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD), picture),
        "gone": make_keepsake(make_memory(case, "Long ago", zone=Memory.Zone.CHILDHOOD), picture),
    }


def test_copies_are_looked_for_in_all_of_the_case_that_stays() -> None:
    case, picture = make_case(), jpeg()
    lies = make_likeness(case, picture)
    beside = make_keepsake(lies["the target"].memory, picture)
    removed = make_keepsake(lies["the target"].memory, picture)
    make_likeness(make_case(), picture)
    Keepsake.objects.filter(pk__in=[lies["gone"].pk, removed.pk]).update(
        picture=None, thumb=None, gone_at=timezone.now()
    )
    run = make_run(memories=0, case=case)
    step = Step.objects.get(run=run, memory=lies["the target"].memory)
    found = {(item.keepsake, item.copy) for item in copies_off_the_map(step)}
    assert found == {
        (own, copy) for own in (lies["the target"], beside) for copy in (lies["protected"], lies["childhood"])
    }
