"""A leftover planted in each place is found there and nowhere else: the verifier can fail."""

import resource
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSessions
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult

from clinic.outbox.models import Mail
from erasure.backups.models import Backup
from erasure.runs.models import Event, Run
from erasure.verification import machine
from erasure.verification.checks import CHECKS, EVERY
from erasure.verification.keys import all_live_keys
from erasure.verification.places import CLEAN, FOUND, UNCHECKABLE, Place, Subject
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import staging_path
from patients.memories.models import Memory
from patients.vault import configured
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import storage
from patients.vault.replicas import BLOCK, SLOT
from tests.erasure.verification.ended import found_in, make_ended, verify_here
from tests.house import environment, until

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "A walk on the frozen river"
Plant = Callable[[Run], object]


@pytest.fixture(autouse=True)
def emptied_cache() -> Iterator[None]:
    """The cache's table is no model's, so no flush empties it."""
    cache.clear()
    yield
    cache.clear()


def an_original(run: Run) -> StoredObject:
    return StoredObject.objects.get(case=run.procedure.case, role="original")


def a_row(run: Run, role: str, **fields: object) -> StoredObject:
    keepsake = Keepsake.objects.get(case=run.procedure.case)
    return StoredObject.objects.create(
        case=keepsake.case, memory_id=keepsake.memory_id, keepsake=keepsake, role=role, **fields
    )


