"""E6: after the restore of an old backup, erased data stays erased before the first request is served."""

import errno
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from clinic.audit.checkpoints import checkpoint
from clinic.audit.models import Entry
from clinic.audit.record import Act, record
from clinic.audit.verify import verify_log
from clinic.calendar.models import Reservation
from erasure.backups import database, restoring
from erasure.backups.create import make_backup
from erasure.backups.manifest import MANIFEST, SIGNATURE, BackupRefused, path_of
from erasure.backups.models import Backup
from erasure.backups.restoring import mark_path, restore
from erasure.jobs import certifying
from erasure.jobs.certifying import certify
from erasure.jobs.supervisor import certify_finished, tick
from erasure.jobs.worker import advance, take_turn
from erasure.operations.reconcile import keyless, reconcile_with_keys
from erasure.operations.startup import check_keys, check_log, check_migrations, reconcile
from erasure.operations.supervisor_loop import keys_used_elsewhere
from erasure.procedures.models import Procedure
from erasure.runs.lease import claim
from erasure.runs.models import Run, Step
from erasure.runs.passes import PASS_COUNT, keepsakes_of
from erasure.runs.planning import start_run
from patients.appointments.models import Appointment
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import withdraw
from patients.drafts.models import Draft
from patients.drafts.writing import keep_draft
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.removal import remove_keepsake
from patients.keepsakes.staging import begin_upload
from patients.memories.models import Memory
from patients.requests.models import AppointmentRequest
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import read, storage
from patients.vault.sweep import GRACE_PERIOD, Sweeper
from tests.appointments import make_appointment
from tests.erasure.backups.empty_installation import empty_database, empty_installation
from tests.erasure.operations.test_serve import serve
from tests.erasure.verification.ended import verify_here
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_request, make_run
from tests.processes import ROOT, environment
from tests.serving import ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def verified_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify in this process: many runs end here, and other tests start the verifier's own process."""
    monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)


@pytest.fixture
def backup_at(tmp_path: Path) -> Callable[[], Path]:
    """A function that makes a backup and returns its directory."""

    def make() -> Path:
        return Path(make_backup(tmp_path / "backup")[0].directory)

    return make


def do_passes(run: Run, count: int) -> None:
    """Do `count` passes of a run, then release its lease."""
    fence = claim(run.pk, "test")
    assert fence
    for _ in range(count):
        Run.objects.filter(pk=run.pk).update(next_due_at=run.started_at)
        take_turn(fence)
    Run.objects.filter(pk=run.pk).update(lease_until=None)


def run_startup_checks() -> None:
    """Do what `serve` does before it listens, except static files."""
    check_migrations()
    check_log()
    check_keys()
    reconcile()


def kept_picture() -> tuple[Keepsake, bytes]:
    keepsake = make_keepsake(make_memory(make_case()))
    assert keepsake.picture
    return keepsake, read(keepsake.picture)


def check_all_gone(run: Run) -> None:
    """Assert that nothing of the run's case is left: no live object, no file, no picture, no text."""
    case = Case.objects.get(procedures__run=run.pk)
    assert case.stage == Case.Stage.CLOSED
    assert not StoredObject.objects.filter(case=case).remaining().exists()
    assert not Keepsake.objects.filter(case=case, gone_at__isnull=True).exists()
    assert set(Memory.objects.filter(case=case).values_list("fate", flat=True)) == {Memory.Fate.ERASED}
    for memory in Memory.objects.filter(case=case):
        with pytest.raises(KeyGone):
            memory.read()
    names = {key.hex for key in StoredObject.objects.filter(case=case).values_list("pk", flat=True)}
    assert not names & set(storage().listdir("")[1])


