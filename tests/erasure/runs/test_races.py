"""E4: a pause, protection, withdrawal or abort and the next pass have one winner in every interleaving."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import connection

from clinic.accounts.models import User
from erasure.jobs.worker import next_step
from erasure.runs import control, passes
from erasure.runs.lease import claim
from erasure.runs.models import Event, Run, Step
from erasure.runs.passes import Refused, make_pass
from patients.consent.signing import withdraw
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from patients.vault.objects import read
from tests.factories import make_doctor, make_run

pytestmark = pytest.mark.django_db(transaction=True)

Action = Callable[[Run, User], object]

ACTIONS: dict[str, Action] = {
    "pause": lambda run, by: control.pause(run.pk, by=by),
    "protect": lambda run, by: control.protect(run.pk, run.steps.get().memory_id, by=by),
    "withdraw": lambda run, by: withdraw(run.procedure.case, by=run.procedure.case.patient),
    "abort": lambda run, by: control.abort(run.pk, by=by, reason="doubt"),
}
ROUNDS = int(os.environ.get("LACUNA_TEST_ROUNDS", "15"))  # races of each of the four actions
MOST_ROUNDS = max(200, ROUNDS)  # if one side has not won by then, there is no race
# Seconds that the pass waits. Without them it nearly always wins, because less work is left before its
# commit.
HANDICAPS = (0, 0.001, 0.003, 0.006, 0.012, 0.025, 0.05)


def start_thread(work: Callable[[], object]) -> threading.Thread:
    def body() -> None:
        try:
            with suppress(Refused):
                work()
        finally:
            connection.close()

    thread = threading.Thread(target=body)
    thread.start()
    return thread


@pytest.mark.parametrize("action", ACTIONS)
def test_the_pass_comes_before_the_action_or_not_at_all(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Race at least ROUNDS times and until each side has won, because otherwise there was no race."""
    doctor = make_doctor()
    winners: Counter[str] = Counter()
    run: Run | None = None
    while winners.total() < ROUNDS or len(winners) < 2:
        assert winners.total() < MOST_ROUNDS, f"one side always won: {winners}"
        if run is None or action != "pause" or run.steps.get().level >= 8:
            run = make_run(memories=1)
        handicap = HANDICAPS[winners.total() % len(HANDICAPS)]
        winners["pass" if race(run, action, doctor, handicap, monkeypatch) else action] += 1
        if action == "pause":
            control.resume(run.pk, by=doctor)
    assert winners.keys() == {"pass", action}


def race(run: Run, action: str, doctor: User, handicap: float, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Race a pass that has made its frame against `action`, and assert that the events show one order.

    Returns whether the pass was first. handicap: seconds that the pass waits.
    """
    fence = claim(run.pk)
    step = next_step(run.pk)
    assert fence
    assert step
    keepsake = Keepsake.objects.select_related("picture").get(memory=step.memory_id)
    assert keepsake.picture
    before, level, last_seq = read(keepsake.picture), step.level, run_seq(run)
    barrier = threading.Barrier(2)

    def hit(label: str) -> None:
        if label == "frames-made":
            barrier.wait()
            time.sleep(handicap)

    monkeypatch.setattr(passes, "hit", hit)

    def do_action() -> None:
        connection.ensure_connection()
        barrier.wait()
        ACTIONS[action](run, doctor)

    threads = [
        start_thread(lambda: make_pass(fence, step, due=run.next_due_at)),
        start_thread(do_action),
    ]
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    Run.objects.filter(pk=run.pk).update(lease_until=None)

    after = Step.objects.get(pk=step.pk)
    now = Keepsake.objects.select_related("picture").get(pk=keepsake.pk)
    assert now.picture
    later = Event.objects.filter(run=run, seq__gt=last_seq).order_by("seq")
    kinds_after = list(later.values_list("kind", flat=True))
    passes_after = [kind for kind in kinds_after if kind == "pass"]
    pending = StoredObject.objects.filter(keepsake=keepsake, state=StoredObject.State.PENDING)
    assert not pending.exists(), "an unused frame is left"
    if passes_after:
        assert (after.level, now.level) == (level + 1, level + 1)
        assert kinds_after.index("pass") < len(kinds_after) - 1, (
            "the pass comes after the action that should have stopped it"
        )
        assert read(now.picture) != before
    else:
        assert (after.level, now.level) == (level, level)
        assert read(now.picture) == before
    check_effect(run, step, action)
    return bool(passes_after)


def check_effect(run: Run, step: Step, action: str) -> None:
    """Assert that the action took effect, whichever was first."""
    run.refresh_from_db()
    states = {
        "pause": Run.State.PAUSED,
        "protect": Run.State.RUNNING,
        "withdraw": Run.State.STOPPING,
        "abort": Run.State.STOPPING,
    }
    assert run.state == states[action]
    if action == "protect":
        assert Memory.objects.get(pk=step.memory_id).fate == Memory.Fate.PROTECTED


def run_seq(run: Run) -> int:
    return Run.objects.values_list("last_seq", flat=True).get(pk=run.pk)


def test_a_waiting_memory_that_is_protected_keeps_its_bytes() -> None:
    run = make_run(memories=1)
    step = run.steps.get()
    rows = list(StoredObject.objects.filter(memory=step.memory_id).exclude(role="seal"))
    before = {row.pk: read(row) for row in rows}
    control.protect(run.pk, step.memory_id, by=make_doctor())
    fence = claim(run.pk)
    assert fence
    with pytest.raises(Refused):
        make_pass(fence, step, due=run.next_due_at)
    assert {row.pk: read(row) for row in rows} == before
    assert step.memory.read().title == "Photo 0"