def sql(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


def an_expired_value(run: Run) -> None:
    cache.set("story", WORDS)
    sql("UPDATE clinic_cache SET expires = '2001-01-01 00:00:00'")


def a_session(run: Run) -> None:
    store: DatabaseSessions = import_string(f"{django_settings.SESSION_ENGINE}.SessionStore")()
    store["note"] = WORDS
    store.save()


def an_upload(run: Run) -> None:
    case = run.procedure.case
    expires = timezone.now() + timedelta(hours=1)
    Upload.objects.create(case=case, by=case.patient, length=10, expires_at=expires)


def a_staged_file(run: Run) -> None:
    path = staging_path(uuid4())
    path.parent.mkdir(parents=True)
    path.write_bytes(b"?")


def a_task(run: Run) -> None:
    task = DBTaskResult(task_path="x.y", run_after=timezone.now(), backend_name="d")
    task.args_kwargs = {"args": [WORDS], "kwargs": {}}
    task.save()


def a_failed_task(run: Run) -> None:
    DBTaskResult.objects.create(
        args_kwargs={"args": [], "kwargs": {}},
        task_path="x.y",
        run_after=timezone.now(),
        backend_name="d",
        exception_class_path="builtins.UnicodeDecodeError",
        traceback=f"UnicodeDecodeError: {WORDS}",
    )


def a_core(run: Run) -> None:
    header = b"\x7fELF" + bytes(12) + struct.pack("<H", 4)
    Path(django_settings.LACUNA_DATA_DIR, "core.4711").write_bytes(header)


def a_backup_with_keys(run: Run) -> None:
    directory = Path(django_settings.LACUNA_DATA_DIR) / "backup"
    (directory / "objects").mkdir(parents=True)
    shutil.copyfile(Path(django_settings.LACUNA_KEYS_DIR) / "slots", directory / "objects" / ("0" * 32))
    Backup.objects.create(
        directory=str(directory), made_at=run.started_at, digest="0", log_size=1, objects_count=1, size=1
    )


PLANTS: dict[str, tuple[set[str], Plant]] = {
    "key": ({"keys"}, lambda run: key_store().create(an_original(run).pk)),
    "key of a seal": (
        {"keys", "seals"},  # the key of a sealed row is both
        lambda run: key_store().create(Memory.objects.get(case=run.procedure.case).pk),
    ),
    "half a roll": (
        {"epochs"},
        lambda run: Path(django_settings.LACUNA_KEYS_DIR, "slots.new").write_bytes(b"?"),
    ),
    "file": ({"files"}, lambda run: storage().save(an_original(run).pk.hex, ContentFile(b"?"))),
    "file without row": ({"orphans"}, lambda run: storage().save(uuid4().hex, ContentFile(b"?"))),
    "key without row": ({"orphans"}, lambda run: key_store().create(uuid4())),
    "older frame": ({"frames"}, lambda run: a_row(run, "frame")),
    "original": ({"frames"}, lambda run: a_row(run, "original", state="pending")),
    "thumbnail": ({"thumbs"}, lambda run: a_row(run, "thumb")),
    "picture still shown": (
        {"pointers"},
        lambda run: Keepsake.objects.update(gone_at=None, picture=an_original(run)),
    ),
    "upload": ({"staging"}, an_upload),
    "staged file": ({"staging"}, a_staged_file),
    "memory not said to be gone": ({"rows"}, lambda run: Memory.objects.update(fate="target")),
    "words in an event": (
        {"rows"},
        lambda run: Event.objects.filter(run=run, seq=1).update(data={"title": WORDS}),
    ),
    "session": ({"sessions"}, a_session),
    "cache": ({"cache"}, lambda run: cache.set("story", [1, {"words": WORDS}])),
    "cache that has expired": ({"cache"}, an_expired_value),
    "task": ({"queue"}, a_task),
    "failed task": ({"queue"}, a_failed_task),
    "mail": (
        {"outbox"},
        lambda run: Mail.objects.create(
            to="x@lacuna.example", subject="Look", body=f"/pictures/{an_original(run).pk}/"
        ),
    ),
    "core": ({"cores"}, a_core),
    "keys in a backup": ({"catalogue"}, a_backup_with_keys),
}


def test_after_a_complete_run_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("throttle:2001:db8::1", [981.5, 3])
    sql("UPDATE clinic_cache SET expires = '2001-01-01 00:00:00'")  # a throttle that is over is no obstacle
    run = make_ended(monkeypatch)
    found = verify_here(run.pk)
    assert tuple(place.name for place in found.places) == EVERY
    assert found.clean
    by_name = {place.name: place for place in found.places}
    assert by_name["keys"].looked_for == StoredObject.objects.count() > 10
    assert {by_name[name].result for name in ("keys", "files", "seals", "orphans", "rows")} == {CLEAN}


def test_a_look_at_the_keys_leaves_no_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    make_ended(monkeypatch)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _look in range(3):
        all_live_keys()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_planted_is_found_where_it_is(plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    places, put = PLANTS[plant]
    put(run)
    assert found_in(run) == places


@contextmanager
def changed(there: str, back: str) -> Iterator[None]:
    """The schema changed for a while; what a test leaves of it would be in every later test."""
    sql(there)
    try:
        yield
    finally:
        sql(back)


def test_a_column_no_model_has_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    with changed(
        "ALTER TABLE patients_memory ADD COLUMN title text", "ALTER TABLE patients_memory DROP COLUMN title"
    ):
        assert found_in(run) == {"rows"}


def test_a_full_text_index_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    if connection.vendor == "sqlite":
        there, back = "CREATE VIRTUAL TABLE stories USING fts5(words)", "DROP TABLE stories"
    else:
        there = "CREATE INDEX stories ON patients_memory USING gin (to_tsvector('simple', fate))"
        back = "DROP INDEX stories"
    with changed(there, back):
        assert found_in(run) == {"indexes"}


def test_an_admin_site_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    with changed("CREATE TABLE django_admin_log (object_repr text)", "DROP TABLE django_admin_log"):
        assert found_in(run) == {"admin"}


@pytest.mark.only_on("postgresql")  # the one that keeps samples
def test_statistics_that_hold_sentences_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    StoredObject.objects.update(doomed_by=WORDS)
    sql("ANALYZE patients_storedobject")
    try:
        assert found_in(run) == {"statistics"}
    finally:
        StoredObject.objects.update(doomed_by="")
        sql("ANALYZE patients_storedobject")


@pytest.mark.only_on("sqlite")  # the one that is told how to overwrite
def test_a_database_that_overwrites_nothing_is_found(
    monkeypatch: pytest.MonkeyPatch, settings: django_settings
) -> None:
    run = make_ended(monkeypatch)
    options = {"init_command": "PRAGMA secure_delete=OFF"}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)
    assert found_in(run) == {"sqlite"}


def test_a_mirror_that_remembers_more_is_found(
    monkeypatch: pytest.MonkeyPatch, settings: django_settings, tmp_path: Path
) -> None:
    settings.LACUNA_KEY_MIRRORS = [tmp_path / "mirror"]
    configured.reset()
    older: list[bytes] = []
    roll = type(key_store()).roll_epoch

    def keep_and_roll(store: object) -> object:
        older.append((tmp_path / "mirror" / "slots").read_bytes())
        return roll(store)  # type: ignore[arg-type]

    monkeypatch.setattr(type(key_store()), "roll_epoch", keep_and_roll)
    run = make_ended(monkeypatch)
    assert found_in(run) == set()
    configured.reset()
    (tmp_path / "mirror" / "slots").write_bytes(older[0])
    assert found_in(run) == {"mirrors"}


def test_an_older_epoch_key_and_an_older_store_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    directory = Path(django_settings.LACUNA_KEYS_DIR)
    key_store()
    slots, epochs = (directory / "slots").read_bytes(), (directory / "epochs").read_bytes()
    run = make_ended(monkeypatch)
    configured.reset()
    with (directory / "epochs").open("r+b") as file:  # epoch 1 stands in the second block
        file.seek(BLOCK)
        file.write(epochs[BLOCK : BLOCK + SLOT])
    assert found_in(run) == {"epochs"}
    (directory / "slots").write_bytes(slots)
    (directory / "epochs").write_bytes(epochs)
    assert found_in(run) == {"epochs"}


def test_a_row_whose_file_is_gone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    StoredObject.objects.create(case=run.procedure.case, role="original", blob=uuid4().hex)
    assert found_in(run) == {"orphans"}


def test_logs_hold_our_lines_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, settings: django_settings, tmp_path: Path
) -> None:
    run = make_ended(monkeypatch)
    log = tmp_path / "lacuna.log"
    settings.LOGGING_CONFIG = None  # Django 6.1 would put in force what is only to be read here
    settings.LOGGING = {"handlers": {"file": {"filename": str(log)}}}
    log.write_text("2026-11-22 03:04:05,678 ERROR lacuna.worker run 1: pass refused, not ours any more\n")
    (place,) = (place for place in verify_here(run.pk).places if place.name == "logs")
    assert place == Place("logs", CLEAN, looked_for=1)
    log.write_text(log.read_text() + f"ValueError: {WORDS}\n")
    (place,) = (place for place in verify_here(run.pk).places if place.name == "logs")
    assert place == Place("logs", FOUND, looked_for=1, found=1, where="lacuna.log:83")
    settings.LOGGING = {"handlers": {}}
    (place,) = (place for place in verify_here(run.pk).places if place.name == "logs")
    assert place == Place("logs", UNCHECKABLE, why="elsewhere")