def test_data_erased_after_the_backup_is_erased_again_and_the_rest_is_back(
    backup_at: Callable[[], Path], tmp_path: Path, client: Client
) -> None:
    kept, picture = kept_picture()
    run = make_run(memories=2, letters=1)
    directory = backup_at()
    advance(run.pk)
    number = Run.objects.get(pk=run.pk).certificate.number
    assert "was not given out here" in client.get(f"/v/{'0' * 24}/").content.decode()
    with empty_installation(tmp_path):
        restore(directory)
        # The restore alone brought the erased data back: rows with pictures, and their files.
        assert Memory.objects.filter(case=run.procedure.case, fate=Memory.Fate.TARGET).count() == 3
        shown = Keepsake.objects.filter(case=run.procedure.case, gone_at__isnull=True)
        assert shown.count() == 3
        assert all(storage().exists(keepsake.picture_id.hex) for keepsake in shown if keepsake.picture_id)
        assert len(keyless()) > 10

        run_startup_checks()
        check_all_gone(run)
        row = Run.objects.get(pk=run.pk)
        assert (row.state, row.outcome) == (Run.State.FINISHED, Run.Outcome.COMPLETE)
        assert set(row.steps.values_list("state", "level")) == {(Step.State.DESTROYED, PASS_COUNT)}
        assert keyless() == set()
        found = Keepsake.objects.get(pk=kept.pk)
        assert found.picture
        assert read(found.picture) == picture
        assert found.read().caption == "A caption"

        report = verify_log()
        assert report.problems == []
        # The checkpoint in the certificate, and the one that includes its entry.
        assert len(report.declared) == 2
        first, *others = Entry.objects.filter(action__in=["audit.restored", "backup.restored", "keys.obeyed"])
        assert first.action == "audit.restored"
        assert [entry.action for entry in others] == ["backup.restored", "keys.obeyed"]
        assert others[1].details["memories"] == 3
        assert others[1].details["runs"] == 1
        # Somebody may have the certificate, but the restored database has no row of it.
        looked_up = client.get(f"/v/{number}/").content.decode()
        assert "this house was brought back from a backup" in looked_up
        assert "not given out here" not in looked_up
        (backup,) = Backup.objects.all()
        assert (backup.directory, backup.restored_at is not None) == (str(directory), True)
        assert certify(run.pk)
        assert verify_log().problems == []

        size = Entry.objects.count()
        assert not mark_path().exists()
        run_startup_checks()
        assert Entry.objects.count() == size, "the second start has nothing to do"


