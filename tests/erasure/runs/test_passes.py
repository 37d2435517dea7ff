"""The conditions of a pass. A refused pass changes nothing."""

from collections.abc import Callable

import pytest
from django.db.models import F
from django.utils import timezone

from erasure.jobs.worker import next_step
from erasure.runs import passes
from erasure.runs.lease import claim
from erasure.runs.models import Event, Fence, Hold, Run, Step
from erasure.runs.passes import PASS_COUNT, Refused, keepsakes_of, make_pass
from erasure.runs.run_actions import after
from patients.consent.models import Signature
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from patients.vault.objects import mark_for_destruction, read
from tests.factories import make_case, make_keepsake, make_memory, make_run

pytestmark = pytest.mark.django_db(transaction=True)

State = StoredObject.State


def make_fence(run: Run) -> Fence:
    fence = claim(run.pk)
    assert fence
    return fence


def step_of(run: Run) -> Step:
    step = next_step(run.pk)
    assert step
    return step


def one_pass(run: Run, fence: Fence) -> None:
    make_pass(fence, step_of(run), due=run.next_due_at)


def make_all_keepsakes_gone() -> None:
    Keepsake.objects.update(picture=None, thumb=None, gone_at=timezone.now())


REFUSALS: dict[str, tuple[Callable[[], object], str]] = {
    "another worker": (lambda: Run.objects.update(epoch=F("epoch") + 1), "the worker has lost the run"),
    "its lease is over": (lambda: Run.objects.update(lease_until=after(-1)), "the worker has lost the run"),
    "paused": (lambda: Run.objects.update(state=Run.State.PAUSED), "the worker has lost the run"),
    "stopping": (lambda: Run.objects.update(state=Run.State.STOPPING), "the worker has lost the run"),
    "withdrawn": (lambda: Signature.objects.update(withdrawn_at=timezone.now()), "no consent in force"),
    "superseded": (lambda: Signature.objects.update(superseded_at=timezone.now()), "no consent in force"),
    "protected": (lambda: Memory.objects.update(fate=Memory.Fate.PROTECTED), "the memory is no target"),
    "off the map": (lambda: Memory.objects.update(zone=Memory.Zone.CHILDHOOD), "the memory is no target"),
    "held": (lambda: Step.objects.update(state=Step.State.HELD), "the step has changed"),
    "spared": (lambda: Step.objects.update(state=Step.State.SPARED), "the step has changed"),
    "a step ahead": (lambda: Step.objects.update(level=F("level") + 1), "the step has changed"),
    "a keepsake ahead": (lambda: Keepsake.objects.update(level=F("level") + 1), "another pass was faster"),
    "a keepsake gone": (make_all_keepsakes_gone, "another pass was faster"),
    "swept": (
        lambda: mark_for_destruction(StoredObject.objects.filter(state=State.PENDING), "orphan"),
        "a new frame was doomed",
    ),
}