def test_a_spooled_upload_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = make_ended(monkeypatch)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "tmpx3.upload.jpg").write_bytes(b"?")
    assert found_in(run) == {"temporary"}


@pytest.mark.processes
def test_a_worker_that_may_dump_its_memory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    _soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard == 0:
        pytest.skip("nobody may dump here at all")
    for soft, expected in ((0, set()), (4096, {"cores"})):
        process = subprocess.Popen(
            [sys.executable, "-c", "print(flush=True); import time; time.sleep(600)", "supervise"],
            env=environment(),
            stdout=subprocess.PIPE,
            preexec_fn=lambda soft=soft: resource.setrlimit(resource.RLIMIT_CORE, (soft, hard)),  # noqa: PLW1509 - one thread
        )
        try:
            assert process.stdout
            process.stdout.readline()
            until(lambda: len(list(machine.installation_processes())) == 1, "the process is seen")
            assert found_in(run) == expected
        finally:
            process.kill()
            process.communicate()


def test_swap_makes_memory_uncheckable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "PROC", tmp_path)
    head = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
    nobody = Subject(Run())
    (tmp_path / "swaps").write_text(head)
    assert machine.swap(nobody) == Place("swap", CLEAN)
    (tmp_path / "swaps").write_text(f"{head}/dev/vdb  partition\t1\t0\t-2\n")
    assert machine.swap(nobody) == Place("swap", UNCHECKABLE, why="swap-on")
    (tmp_path / "swaps").unlink()
    assert machine.swap(nobody) == Place("swap", UNCHECKABLE, why="no-proc")


def test_a_page_that_browsers_may_store_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.browsers(Subject(Run())).result == CLEAN
    views = [*machine._views(), ("patients:case", lambda request: HttpResponse())]
    monkeypatch.setattr(machine, "_views", lambda: views)
    assert machine.browsers(Subject(Run())).where == "patients:case"


def test_a_service_worker_is_found(settings: django_settings, tmp_path: Path) -> None:
    (tmp_path / "keep.js").write_text("navigator.serviceWorker.register('/keep.js')")
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, tmp_path]
    assert machine.browsers(Subject(Run())).where == "file:keep.js"


def test_a_backup_out_of_sight_is_not_called_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    Backup.objects.create(
        directory="/nowhere/at/all",
        made_at=run.started_at,
        digest="1" * 64,
        log_size=1,
        objects_count=1,
        size=1,
    )
    assert CHECKS["catalogue"](Subject(run)) == Place("catalogue", UNCHECKABLE, why="elsewhere")


def test_a_memory_kept_in_mid_fade_has_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    kept = Keepsake.objects.create(case=run.procedure.case, kind="photo", level=3)
    frames = [
        StoredObject.objects.create(case=kept.case, keepsake=kept, role="frame", level=level)
        for level in (2, 3)
    ]
    Keepsake.objects.filter(pk=kept.pk).update(picture=frames[1], thumb=frames[1])
    assert CHECKS["frames"](Subject(run)).where == f"frame:{frames[0].pk}"
    frames[0].delete()
    assert CHECKS["frames"](Subject(run)).result == CLEAN