def test_a_run_that_the_backup_shows_as_booked_does_not_start_again(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    directory = backup_at()
    advance(start_run(procedure.pk, by=None).pk)
    with empty_installation(tmp_path):
        restore(directory)
        run_startup_checks()
        assert Procedure.objects.get(pk=procedure.pk).state == Procedure.State.CANCELED
        assert Case.objects.get(pk=case.pk).stage == Case.Stage.CLOSED
        assert not StoredObject.objects.filter(case=case).remaining().exists()
        tick()
        assert not Run.objects.exists()


def test_a_consent_withdrawn_after_the_backup_is_not_in_force(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    directory = backup_at()
    withdraw(case, by=case.patient)
    with empty_installation(tmp_path):
        restore(directory)
        assert Signature.objects.in_force().filter(text__kind=ConsentText.Kind.PROCEDURE).count() == 1
        run_startup_checks()
        tick()
        assert not Run.objects.exists(), "a run started without consent"
        assert Procedure.objects.get(pk=procedure.pk).state == Procedure.State.CANCELED
        assert not Signature.objects.in_force().filter(text__kind=ConsentText.Kind.PROCEDURE).exists()
        assert Signature.objects.in_force().filter(text__kind=ConsentText.Kind.STORAGE).count() == 1
        assert Case.objects.get(pk=case.pk).stage == Case.Stage.MAPPED
        found = Keepsake.objects.get(pk=keepsake.pk)
        assert found.picture
        assert read(found.picture)


def test_a_run_in_progress_is_stopped_and_its_destroyed_steps_are_known(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    run = make_run(memories=2)
    do_passes(run, 3)
    directory = backup_at()
    do_passes(run, PASS_COUNT)  # the rest of the first memory, and some of the second
    first, second = run.steps.order_by("position")
    assert (first.state, second.state) == (Step.State.DESTROYED, Step.State.FADING)
    with empty_installation(tmp_path):
        restore(directory)
        assert Step.objects.get(pk=first.pk).level == 3
        run_startup_checks()
        row = Run.objects.get(pk=run.pk)
        assert (row.state, row.outcome, row.why) == (
            Run.State.FINISHED,
            Run.Outcome.STOPPED,
            Run.Why.RESTORED,
        )
        steps = {step.pk: step for step in row.steps.all()}
        assert steps[first.pk].state == Step.State.DESTROYED
        assert (steps[second.pk].state, steps[second.pk].spared_because) == (Step.State.SPARED, "restored")
        memory = Memory.objects.get(pk=second.memory_id)
        assert memory.fate == Memory.Fate.TARGET
        assert memory.read().title == "Photo 0"
        # The key of the backup's frame is gone and the newer frame is not in the backup, so no frame is
        # shown.
        assert keepsakes_of(second) == []
        assert keyless() == set()
        assert verify_log().problems == []
        case = Case.objects.get(pk=run.procedure.case_id)
        assert case.stage == Case.Stage.MAPPED
        certify_finished()
        assert Run.objects.get(pk=run.pk).certificate.statement["outcome"] == "stopped"


def test_the_visits_of_a_case_that_was_closed_after_the_backup_are_cancelled(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    case, other, ahead = make_case(), make_case(), timezone.now() + timedelta(days=9)
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    visit = make_appointment(case, starts_at=ahead)
    follow_up = make_appointment(
        case, name="Soon after", kind="follow-up", starts_at=ahead + timedelta(hours=2)
    )
    stays = make_appointment(other, name="Another", starts_at=ahead + timedelta(hours=4))
    directory = backup_at()
    # The backup has no run that could end and cancel them.
    advance(start_run(procedure.pk, by=None).pk)
    assert Appointment.objects.get(pk=visit.pk).status == "cancelled"
    with empty_installation(tmp_path):
        restore(directory)
        assert set(Appointment.objects.values_list("status", flat=True)) == {"booked"}
        run_startup_checks()
        statuses = dict(Appointment.objects.values_list("pk", "status"))
        assert statuses == {visit.pk: "cancelled", follow_up.pk: "booked", stays.pk: "booked"}
        row = Appointment.objects.get(pk=visit.pk)
        assert (row.reason, row.booking.canceled_at is None) == ("case-over", False)
        assert not Reservation.objects.filter(booking=row.booking).exists()
        entry = Entry.objects.get(action="appointment.cancelled")
        assert (entry.subject, entry.case) == (f"appointment:{visit.pk}", case.pk)


def test_a_keepsake_removed_after_the_backup_stays_removed(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    keepsake = make_keepsake(make_memory(make_case()))
    directory = backup_at()
    remove_keepsake(keepsake, by=keepsake.case.patient)
    with empty_installation(tmp_path):
        restore(directory)
        run_startup_checks()
        found = Keepsake.objects.get(pk=keepsake.pk)
        assert (found.picture, found.thumb, found.gone_at is not None) == (None, None, True)
        assert not StoredObject.objects.filter(keepsake=keepsake).remaining().exists()
        assert Memory.objects.get(pk=keepsake.memory_id).read().title == "A day"


def test_unfinished_uploads_and_sessions_are_deleted(backup_at: Callable[[], Path], tmp_path: Path) -> None:
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=10, filename="a.jpg")
    Session.objects.create(session_key="k" * 32, session_data="", expire_date=upload.expires_at)
    directory = backup_at()
    with empty_installation(tmp_path):
        restore(directory)
        run_startup_checks()
        assert not Upload.objects.exists()
        assert upload.pk not in set(key_store().ids())
        assert not Session.objects.exists()


def test_a_request_without_its_key_shows_no_message(backup_at: Callable[[], Path], tmp_path: Path) -> None:
    asked = make_request(message="My dog died.")
    directory = backup_at()
    key_store().destroy(asked.pk)
    with empty_installation(tmp_path):
        restore(directory)
        run_startup_checks()
        assert AppointmentRequest.objects.get(pk=asked.pk).read().message == ""


def test_a_restore_by_hand_is_noticed_by_missing_keys(tmp_path: Path, backup_at: Callable[[], Path]) -> None:
    """An administrator put the database file back without our command, so restored.json does not exist."""
    run = make_run(memories=1)
    directory = backup_at()
    advance(run.pk)
    with empty_installation(tmp_path):
        database.restore(directory / database.NAMES[connection.vendor])
        run_startup_checks()
        check_all_gone(run)
        first = Entry.objects.filter(actor="system:startup")[0]
        assert (first.action, first.details["signed"]) == ("audit.restored", False)
        # The start does not sign a restore that it only infers: anyone with write access to the database can
        # insert rows without keys.
        assert verify_log().undeclared == len(verify_log().problems) > 0
        call_command("declare_restore", reason="the database file was put back", stdout=StringIO())
        assert verify_log().problems == []


def test_without_a_restore_there_is_nothing_to_reconcile() -> None:
    run = make_run(memories=1)
    do_passes(run, 2)
    StoredObject.objects.create(case=run.procedure.case, role="frame", state="pending")
    size = Entry.objects.count()
    assert reconcile_with_keys() is None
    assert Entry.objects.count() == size
    assert Run.objects.get(pk=run.pk).state == Run.State.RUNNING


def test_after_a_crash_the_next_start_completes_the_reconciliation(
    backup_at: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(memories=1)
    directory = backup_at()
    advance(run.pk)
    with empty_installation(tmp_path):
        restore(directory)
        with monkeypatch.context() as patched:
            patched.setattr("erasure.operations.reconcile.destroy", lambda rows: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                run_startup_checks()
        run_startup_checks()
        check_all_gone(run)
        assert Entry.objects.filter(action="audit.restored").count() == 1
        assert verify_log().problems == []


@pytest.mark.processes
def test_restore_and_serve_as_real_commands(tmp_path: Path, backup_at: Callable[[], Path]) -> None:
    run = make_run(memories=1)
    directory = backup_at()
    advance(run.pk)
    with empty_installation(tmp_path):
        restored = subprocess.run(  # noqa: S603
            [sys.executable, str(ROOT / "manage.py"), "restore", str(directory)],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert restored.returncode == 0, restored.stderr
        assert "Now: manage.py migrate, then manage.py serve" in restored.stdout
        with serve("--workers", "0") as served:
            assert ask(served.port, "/health").status in {200, 301, 404}
            check_all_gone(run)
            served.end(2)


def run_sweeps(times: int = 3) -> None:
    """Sweep as the supervisor does over more than half an hour."""
    sweeper, now = Sweeper(), timezone.now()
    for turn in range(times):
        sweeper.sweep(keys_used_elsewhere(), now + 2 * turn * GRACE_PERIOD)


def test_keys_survive_the_restore_of_a_wrong_backup(backup_at: Callable[[], Path], tmp_path: Path) -> None:
    case = make_case()
    old = backup_at()
    later = make_keepsake(make_memory(case))
    assert later.picture
    picture = read(later.picture)
    checkpoint("daily")
    right = Path(make_backup(tmp_path / "right")[0].directory)
    with empty_installation(tmp_path):
        restore(old)
        run_startup_checks()
        assert not Keepsake.objects.exists()
        held = set(HeldKey.objects.values_list("pk", flat=True))
        assert later.picture_id in held
        assert Entry.objects.get(action="keys.held").details == {"keys": len(held)}
        run_sweeps()
        assert held <= set(key_store().ids())
        assert verify_log().problems == []
        checkpoint("daily")
    with empty_installation(tmp_path):
        restore(right)
        run_startup_checks()
        found = Keepsake.objects.get(pk=later.pk)
        assert found.picture
        assert read(found.picture) == picture
        assert not HeldKey.objects.exists()
        run_sweeps()
        assert held <= set(key_store().ids())
        assert verify_log().problems == []


def test_a_restore_by_hand_is_noticed_by_a_longer_log_at_the_witness(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    """Nothing was erased since, so no row lacks its key. Only the log is shorter than a signed checkpoint."""
    case = make_case()
    with transaction.atomic():
        record(Act("file.viewed", f"case:{case.pk}", "system:test"))
    directory = backup_at()
    make_keepsake(make_memory(case))
    with transaction.atomic():
        record(Act("file.viewed", f"case:{case.pk}", "system:test"))
    checkpoint("daily")
    with empty_installation(tmp_path):
        database.restore(directory / database.NAMES[connection.vendor])
        run_startup_checks()
        assert HeldKey.objects.exists()
        keys = set(key_store().ids())
        run_sweeps()
        assert set(key_store().ids()) == keys
        # A restore and a cut log look the same from here, so no restore is declared.
        assert verify_log().problems


# --- Refusals and failures ---------------------------------------------------------


@pytest.fixture
def backup(backup_at: Callable[[], Path]) -> Path:
    kept_picture()
    return backup_at()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def edit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def an_object(directory: Path) -> Path:
    """The path of one object in a backup."""
    return sorted(directory.glob("objects/*/*"))[0]


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "object cut": (lambda d: cut(an_object(d)), "is not what was backed up"),
    "object edited": (lambda d: edit(an_object(d)), "is not what was backed up"),
    "object gone": (lambda d: an_object(d).unlink(), "The backup lacks objects/"),
    "database cut": (lambda d: cut(next(d.glob("database.*"))), "is not what was backed up"),
    "database edited": (lambda d: edit(next(d.glob("database.*"))), "is not what was backed up"),
    "manifest edited": (lambda d: edit(d / MANIFEST), "not as this clinic signed it"),
    "manifest gone": (lambda d: (d / MANIFEST).unlink(), "manifest.json is missing"),
    "signature gone": (lambda d: (d / SIGNATURE).unlink(), "manifest.sig is missing"),
    "signature nonsense": (lambda d: (d / SIGNATURE).write_bytes(b"?"), "signature is not valid base64"),
    "something added": (lambda d: (d / "more").write_bytes(b"?"), "more does not belong to the backup"),
    "signing key away": (
        lambda d: Path(django_settings.LACUNA_SIGNING_KEY_FILE).unlink(),
        "signing key is not here",
    ),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_backup_is_refused_before_anything_is_written(
    how: str, backup: Path, tmp_path: Path
) -> None:
    damage, message = DAMAGES[how]
    damage(backup)
    with empty_installation(tmp_path) as data_dir:
        with pytest.raises(BackupRefused, match=message):
            restore(backup)
        assert connection.introspection.table_names() == []
        assert storage().listdir("")[1] == []
        assert not (data_dir / "restored.json").exists()


def test_nothing_is_overwritten(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="The database is not empty"):
        restore(backup)
    with pytest.raises(BackupRefused, match="exists, and nothing is ever overwritten"):
        make_backup(backup)
    with empty_installation(tmp_path):
        path = Path(storage().path(an_object(backup).name))
        path.parent.mkdir(parents=True)
        path.write_bytes(b"another")
        with pytest.raises(BackupRefused, match="The vault holds another object"):
            restore(backup)
        assert path.read_bytes() == b"another"


def test_a_restore_that_fails_leaves_nothing(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_disk_full(*_arguments: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with empty_installation(tmp_path) as data_dir:
        with monkeypatch.context() as patched:
            patched.setattr(database, "restore", raise_disk_full)
            with pytest.raises(OSError, match="No space left"):
                restore(backup)
        assert storage().listdir("")[1] == []
        assert not (data_dir / "restored.json").exists()
        assert connection.introspection.table_names() == []
        assert path_of(backup, an_object(backup).name).exists()
        restore(backup)
        assert StoredObject.objects.live().exists()


def test_a_backup_of_the_other_database_is_refused(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_database(tmp_path):
        monkeypatch.setattr(restoring, "connection", SimpleNamespace(vendor="another"))
        with pytest.raises(BackupRefused, match="another database"):
            restore(backup)


def test_e6_a_draft_that_had_ended_ends_again_after_a_restore() -> None:
    case = make_case()
    memory = make_memory(case)
    ended, about_gone, left = (
        keep_draft(form, {"story": ["Words"]}, known=None, by=case.patient)
        for form in ("memory:new", f"memory:{memory.pk}", "letter")
    )
    for key in (ended.pk, memory.pk):  # as if the rows came from a backup that is older than this
        key_store().destroy(key)
    assert keyless() == {ended.pk, memory.pk}
    assert left.pk in keys_used_elsewhere()
    reconcile_with_keys()
    assert list(Draft.objects.values_list("form", flat=True)) == ["letter"]
    assert about_gone.pk not in set(key_store().ids())
    assert left.read().values == {"story": ["Words"]}
