"""E6: an old backup restored: erased stays erased before the first request is served."""

import errno
import subprocess
import sys
from collections.abc import Callable
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
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import withdraw
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
from tests.erasure.backups.elsewhere import empty_database, empty_house
from tests.erasure.operations.test_serve import serve
from tests.erasure.verification.ended import verify_here
from tests.factories import make_case, make_keepsake, make_memory, make_procedure, make_run
from tests.house import ROOT, environment
from tests.serving import ask

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def verified_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier's own process has tests of its own; here many runs end."""
    monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)


@pytest.fixture
def backup_at(tmp_path: Path) -> Callable[[], Path]:
    """Makes a backup and returns where it is."""

    def make() -> Path:
        return Path(make_backup(tmp_path / "backup")[0].directory)

    return make


def passes(run: Run, count: int) -> None:
    """Let a run go on by some passes and give it back."""
    fence = claim(run.pk, "test")
    assert fence
    for _ in range(count):
        Run.objects.filter(pk=run.pk).update(next_due_at=run.started_at)
        take_turn(fence)
    Run.objects.filter(pk=run.pk).update(lease_until=None)


def open_house() -> None:
    """What `serve` does before it listens, static files left out."""
    check_migrations()
    check_log()
    check_keys()
    reconcile()


def kept_picture() -> tuple[Keepsake, bytes]:
    keepsake = make_keepsake(make_memory(make_case()))
    assert keepsake.picture
    return keepsake, read(keepsake.picture)


def all_gone(run: Run) -> None:
    """Nothing of the run's case is left: no row that lives, no file, no picture, no words."""
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


def test_what_was_erased_after_the_backup_is_erased_again_and_the_rest_is_back(
    backup_at: Callable[[], Path], tmp_path: Path, client: Client
) -> None:
    kept, picture = kept_picture()
    run = make_run(memories=2, letters=1)
    directory = backup_at()
    advance(run.pk)
    number = Run.objects.get(pk=run.pk).certificate.number
    assert "was not given out here" in client.get(f"/v/{'0' * 24}/").content.decode()
    with empty_house(tmp_path):
        restore(directory)
        # The backup did bring it back: rows that show pictures, and their files.
        assert Memory.objects.filter(case=run.procedure.case, fate=Memory.Fate.TARGET).count() == 3
        shown = Keepsake.objects.filter(case=run.procedure.case, gone_at__isnull=True)
        assert shown.count() == 3
        assert all(storage().exists(keepsake.picture_id.hex) for keepsake in shown if keepsake.picture_id)
        assert len(keyless()) > 10

        open_house()
        all_gone(run)
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
        assert len(report.declared) == 2  # the certificate's checkpoint, and the one over its own entry
        first, *others = Entry.objects.filter(action__in=["audit.restored", "backup.restored", "keys.obeyed"])
        assert first.action == "audit.restored"
        assert [entry.action for entry in others] == ["backup.restored", "keys.obeyed"]
        assert others[1].details["memories"] == 3
        assert others[1].details["runs"] == 1
        # Its paper is in somebody's hands, and the house that gave it out has no row of it.
        looked_up = client.get(f"/v/{number}/").content.decode()
        assert "this house was brought back from a backup" in looked_up
        assert "not given out here" not in looked_up
        (backup,) = Backup.objects.all()
        assert (backup.directory, backup.restored_at is not None) == (str(directory), True)
        assert certify(run.pk)
        assert verify_log().problems == []

        size = Entry.objects.count()
        assert not mark_path().exists()
        open_house()
        assert Entry.objects.count() == size, "the second opening has nothing to do"