@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("what", REFUSALS)
def test_a_pass_is_refused_and_changes_nothing(
    what: str, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(1)
    fence = make_fence(run)
    for _pass in range(level):
        one_pass(run, fence)
    change, why = REFUSALS[what]
    objects = set(StoredObject.objects.remaining().values_list("pk", flat=True))
    events, due = Event.objects.count(), Run.objects.get().next_due_at
    after_change: list[tuple[Step, Keepsake]] = []

    def hit(label: str) -> None:
        if label == "frames-made":
            change()
            after_change.append((Step.objects.get(), Keepsake.objects.get()))

    monkeypatch.setattr(passes, "hit", hit)
    with pytest.raises(Refused, match=why):
        make_pass(fence, step_of(run), due=after(99))  # type: ignore[arg-type]
    ((step, keepsake),) = after_change
    row = Step.objects.get()
    assert (row.level, row.state) == (step.level, step.state)
    now = Keepsake.objects.get()
    assert (now.level, now.picture_id, now.gone_at) == (keepsake.level, keepsake.picture_id, keepsake.gone_at)
    assert set(StoredObject.objects.remaining().values_list("pk", flat=True)) == objects
    assert (Event.objects.count(), Run.objects.get().next_due_at) == (events, due)
    assert Memory.objects.get().fate != Memory.Fate.ERASED


def test_the_consent_of_another_run_does_not_count() -> None:
    run, other = make_run(1), make_run(1)
    Signature.objects.filter(procedures__run=run).update(withdrawn_at=timezone.now())
    assert Signature.objects.in_force().filter(procedures__run=other).exists()
    with pytest.raises(Refused, match="no consent in force"):
        one_pass(run, make_fence(run))


def test_a_protected_memory_is_not_erased_with_the_others() -> None:
    run = make_run(2)
    step = step_of(run)
    Memory.objects.filter(pk=step.memory_id).update(fate=Memory.Fate.PROTECTED)
    with pytest.raises(Refused, match="the memory is no target"):
        one_pass(run, make_fence(run))


def test_a_step_starts_with_its_first_pass() -> None:
    run = make_run(1)
    fence = make_fence(run)
    one_pass(run, fence)
    began = run.steps.get().started_at
    assert began is not None
    one_pass(run, fence)
    assert run.steps.get().started_at == began


def test_the_last_pass_stores_nothing() -> None:
    keepsake = keepsakes_of(step_of(make_run(1)))[0]
    last = passes.next_frame(keepsake, last=True)
    assert (last.picture, last.thumb, last.objects) == (None, None, [])


def test_a_pass_changes_only_its_own_step_memory_and_keepsakes() -> None:
    run, other = make_run(2), make_run(1)
    fence = make_fence(run)
    step = step_of(run)
    for _pass in range(PASS_COUNT):
        one_pass(run, fence)
    assert list(run.steps.values_list("level", "state")) == [(PASS_COUNT, "fading"), (0, "waiting")]
    assert other.steps.get().level == 0
    assert Memory.objects.get(pk=step.memory_id).fate == Memory.Fate.ERASED
    assert Memory.objects.filter(fate=Memory.Fate.TARGET).count() == 2
    for keepsake in Keepsake.objects.select_related("picture"):
        mine = keepsake.memory_id == step.memory_id
        assert (keepsake.gone_at is not None, keepsake.level) == (mine, PASS_COUNT if mine else 0)
        assert mine == (keepsake.picture is None)
        rows = StoredObject.objects.filter(keepsake=keepsake).remaining()
        assert rows.count() == (0 if mine else 4)


def test_texts_of_a_memory_stay_until_the_last_pass() -> None:
    run = make_run(1)
    fence = make_fence(run)
    seals = StoredObject.objects.filter(role=StoredObject.Role.SEAL).exclude(pk=run.procedure.case_id)
    assert seals.remaining().count() == 2
    for _pass in range(PASS_COUNT - 1):
        one_pass(run, fence)
    assert seals.remaining().count() == 2
    assert Memory.objects.get().read().title == "Photo 0"
    one_pass(run, fence)
    assert seals.remaining().count() == 0


def test_a_step_fades_its_memory_and_the_copies_added_by_a_decision() -> None:
    run = make_run(2)
    first, second = run.steps.select_related("memory")
    case = run.procedure.case
    own = Keepsake.objects.get(memory=first.memory)
    gone_one = make_keepsake(first.memory)
    Keepsake.objects.filter(pk=gone_one.pk).update(picture=None, thumb=None, gone_at=timezone.now())
    childhood = make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD)
    copies = {state: make_keepsake(childhood) for state in Hold.State}
    for state, copy in copies.items():
        decision = {} if state == Hold.State.OPEN else {"decided_at": timezone.now(), "reason": "clause"}
        Hold.objects.create(step=first, keepsake=own, copy=copy, distance=0, state=state, **decision)
    make_keepsake(make_memory(make_case()))
    assert set(keepsakes_of(first)) == {own, copies[Hold.State.EXTENDED]}
    assert set(keepsakes_of(second)) == {Keepsake.objects.get(memory=second.memory)}


def test_frames_of_a_killed_worker_are_destroyed_before_new_ones_are_made() -> None:
    """Otherwise the average of two frames with different noise would show more of the picture."""
    run, other = make_run(1), make_run(1)
    step, other_step = step_of(run), step_of(other)
    made = passes.next_frame(keepsakes_of(step)[0], last=False).objects
    others = passes.next_frame(keepsakes_of(other_step)[0], last=False).objects
    fence = claim(run.pk)
    assert fence
    passes.clear_leftovers(fence, step, keepsakes_of(step))
    states = StoredObject.objects.filter(pk__in=[row.pk for row in made]).values_list("state", flat=True)
    assert set(states) == {State.DESTROYED}
    assert {StoredObject.objects.get(pk=row.pk).state for row in others} == {State.PENDING}
    picture = Keepsake.objects.select_related("picture").get(memory=step.memory_id).picture
    assert picture
    assert read(picture)


def test_a_keepsake_faded_by_an_earlier_run_is_gone_before_its_memory() -> None:
    run = make_run(1)
    fence = make_fence(run)
    for _pass in range(PASS_COUNT - 1):
        one_pass(run, fence)
    assert Keepsake.objects.get().gone_at is None
    Step.objects.update(level=1)
    one_pass(run, fence)
    keepsake = Keepsake.objects.get()
    assert (keepsake.picture, keepsake.level, keepsake.gone_at is None) == (None, PASS_COUNT, False)
    assert run.steps.get().level == 2
    assert Memory.objects.get().fate == Memory.Fate.TARGET
    one_pass(run, fence)
    assert Keepsake.objects.get().level == PASS_COUNT
