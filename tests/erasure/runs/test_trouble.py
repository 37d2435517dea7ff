"""Damaged keepsakes, a missing storage and faults: the run reports them, pauses, calls, and can go on."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from clinic.audit.models import Entry
from clinic.unavailable import ServiceUnavailable
from erasure.jobs import supervisor, worker
from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance, take_turn
from erasure.runs import control, presence, trouble
from erasure.runs.calls import acknowledge
from erasure.runs.lease import claim, free_holder
from erasure.runs.models import CallNotice, DoctorCall, Event, Fence, Run, Step, Trouble
from erasure.runs.passes import PASS_COUNT, Damage
from erasure.runs.run_actions import after
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import storage
from tests.erasure.runs.nights import check_end, doctor_of, event_kinds, make_call_due, technician_of
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_run
from tests.servers import Bucket, use_bucket

pytestmark = pytest.mark.django_db(transaction=True)

State = StoredObject.State


def file_of(row: StoredObject) -> Path:
    local = storage()
    return Path(local.path(row.blob))


def alter(row: StoredObject) -> None:
    data = bytearray(file_of(row).read_bytes())
    data[-1] ^= 1
    file_of(row).write_bytes(data)


def cut(row: StoredObject) -> None:
    file_of(row).write_bytes(file_of(row).read_bytes()[:50])


def lose(row: StoredObject) -> None:
    file_of(row).unlink()


def lose_key(row: StoredObject) -> None:
    key_store().destroy(row.pk)


def replace_by_text(row: StoredObject) -> None:
    from django.core.files.base import ContentFile

    from patients.vault.objects import associated_data
    from patients.vault.stream import Encryptor

    encryptor = Encryptor(key_store().get(row.pk), associated_data(row.pk))
    file_of(row).unlink()
    storage().save(row.blob, ContentFile(encryptor.update(b"no picture") + encryptor.finish()))


DAMAGES: dict[str, tuple[Callable[[StoredObject], None], str]] = {
    "altered": (alter, "altered"),
    "cut": (cut, "altered"),
    "missing": (lose, "missing"),
    "without its key": (lose_key, "key-gone"),
    "no picture": (replace_by_text, "no-picture"),
}
PAUSED = ["damaged", "paused", "doctor-called"]


def make_damaged(memories: int = 2, damage: Callable[[StoredObject], None] = alter) -> Run:
    """A run whose newest memory, the first to be erased, has two photos, one of them damaged."""
    case = make_case()
    for number in range(memories):
        memory = make_memory(case, f"Photo {number}", f"2003-02-{number + 1:02d}")
        make_keepsake(memory)
    make_keepsake(memory)
    run = make_run(0, case=case)
    damage(damaged_keepsake(run).picture)  # type: ignore[arg-type]
    return run


def damaged_keepsake(run: Run) -> Keepsake:
    step = run.steps.get(position=0)
    return Keepsake.objects.filter(memory=step.memory).order_by("added_at", "pk")[0]


def state_of(run: Run) -> tuple[str, str]:
    row = Run.objects.get(pk=run.pk)
    return row.state, row.why


def open_troubles(run: Run) -> list[tuple[str, str]]:
    rows = Trouble.objects.filter(run=run, state=Trouble.State.OPEN)
    return list(rows.values_list("kind", "cause"))


@pytest.mark.parametrize("what", DAMAGES)
def test_damage_is_reported_and_pauses_and_calls(what: str) -> None:
    damage, cause = DAMAGES[what]
    run = make_damaged(damage=damage)
    before = set(StoredObject.objects.filter(state=State.LIVE).values_list("pk", flat=True))
    assert not advance(run.pk)
    assert state_of(run) == ("paused", "damaged")
    assert event_kinds(run) == ["started", *PAUSED]
    assert open_troubles(run) == [("damaged", cause)]
    found = Trouble.objects.get()
    assert (found.step, found.keepsake) == (run.steps.get(position=0), damaged_keepsake(run))
    assert DoctorCall.objects.get().why == "damaged"
    notified = set(CallNotice.objects.values_list("user", flat=True))
    assert notified == {doctor_of(run).pk, technician_of(run).pk}
    assert set(run.steps.values_list("state", "level")) == {("waiting", 0)}
    left = set(StoredObject.objects.exclude(state=State.DESTROYED).values_list("pk", flat=True))
    assert left == before, "nothing was destroyed, and no unused frame is left"
    assert not advance(run.pk), "nothing is tried again before a decision"
    assert event_kinds(run) == ["started", *PAUSED]
    (entry,) = Entry.objects.filter(run=run.pk, action="run.damaged")
    assert entry.details == {"n": 2, "level": 0, "keepsakes": 1}


def test_damage_found_during_a_fade_is_reported_with_its_level() -> None:
    run = make_run(1)
    fence = claim(run.pk)
    assert fence
    for _pass in range(3):
        assert take_turn(fence)
    alter(damaged_keepsake(run).picture)  # type: ignore[arg-type]
    assert not take_turn(fence)
    assert state_of(run) == ("paused", "damaged")
    assert Event.objects.get(run=run, kind="damaged").data == {"n": 1, "level": 3, "keepsakes": 1}


def test_a_damaged_keepsake_can_be_destroyed_and_the_certificate_says_so() -> None:
    run = make_damaged()
    advance(run.pk)
    step = run.steps.get(position=0)
    assert trouble.decide_damaged(run.pk, step.pk, destroy=True, by=doctor_of(run)).changed
    assert state_of(run) == ("running", "")
    assert event_kinds(run)[4:] == ["damage-decided", "doctor-acknowledged", "resumed"]
    advance(run.pk)
    certify(run.pk)
    check_end(run)
    statement = Run.objects.get(pk=run.pk).certificate.statement
    newest, oldest = statement["destroyed"]
    assert newest["unfaded"] == [{"kind": "photo", "because": "altered"}]
    assert "unfaded" not in oldest
    entries = Entry.objects.filter(run=run.pk, action="memory.destroyed").order_by("index")
    assert [entry.details.get("unfaded") for entry in entries] == [1, None]
    assert statement["verification"]["result"] == "clean"


def test_a_damaged_keepsake_can_be_spared() -> None:
    run = make_damaged()
    advance(run.pk)
    step = run.steps.get(position=0)
    trouble.decide_damaged(run.pk, step.pk, destroy=False, by=doctor_of(run))
    advance(run.pk)
    certify(run.pk)
    run.refresh_from_db()
    assert (run.state, run.outcome) == (Run.State.FINISHED, Run.Outcome.PARTIAL)
    assert [(row.state, row.spared_because) for row in run.steps.all()] == [
        ("spared", "damaged"),
        ("destroyed", ""),
    ]
    rows = StoredObject.objects.filter(keepsake__memory=step.memory).exclude(role=StoredObject.Role.FRAME)
    assert set(rows.values_list("state", flat=True)) == {State.LIVE}
    assert Memory.objects.get(pk=step.memory_id).fate == Memory.Fate.PROTECTED
    (spared,) = run.certificate.statement["remains"]["spared"]
    assert spared == {"number": 2, "because": "damaged", "passes": 0}


def test_after_resuming_the_damaged_file_is_read_again() -> None:
    """If the file was restored, the run goes on. Otherwise it is paused again."""
    run = make_damaged()
    blob = damaged_keepsake(run).picture
    assert blob
    advance(run.pk)
    control.resume(run.pk, by=technician_of(run))
    advance(run.pk)
    assert event_kinds(run)[4:] == ["resumed", "damaged", "paused"], "there is a call already"
    assert Trouble.objects.count() == 1
    alter(blob)  # altering it twice restores it
    control.resume(run.pk, by=technician_of(run))
    advance(run.pk)
    certify(run.pk)
    check_end(run)
    assert list(Trouble.objects.values_list("state", flat=True)) == ["over"]
    assert "unfaded" not in run.certificate.statement["destroyed"][0]


def test_a_damaged_memory_can_be_protected_without_a_decision() -> None:
    run = make_damaged()
    advance(run.pk)
    patient = run.procedure.case.patient
    control.protect(run.pk, run.steps.get(position=0).memory_id, by=patient)
    row = Trouble.objects.get()
    assert (row.state, row.ended_by) == ("spared", patient)
    assert state_of(run) == ("paused", "damaged"), "a person must resume"
    control.resume(run.pk, by=technician_of(run))
    advance(run.pk)
    assert Run.objects.get(pk=run.pk).outcome == Run.Outcome.PARTIAL


def test_damage_is_decided_once_and_only_by_the_doctor_in_charge() -> None:
    run = make_damaged()
    advance(run.pk)
    step, doctor = run.steps.get(position=0), doctor_of(run)
    Run.objects.update(taken_over_by=make_doctor())
    with pytest.raises(control.NotNow, match="has taken over"):
        trouble.decide_damaged(run.pk, step.pk, destroy=True, by=doctor)
    Run.objects.update(taken_over_by=None)
    trouble.decide_damaged(run.pk, step.pk, destroy=True, by=doctor)
    with pytest.raises(ValueError, match="decided already"):
        trouble.decide_damaged(run.pk, step.pk, destroy=False, by=doctor)
    with pytest.raises(ValueError, match="decided already"):
        trouble.decide_damaged(run.pk, run.steps.get(position=1).pk, destroy=True, by=doctor)
    control.abort(run.pk, by=doctor, reason="medical")
    with pytest.raises(control.NotNow, match="being stopped"):
        trouble.decide_damaged(run.pk, step.pk, destroy=True, by=doctor)


def test_a_decision_does_not_end_a_pause_made_for_another_reason() -> None:
    run = make_damaged()
    advance(run.pk)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    trouble.decide_damaged(run.pk, run.steps.get(position=0).pk, destroy=True, by=doctor_of(run))
    assert state_of(run) == ("paused", "safe-word")
    assert DoctorCall.objects.get(acknowledged_at__isnull=True).why == "safe-word"


def test_a_decision_does_not_resume_a_run_without_a_responsible_person() -> None:
    run = make_damaged()
    advance(run.pk)
    Run.objects.update(responsible=None)
    trouble.decide_damaged(run.pk, run.steps.get(position=0).pk, destroy=True, by=doctor_of(run))
    assert state_of(run) == ("paused", "damaged")


def test_a_damaged_memory_protected_after_the_decision_is_not_destroyed() -> None:
    """The decision itself destroys nothing. The next pass does, with all conditions of a pass."""
    run = make_damaged()
    advance(run.pk)
    trouble.decide_damaged(run.pk, run.steps.get(position=0).pk, destroy=True, by=doctor_of(run))
    control.protect(run.pk, run.steps.get(position=0).memory_id, by=run.procedure.case.patient)
    advance(run.pk)
    memory = run.steps.get(position=0).memory
    rows = StoredObject.objects.filter(keepsake__memory=memory).exclude(role=StoredObject.Role.FRAME)
    assert set(rows.values_list("state", flat=True)) == {State.LIVE}


def test_an_aborted_run_spares_damaged_keepsakes() -> None:
    run = make_damaged()
    advance(run.pk)
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    assert supervisor.end_stopped() == 1
    assert Trouble.objects.get().state == "spared"


def lease_is_released(run: Run) -> None:
    free_holder("slow")


def person_paused(run: Run) -> None:
    control.pause(run.pk, by=technician_of(run))


def another_pass(run: Run) -> None:
    Step.objects.filter(run=run, position=0).update(level=1)


def frame_replaced(run: Run) -> None:
    Keepsake.objects.filter(pk=damaged_keepsake(run).pk).update(level=1)


@pytest.mark.parametrize("meanwhile", [lease_is_released, person_paused, another_pass, frame_replaced])
def test_a_worker_that_lost_the_run_reports_no_damage(meanwhile: Callable[[Run], None]) -> None:
    """Its successor may have destroyed the frame that it wanted to read. That is no damage."""
    run = make_damaged()
    fence = claim(run.pk, "slow")
    assert fence
    step, keepsake = run.steps.get(position=0), damaged_keepsake(run)
    meanwhile(run)
    events = Event.objects.count()
    assert not trouble.report_damage(fence, step, [Damage(keepsake, "key-gone")])
    assert not Trouble.objects.exists()
    assert Event.objects.count() == events


def test_a_text_that_cannot_be_read_is_damage_too() -> None:
    run = make_run(1)
    childhood_keepsake = make_keepsake(
        make_memory(run.procedure.case, "Childhood", zone=Memory.Zone.CHILDHOOD)
    )
    sealed = bytearray(Keepsake.objects.get(pk=childhood_keepsake.pk).sealed)
    sealed[-1] ^= 1
    Keepsake.objects.filter(pk=childhood_keepsake.pk).update(sealed=bytes(sealed))
    advance(run.pk)
    assert state_of(run) == ("paused", "damaged")
    assert Trouble.objects.get().keepsake is None
    trouble.decide_damaged(run.pk, run.steps.get().pk, destroy=True, by=doctor_of(run))
    advance(run.pk)
    assert run.steps.get().state == Step.State.DESTROYED
    assert Keepsake.objects.get(pk=childhood_keepsake.pk).gone_at is None


# --- The storage is away ---


@pytest.fixture
def run_without_storage(bucket: Bucket, settings: Settings, nowhere: str) -> Run:
    """A run whose storage stops answering before its first pass."""
    run = make_run(1)
    use_bucket(settings, bucket.name, nowhere)
    with pytest.raises(ServiceUnavailable):
        advance(run.pk)
    return run


def bring_back(settings: Settings, bucket: Bucket) -> None:
    use_bucket(settings, bucket.name, bucket.client.meta.endpoint_url)


def test_a_storage_that_is_away_is_reported_and_pauses_and_calls(run_without_storage: Run) -> None:
    assert state_of(run_without_storage) == ("paused", "storage")
    assert event_kinds(run_without_storage) == ["started", "storage-away", "paused", "doctor-called"]
    assert DoctorCall.objects.get().why == "storage"
    with pytest.raises(ServiceUnavailable):
        supervisor.recover()
    assert not advance(run_without_storage.pk)
    assert event_kinds(run_without_storage) == ["started", "storage-away", "paused", "doctor-called"]
    assert run_without_storage.steps.get().level == 0


def test_a_run_goes_on_by_itself_when_the_storage_is_back(
    run_without_storage: Run, settings: Settings, bucket: Bucket
) -> None:
    bring_back(settings, bucket)
    assert supervisor.recover() == 1
    assert state_of(run_without_storage) == ("running", "")
    assert event_kinds(run_without_storage)[4:] == ["storage-back"]
    assert not DoctorCall.objects.filter(acknowledged_at__isnull=True).exists()
    assert supervisor.recover() == 0
    advance(run_without_storage.pk)
    certify(run_without_storage.pk)
    check_end(run_without_storage)


def technician_pauses(run: Run) -> None:
    control.pause(run.pk, by=technician_of(run))


def doctor_is_asked_for(run: Run) -> None:
    control.call_doctor(run.pk, by=technician_of(run))


def safe_word_is_said(run: Run) -> None:
    control.safe_word(run.pk, by=run.procedure.case.patient)


def doctor_answers(run: Run) -> None:
    acknowledge(run.pk, by=doctor_of(run))


def no_person_is_responsible(run: Run) -> None:
    Run.objects.update(responsible=None)


def memory_is_protected(run: Run) -> None:
    control.protect(run.pk, run.steps.get().memory_id, by=run.procedure.case.patient)


@pytest.mark.parametrize(
    "meanwhile",
    [
        technician_pauses,
        doctor_is_asked_for,
        safe_word_is_said,
        doctor_answers,
        no_person_is_responsible,
        memory_is_protected,
    ],
)
def test_a_run_to_which_something_else_happened_waits_for_a_person(
    meanwhile: Callable[[Run], None], run_without_storage: Run, settings: Settings, bucket: Bucket
) -> None:
    meanwhile(run_without_storage)
    bring_back(settings, bucket)
    assert supervisor.recover() == 1
    assert state_of(run_without_storage)[0] == "paused"
    assert event_kinds(run_without_storage)[-1] == "storage-back"
    assert open_troubles(run_without_storage) == []


def test_reminders_do_not_keep_a_run_from_going_on(
    run_without_storage: Run, settings: Settings, bucket: Bucket
) -> None:
    make_call_due(run_without_storage, remind=True, escalate=True)
    supervisor.calls.remind_due()
    bring_back(settings, bucket)
    supervisor.recover()
    assert state_of(run_without_storage) == ("running", "")


def test_a_run_goes_on_by_itself_only_once_before_the_next_pass(
    run_without_storage: Run, settings: Settings, bucket: Bucket, nowhere: str
) -> None:
    """Otherwise an unstable storage would call the doctor again and again."""
    bring_back(settings, bucket)
    supervisor.recover()
    use_bucket(settings, bucket.name, nowhere)
    with pytest.raises(ServiceUnavailable):
        advance(run_without_storage.pk)
    bring_back(settings, bucket)
    supervisor.recover()
    assert state_of(run_without_storage) == ("paused", "storage")
    control.resume(run_without_storage.pk, by=technician_of(run_without_storage))
    advance(run_without_storage.pk)
    assert run_without_storage.steps.get().state == Step.State.DESTROYED


def test_a_stopping_run_reports_that_it_waits_for_the_storage(
    bucket: Bucket, settings: Settings, nowhere: str
) -> None:
    run = make_run(1)
    fence = claim(run.pk)
    assert fence
    for _pass in range(PASS_COUNT - 1):
        take_turn(fence)
    use_bucket(settings, bucket.name, nowhere)
    with pytest.raises(ServiceUnavailable):
        take_turn(fence)  # the last pass is done, but its doomed objects cannot be deleted
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    for _round in range(2):
        with pytest.raises(ServiceUnavailable):
            supervisor.end_stopped()
    assert event_kinds(run).count("storage-away") == 1
    assert DoctorCall.objects.get(acknowledged_at__isnull=True).why == "storage"


def test_a_disk_without_any_files_counts_as_away_and_not_as_damaged(
    settings: Settings, tmp_path: Path
) -> None:
    """The disk is not mounted, so its directory is empty."""
    run = make_run(1)
    vault_dir = settings.LACUNA_VAULT_DIR
    settings.LACUNA_VAULT_DIR = tmp_path / "empty"
    with pytest.raises(ServiceUnavailable):
        advance(run.pk)
    assert state_of(run) == ("paused", "storage")
    assert supervisor.recover() == 0
    settings.LACUNA_VAULT_DIR = vault_dir
    assert supervisor.recover() == 1
    assert state_of(run) == ("running", "")


# --- Faults and stalled runs ---


def test_an_unexpected_error_is_reported_and_pauses_and_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(1)

    def broken(*args: object, **more: object) -> None:
        raise LookupError("a fault of the code")

    monkeypatch.setattr(worker, "make_pass", broken)
    with pytest.raises(LookupError):
        advance(run.pk)
    assert state_of(run) == ("paused", "fault")
    assert event_kinds(run) == ["started", "fault", "paused", "doctor-called"]
    monkeypatch.undo()
    control.resume(run.pk, by=technician_of(run))
    advance(run.pk)
    assert list(Trouble.objects.values_list("kind", "state")) == [("fault", "over")]


@pytest.mark.parametrize("lost", [True, False])
def test_a_worker_that_lost_the_run_reports_no_faults(lost: bool) -> None:
    run = make_run(1)
    fence = claim(run.pk)
    assert fence
    if lost:
        fence = Fence(run.pk, fence.epoch - 1)
    assert trouble.report_failure(run.pk, Trouble.Kind.FAULT, "LookupError", fence) is not lost
    assert state_of(run)[0] == ("running" if lost else "paused")


def test_a_stalled_run_is_reported_and_called_for_once(settings: Settings) -> None:
    settings.LACUNA_LEASE_SECONDS = 60
    run, other = make_run(1), make_run(1)
    Run.objects.filter(pk=run.pk).update(next_due_at=after(-70))
    assert trouble.report_stalled() == 0, "its worker may have died a minute ago"
    Run.objects.filter(pk=run.pk).update(next_due_at=after(-80))
    assert trouble.report_stalled() == 1
    assert trouble.report_stalled() == 0
    assert event_kinds(run) == ["started", "stalled", "doctor-called"]
    assert event_kinds(other) == ["started"]
    assert state_of(run) == ("running", "")
    advance(run.pk)
    assert open_troubles(run) == []


@pytest.mark.parametrize("why", ["held", "paused"])
def test_a_run_that_waits_for_a_person_is_not_stalled(why: str) -> None:
    run = make_run(1)
    Run.objects.update(next_due_at=after(-3600))
    if why == "held":
        run.steps.update(state=Step.State.HELD)
    else:
        control.pause(run.pk, by=None)
    assert trouble.report_stalled() == 0


# --- Calls do not wait for other work ---


def test_calls_are_made_although_other_parts_of_the_round_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of the supervisor's round is called even if others fail. The round then raises the error."""
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    make_call_due(run, remind=True)

    def broken() -> int:
        raise OSError("away")

    monkeypatch.setattr(supervisor, "PARTS", (broken, *supervisor.PARTS, broken))
    with pytest.raises(OSError, match="away"):
        supervisor.tick()
    assert CallNotice.objects.filter(kind="again").count() == 1
    assert Run.objects.get().woken_at is not None


def test_the_quick_round_does_not_use_the_storage(bucket: Bucket, settings: Settings, nowhere: str) -> None:
    run = make_run(1)
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    use_bucket(settings, bucket.name, nowhere)
    StoredObject.objects.filter(case=run.procedure.case_id).update(state=State.DOOMED, doomed_at=after(0))
    Step.objects.filter(run=run).update(level=PASS_COUNT, state=Step.State.FADING)
    StoredObject.objects.filter(case=run.procedure.case_id).update(doomed_by=f"step:{run.steps.get().pk}")
    supervisor.tick()
    assert Run.objects.get(pk=run.pk).state == Run.State.STOPPING
    assert presence.ask_due() == 0