def test_a_night_that_was_booked_then_and_is_over_now_does_not_begin_again(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    directory = backup_at()
    advance(start_run(procedure.pk, by=None).pk)
    with empty_house(tmp_path):
        restore(directory)
        open_house()
        assert Procedure.objects.get(pk=procedure.pk).state == Procedure.State.CANCELED
        assert Case.objects.get(pk=case.pk).stage == Case.Stage.CLOSED
        assert not StoredObject.objects.filter(case=case).remaining().exists()
        tick()
        assert not Run.objects.exists()


def test_a_consent_withdrawn_after_the_backup_is_asked_for_anew(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    case = make_case()
    keepsake = make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    directory = backup_at()
    withdraw(case, by=case.patient)
    with empty_house(tmp_path):
        restore(directory)
        assert Signature.objects.in_force().filter(text__kind=ConsentText.Kind.PROCEDURE).count() == 1
        open_house()
        tick()
        assert not Run.objects.exists(), "a night began without consent"
        assert Procedure.objects.get(pk=procedure.pk).state == Procedure.State.CANCELED
        assert not Signature.objects.in_force().filter(text__kind=ConsentText.Kind.PROCEDURE).exists()
        assert Signature.objects.in_force().filter(text__kind=ConsentText.Kind.STORAGE).count() == 1
        assert Case.objects.get(pk=case.pk).stage == Case.Stage.MAPPED
        found = Keepsake.objects.get(pk=keepsake.pk)
        assert found.picture
        assert read(found.picture)


def test_a_run_under_way_is_stopped_and_what_it_had_destroyed_is_said(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    run = make_run(memories=2)
    passes(run, 3)
    directory = backup_at()
    passes(run, PASS_COUNT)  # through the first memory and into the second
    first, second = run.steps.order_by("position")
    assert (first.state, second.state) == (Step.State.DESTROYED, Step.State.FADING)
    with empty_house(tmp_path):
        restore(directory)
        assert Step.objects.get(pk=first.pk).level == 3
        open_house()
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
        # Its frame is of a time that the backup does not know; it is not shown as if it were there.
        assert keepsakes_of(second) == []
        assert keyless() == set()
        assert verify_log().problems == []
        case = Case.objects.get(pk=run.procedure.case_id)
        assert case.stage == Case.Stage.MAPPED
        certify_finished()
        assert Run.objects.get(pk=run.pk).certificate.statement["outcome"] == "stopped"


def test_what_a_patient_took_back_stays_taken_back(backup_at: Callable[[], Path], tmp_path: Path) -> None:
    keepsake = make_keepsake(make_memory(make_case()))
    directory = backup_at()
    remove_keepsake(keepsake, by=keepsake.case.patient)
    with empty_house(tmp_path):
        restore(directory)
        open_house()
        found = Keepsake.objects.get(pk=keepsake.pk)
        assert (found.picture, found.thumb, found.gone_at is not None) == (None, None, True)
        assert not StoredObject.objects.filter(keepsake=keepsake).remaining().exists()
        assert Memory.objects.get(pk=keepsake.memory_id).read().title == "A day"


def test_an_upload_on_its_way_and_old_visits_end(backup_at: Callable[[], Path], tmp_path: Path) -> None:
    case = make_case()
    upload = begin_upload(case, by=case.patient, length=10, filename="a.jpg")
    Session.objects.create(session_key="k" * 32, session_data="", expire_date=upload.expires_at)
    directory = backup_at()
    with empty_house(tmp_path):
        restore(directory)
        open_house()
        assert not Upload.objects.exists()
        assert upload.pk not in set(key_store().ids())
        assert not Session.objects.exists()


def test_a_request_whose_key_is_gone_says_nothing(backup_at: Callable[[], Path], tmp_path: Path) -> None:
    asked = AppointmentRequest(name="A visitor", email="visitor@lacuna.example")
    key_store().create(asked.pk)
    asked.write(AppointmentRequest.sealed_fields(message="My dog died."))
    asked.save()
    directory = backup_at()
    key_store().destroy(asked.pk)
    with empty_house(tmp_path):
        restore(directory)
        open_house()
        assert AppointmentRequest.objects.get(pk=asked.pk).read().message == ""


def test_a_restore_by_hand_is_noticed_by_its_keys(tmp_path: Path, backup_at: Callable[[], Path]) -> None:
    """Without our command, and so without its mark: the database file alone, put back by an administrator."""
    run = make_run(memories=1)
    directory = backup_at()
    advance(run.pk)
    with empty_house(tmp_path):
        database.restore(directory / database.NAMES[connection.vendor])
        open_house()
        all_gone(run)
        first = Entry.objects.filter(actor="system:startup")[0]
        assert (first.action, first.details["signed"]) == ("audit.restored", False)
        # The start signs no restore that it only infers: rows without keys can be inserted by anyone who can
        # write to the database.
        assert verify_log().undeclared == len(verify_log().problems) > 0
        call_command("declare_restore", reason="the database file was put back", stdout=StringIO())
        assert verify_log().problems == []


def test_a_house_that_was_not_restored_has_nothing_to_obey() -> None:
    run = make_run(memories=1)
    passes(run, 2)
    StoredObject.objects.create(case=run.procedure.case, role="frame", state="pending")
    size = Entry.objects.count()
    assert reconcile_with_keys() is None
    assert Entry.objects.count() == size
    assert Run.objects.get(pk=run.pk).state == Run.State.RUNNING


def test_a_crash_while_obeying_is_made_good_by_the_next_opening(
    backup_at: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(memories=1)
    directory = backup_at()
    advance(run.pk)
    with empty_house(tmp_path):
        restore(directory)
        with monkeypatch.context() as patched:
            patched.setattr("erasure.operations.reconcile.destroy", lambda rows: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                open_house()
        open_house()
        all_gone(run)
        assert Entry.objects.filter(action="audit.restored").count() == 1
        assert verify_log().problems == []


@pytest.mark.processes
def test_the_commands_and_the_opening_of_a_real_house(tmp_path: Path, backup_at: Callable[[], Path]) -> None:
    run = make_run(memories=1)
    directory = backup_at()
    advance(run.pk)
    with empty_house(tmp_path):
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
            all_gone(run)
            served.end(2)


def swept(times: int = 3) -> None:
    """As the supervisor goes round for half an hour and more."""
    rounds, now = Sweeper(), timezone.now()
    for turn in range(times):
        rounds.sweep(keys_used_elsewhere(), now + 2 * turn * GRACE_PERIOD)


def test_the_wrong_backup_first_and_then_the_right_one(backup_at: Callable[[], Path], tmp_path: Path) -> None:
    case = make_case()
    old = backup_at()
    later = make_keepsake(make_memory(case))
    assert later.picture
    picture = read(later.picture)
    checkpoint("daily")
    right = Path(make_backup(tmp_path / "right")[0].directory)
    with empty_house(tmp_path):
        restore(old)
        open_house()
        assert not Keepsake.objects.exists()
        held = set(HeldKey.objects.values_list("pk", flat=True))
        assert later.picture_id in held
        assert Entry.objects.get(action="keys.held").details == {"keys": len(held)}
        swept()
        assert held <= set(key_store().ids())
        assert verify_log().problems == []
        checkpoint("daily")
    with empty_house(tmp_path):
        restore(right)
        open_house()
        found = Keepsake.objects.get(pk=later.pk)
        assert found.picture
        assert read(found.picture) == picture
        assert not HeldKey.objects.exists()
        swept()
        assert held <= set(key_store().ids())
        assert verify_log().problems == []


def test_a_database_put_back_by_hand_is_noticed_by_a_longer_log_outside(
    backup_at: Callable[[], Path], tmp_path: Path
) -> None:
    """Nothing was erased since, so no row lacks its key: only the log is shorter than one that was signed."""
    case = make_case()
    with transaction.atomic():
        record(Act("file.viewed", f"case:{case.pk}", "system:test"))
    directory = backup_at()
    make_keepsake(make_memory(case))
    with transaction.atomic():
        record(Act("file.viewed", f"case:{case.pk}", "system:test"))
    checkpoint("daily")
    with empty_house(tmp_path):
        database.restore(directory / database.NAMES[connection.vendor])
        open_house()
        assert HeldKey.objects.exists()
        keys = set(key_store().ids())
        swept()
        assert set(key_store().ids()) == keys
        # Whether it was restored or cut nobody here can know: the log is not declared whole.
        assert verify_log().problems


# --- What is refused, and what a failure leaves ---------------------------------------------------------


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
    return sorted(directory.glob("objects/*/*"))[0]


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
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


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_backup_is_refused_before_anything_is_touched(
    how: str, backup: Path, tmp_path: Path
) -> None:
    spoil, said = SPOILT[how]
    spoil(backup)
    with empty_house(tmp_path) as house:
        with pytest.raises(BackupRefused, match=said):
            restore(backup)
        assert connection.introspection.table_names() == []
        assert storage().listdir("")[1] == []
        assert not (house / "restored.json").exists()


def test_nothing_is_overwritten(backup: Path, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="The database is not empty"):
        restore(backup)
    with pytest.raises(BackupRefused, match="exists, and nothing is ever overwritten"):
        make_backup(backup)
    with empty_house(tmp_path):
        path = Path(storage().path(an_object(backup).name))
        path.parent.mkdir(parents=True)
        path.write_bytes(b"another")
        with pytest.raises(BackupRefused, match="The vault holds another object"):
            restore(backup)
        assert path.read_bytes() == b"another"


def test_a_restore_that_fails_leaves_nothing(
    backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with empty_house(tmp_path) as house:
        with monkeypatch.context() as patched:
            patched.setattr(database, "restore", full)
            with pytest.raises(OSError, match="No space left"):
                restore(backup)
        assert storage().listdir("")[1] == []
        assert not (house / "restored.json").exists()
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
