"""A drill shows that erased objects cannot be opened from a backup, and that kept ones can."""

from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from erasure.backups.create import make_backup
from erasure.backups.drill import hold_drill
from erasure.backups.manifest import BackupRefused
from erasure.backups.models import DRILL_STALE, Backup, Drill
from erasure.jobs import certifying
from erasure.jobs.worker import advance
from patients.keepsakes.removal import remove_keepsake
from patients.keepsakes.staging import begin_upload
from patients.vault import configured
from patients.vault.objects import storage
from tests.erasure.verification.ended import verify_here
from tests.factories import make_case, make_keepsake, make_memory, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def verified_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)


def counts_of(drill: Drill) -> tuple[int, int, int, int]:
    return drill.kept_opened, drill.kept_closed, drill.erased_opened, drill.erased_closed


def test_kept_objects_open_and_erased_objects_do_not(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    run = make_run(memories=1)
    upload_case = make_case()
    begin_upload(upload_case, by=upload_case.patient, length=10, filename="a.jpg")
    make_backup(tmp_path / "backup")
    drill = hold_drill(tmp_path / "backup")
    # Two cases, two memories, two keepsakes with three objects each, a third case and its upload; and the
    # reviews of three intakes.
    assert (drill.result, counts_of(drill)) == (Drill.Result.HOLDS, (17, 0, 0, 0))
    advance(run.pk)
    drill = hold_drill(tmp_path / "backup")
    assert (drill.result, counts_of(drill)) == (Drill.Result.HOLDS, (10, 0, 0, 7))
    assert Entry.objects.filter(action="backup.drilled").count() == 2
    assert Entry.objects.filter(action="backup.drilled")[1].details["erased_closed"] == 7
    assert Backup.objects.get().drills.count() == 2
    assert not list(Path(django_settings.LACUNA_DATA_DIR).glob("drill-*"))


def test_a_drill_notices_an_older_key_store(tmp_path: Path) -> None:
    _kept, gone = (make_keepsake(make_memory(make_case())) for _ in range(2))
    make_backup(tmp_path / "backup")
    slots = Path(django_settings.LACUNA_KEYS_DIR) / "slots"
    before = slots.read_bytes()
    remove_keepsake(gone, by=gone.case.patient)
    assert hold_drill(tmp_path / "backup").result == Drill.Result.HOLDS
    configured.reset()
    slots.write_bytes(before)
    drill = hold_drill(tmp_path / "backup")
    assert (drill.result, drill.erased_opened, drill.kept_opened) == (Drill.Result.BROKEN, 4, 10)
    assert Entry.objects.filter(action="backup.failed-drill").count() == 1
    with pytest.raises(CommandError, match="It does not hold"):
        call_command("drill", str(tmp_path / "backup"))


def test_a_drill_notices_a_kept_object_that_does_not_open(tmp_path: Path) -> None:
    keepsake = make_keepsake(make_memory(make_case()))
    make_keepsake(make_memory(make_case()))
    assert keepsake.picture_id
    path = Path(storage().path(keepsake.picture_id.hex))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    make_backup(tmp_path / "backup")
    drill = hold_drill(tmp_path / "backup")
    assert (drill.result, drill.kept_closed) == (Drill.Result.BROKEN, 1)


def test_a_drill_without_kept_objects_says_that_it_proves_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(memories=1)
    make_backup(tmp_path / "backup")
    advance(run.pk)
    call_command("drill")
    assert Drill.objects.get().result == Drill.Result.UNCONTROLLED
    output = capsys.readouterr().out
    assert output.startswith("Kept: 0 opened, 0 did not. Erased: 0 opened, 7 did not.\n")
    assert "nothing shows that opening would have worked" in output


def test_a_damaged_backup_is_not_drilled(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    make_backup(tmp_path / "backup")
    sorted((tmp_path / "backup").glob("objects/*/*"))[0].unlink()
    with pytest.raises(BackupRefused, match="The backup lacks"):
        hold_drill(tmp_path / "backup")
    with pytest.raises(CommandError, match="No drill was held: The backup lacks"):
        call_command("drill", str(tmp_path / "backup"))
    assert not Drill.objects.exists()


def test_without_a_backup_the_command_says_how_to_make_one() -> None:
    with pytest.raises(CommandError, match=r"manage\.py backup DIRECTORY"):
        call_command("drill")


@pytest.mark.only_on("postgresql")  # on SQLite the temporary copy is a file
def test_no_temporary_database_is_left(tmp_path: Path) -> None:
    make_keepsake(make_memory(make_case()))
    make_backup(tmp_path / "backup")
    hold_drill(tmp_path / "backup")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'lacuna_drill_%'")
        assert cursor.fetchone() == (0,)


# --- The page -------------------------------------------------------------------------------------------


def page(client: Client) -> str:
    client.force_login(make_user(Role.ADMINISTRATOR))
    answer = client.get(reverse("erasure:backups"))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return " ".join(answer.content.decode().split())


def a_backup(number: int = 0) -> Backup:
    return Backup.objects.create(
        directory=f"/srv/backups/{number}",
        made_at=timezone.now(),
        digest=f"{number:064}",
        log_size=41,
        objects_count=7,
        size=2_000_000,
    )


def a_drill(backup: Backup, result: str, *counts: int, **fields: object) -> Drill:
    names = ("kept_opened", "kept_closed", "erased_opened", "erased_closed")
    return Drill.objects.create(
        backup=backup, result=result, **dict(zip(names, counts, strict=True)), **fields
    )


def test_the_page_shows_the_backups_and_the_last_drill(client: Client) -> None:
    shown = page(client)
    assert "No backup is known." in shown
    assert "No drill was held yet." in shown
    backup = a_backup()
    a_drill(backup, "holds", 5, 0, 0, 3)
    shown = page(client)
    assert "3 erased, none opened; 5 kept, all opened." in shown
    assert "/srv/backups/0" in shown
    assert "The last drill was long ago." not in shown
    Drill.objects.update(held_at=timezone.now() - 2 * DRILL_STALE)
    assert "The last drill was long ago." in page(client)
    a_drill(backup, "broken", 5, 0, 1, 2)
    shown = page(client)
    assert "did not hold." in shown
    assert "Erased and opened all the same: 1." in shown


def test_the_page_needs_as_many_queries_for_three_backups_as_for_one(client: Client) -> None:
    page(client)  # the first request also fills caches
    counts = []
    for total in (1, 3):
        while Backup.objects.count() < total:
            a_drill(a_backup(Backup.objects.count()), "holds", 1, 0, 0, 0)
        with CaptureQueriesContext(connection) as queries:
            page(client)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_database_refuses_that_a_drill_holds_if_its_counts_say_otherwise() -> None:
    backup = a_backup()
    for counts in ((0, 0, 0, 3), (5, 1, 0, 3), (5, 0, 1, 3)):
        with pytest.raises(IntegrityError, match="drill_holds_only_so"):
            a_drill(backup, "holds", *counts)
