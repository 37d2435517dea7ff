"""The verifier finds a leftover in each place, and only there."""

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
from erasure.bedside.models import SpokenWord
from erasure.jobs.worker import advance
from erasure.runs.models import Event, Run
from erasure.verification import machine
from erasure.verification.checks import CHECKS, EVERY
from erasure.verification.keys import all_live_keys
from erasure.verification.places import CLEAN, FOUND, UNCHECKABLE, Place, Subject
from patients.cases.models import Case
from patients.consent_papers.models import ConsentPaper
from patients.drafts.models import Draft
from patients.drafts.writing import keep_draft
from patients.intake_review.models import IntakeReview
from patients.keepsakes.models import Keepsake, Upload
from patients.keepsakes.staging import staging_path
from patients.memories.models import Memory
from patients.vault import configured
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import storage
from patients.vault.replicas import BLOCK, SLOT
from tests.erasure.verification.ended import found_in, make_ended, verify_here
from tests.factories import make_case, make_memory, make_run
from tests.processes import environment, until

pytestmark = pytest.mark.django_db(transaction=True)

SENTENCE = "A walk on the frozen river"
Plant = Callable[[Run], object]


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """Empty the cache: its table has no model, so flushing the database does not empty it."""
    cache.clear()
    yield
    cache.clear()


def an_original(run: Run) -> StoredObject:
    return StoredObject.objects.get(case=run.procedure.case, role="original")


def plant_row(run: Run, role: str, **fields: object) -> StoredObject:
    keepsake = Keepsake.objects.get(case=run.procedure.case)
    return StoredObject.objects.create(
        case=keepsake.case, memory_id=keepsake.memory_id, keepsake=keepsake, role=role, **fields
    )


def sql(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


def plant_expired_value(run: Run) -> None:
    cache.set("story", SENTENCE)
    sql("UPDATE clinic_cache SET expires = '2001-01-01 00:00:00'")


def plant_session(run: Run) -> None:
    store: DatabaseSessions = import_string(f"{django_settings.SESSION_ENGINE}.SessionStore")()
    store["note"] = SENTENCE
    store.save()


def plant_upload(run: Run) -> None:
    case = run.procedure.case
    expires = timezone.now() + timedelta(hours=1)
    Upload.objects.create(case=case, by=case.patient, length=10, expires_at=expires)


def plant_staged_file(run: Run) -> None:
    path = staging_path(uuid4())
    path.parent.mkdir(parents=True)
    path.write_bytes(b"?")


def plant_task(run: Run) -> None:
    task = DBTaskResult(task_path="x.y", run_after=timezone.now(), backend_name="d")
    task.args_kwargs = {"args": [SENTENCE], "kwargs": {}}
    task.save()


def plant_failed_task(run: Run) -> None:
    DBTaskResult.objects.create(
        args_kwargs={"args": [], "kwargs": {}},
        task_path="x.y",
        run_after=timezone.now(),
        backend_name="d",
        exception_class_path="builtins.UnicodeDecodeError",
        traceback=f"UnicodeDecodeError: {SENTENCE}",
    )


def plant_draft(run: Run, *, key: bool = False, **fields: object) -> None:
    case = run.procedure.case
    row = Draft.objects.create(case=case, person=case.patient, form="letter", about=case.pk, **fields)
    if key:
        key_store().create(row.pk)


def plant_core_dump(run: Run) -> None:
    header = b"\x7fELF" + bytes(12) + struct.pack("<H", 4)
    Path(django_settings.LACUNA_DATA_DIR, "core.4711").write_bytes(header)


def plant_backup_with_keys(run: Run) -> None:
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
    "older frame": ({"frames"}, lambda run: plant_row(run, "frame")),
    "original": ({"frames"}, lambda run: plant_row(run, "original", state="pending")),
    "thumbnail": ({"thumbs"}, lambda run: plant_row(run, "thumb")),
    "picture still shown": (
        {"pointers"},
        lambda run: Keepsake.objects.update(gone_at=None, picture=an_original(run)),
    ),
    "upload": ({"staging"}, plant_upload),
    "staged file": ({"staging"}, plant_staged_file),
    "memory not said to be gone": ({"rows"}, lambda run: Memory.objects.update(fate="target")),
    "words in an event": (
        {"rows"},
        lambda run: Event.objects.filter(run=run, seq=1).update(data={"title": SENTENCE}),
    ),
    "session": ({"sessions"}, plant_session),
    "cache": ({"cache"}, lambda run: cache.set("story", [1, {"words": SENTENCE}])),
    "cache that has expired": ({"cache"}, plant_expired_value),
    "task": ({"queue"}, plant_task),
    "failed task": ({"queue"}, plant_failed_task),
    "mail": (
        {"outbox"},
        lambda run: Mail.objects.create(
            to="x@lacuna.example", subject="Look", body=f"/pictures/{an_original(run).pk}/"
        ),
    ),
    "draft": ({"rows", "seals"}, lambda run: plant_draft(run, sealed=b"?", key=True)),
    "draft whose key is gone": ({"rows"}, lambda run: plant_draft(run, sealed=b"?")),
    "draft that has ended": ({"rows"}, lambda run: plant_draft(run, ended_at=timezone.now(), key=True)),
    "core": ({"cores"}, plant_core_dump),
    "keys in a backup": ({"catalogue"}, plant_backup_with_keys),
}


def test_after_a_complete_run_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set("throttle:2001:db8::1", [981.5, 3])
    sql("UPDATE clinic_cache SET expires = '2001-01-01 00:00:00'")  # an expired throttle is not a leftover
    run = make_ended(monkeypatch)
    found = verify_here(run.pk)
    assert tuple(place.name for place in found.places) == EVERY
    assert found.clean
    by_name = {place.name: place for place in found.places}
    assert by_name["keys"].looked_for == StoredObject.objects.count() > 10
    assert {by_name[name].result for name in ("keys", "files", "seals", "orphans", "rows")} == {CLEAN}


def test_a_paper_of_a_consent_is_found_only_if_all_its_keys_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_ended(monkeypatch)
    case, memory = run.procedure.case, Memory.objects.get(case=run.procedure.case)
    keys = [str(case.pk), str(memory.pk)]
    ConsentPaper.objects.create(signature=run.procedure.consent, keys=keys, sealed=b"?")
    for model in (Case, IntakeReview, Memory):
        model.objects.update(sealed=b"")  # of the seals, only the paper is left to be found
    assert found_in(run) == set()
    key_store().create(case.pk)
    assert found_in(run) == {"keys"}
    key_store().create(memory.pk)
    assert found_in(run) == {"keys", "seals"}


def test_a_spoken_word_whose_key_is_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    case = run.procedure.case
    SpokenWord.objects.create(procedure=run.procedure, case=case, sealed=b"?")
    for model in (Case, IntakeReview, Memory):
        model.objects.update(sealed=b"")  # of the seals, only the word is left to be found
    assert found_in(run) == set()
    key_store().create(case.pk)
    assert found_in(run) == {"keys", "seals"}


def test_after_a_stopped_run_only_papers_that_name_what_is_gone_are_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_ended(monkeypatch)
    Run.objects.filter(pk=run.pk).update(outcome=Run.Outcome.STOPPED)
    case = run.procedure.case
    key_store().create(case.pk)
    ConsentPaper.objects.create(signature=run.procedure.consent, keys=[str(case.pk)], sealed=b"?")
    assert "seals" not in found_in(run)


def test_reading_all_keys_leaves_no_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    make_ended(monkeypatch)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _look in range(3):
        all_live_keys()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_drafts_from_before_the_lock_are_gone_after_the_run() -> None:
    case = make_case()
    memory = make_memory(case)
    for form in (f"memory:{memory.pk}", "memory:new", "letter"):
        keep_draft(form, {"story": [SENTENCE]}, known=None, by=case.patient)
    rows = [(row.pk, row.about, bytes(row.sealed)) for row in Draft.objects.all()]
    run = make_run(case=case)
    assert Draft.objects.count() == 0
    plant_draft(run, key=True)  # as if one had been written in spite of the lock
    advance(run.pk)
    run.refresh_from_db()
    assert found_in(run) == set()
    assert Draft.objects.count() == 0
    # A copy of the rows, as a backup has it, opens by no key: neither the draft's nor its thing's is left.
    keys = all_live_keys()
    assert [sealed != b"" for *_ids, sealed in rows] == [True] * 3
    assert not keys & {key for row, about, _sealed in rows for key in (row, about)}


@pytest.mark.parametrize("plant", PLANTS)
def test_each_planted_leftover_is_found_in_its_place(plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    places, put = PLANTS[plant]
    put(run)
    assert found_in(run) == places


@contextmanager
def schema_change(statement: str, undo: str) -> Iterator[None]:
    """Execute `statement`, and `undo` at the end: no rollback would remove it before the next test."""
    sql(statement)
    try:
        yield
    finally:
        sql(undo)


def test_a_column_without_a_model_field_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    with schema_change(
        "ALTER TABLE patients_memory ADD COLUMN title text", "ALTER TABLE patients_memory DROP COLUMN title"
    ):
        assert found_in(run) == {"rows"}


def test_a_full_text_index_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    if connection.vendor == "sqlite":
        statement, undo = "CREATE VIRTUAL TABLE stories USING fts5(words)", "DROP TABLE stories"
    else:
        statement = "CREATE INDEX stories ON patients_memory USING gin (to_tsvector('simple', fate))"
        undo = "DROP INDEX stories"
    with schema_change(statement, undo):
        assert found_in(run) == {"indexes"}


def test_an_admin_site_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    with schema_change("CREATE TABLE django_admin_log (object_repr text)", "DROP TABLE django_admin_log"):
        assert found_in(run) == {"admin"}


@pytest.mark.only_on("postgresql")  # only it keeps samples of values
def test_statistics_that_hold_sentences_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    StoredObject.objects.update(doomed_by=SENTENCE)
    sql("ANALYZE patients_storedobject")
    try:
        assert found_in(run) == {"statistics"}
    finally:
        StoredObject.objects.update(doomed_by="")
        sql("ANALYZE patients_storedobject")


@pytest.mark.only_on("sqlite")  # only it has the setting secure_delete
def test_a_database_that_does_not_overwrite_deleted_rows_is_found(
    monkeypatch: pytest.MonkeyPatch, settings: django_settings
) -> None:
    run = make_ended(monkeypatch)
    options = {"init_command": "PRAGMA secure_delete=OFF"}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)
    assert found_in(run) == {"sqlite"}


def test_an_older_key_file_in_a_mirror_is_found(
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
    with (directory / "epochs").open("r+b") as file:  # epoch 1 is in the second block
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


def test_a_log_file_with_a_traceback_is_found(
    monkeypatch: pytest.MonkeyPatch, settings: django_settings, tmp_path: Path
) -> None:
    run = make_ended(monkeypatch)
    log = tmp_path / "lacuna.log"
    settings.LOGGING_CONFIG = None  # Django 6.1 would apply this setting, which is only to be read here
    settings.LOGGING = {"handlers": {"file": {"filename": str(log)}}}
    log.write_text("2026-11-22 03:04:05,678 ERROR lacuna.worker run 1: pass refused, not ours any more\n")
    (place,) = (place for place in verify_here(run.pk).places if place.name == "logs")
    assert place == Place("logs", CLEAN, looked_for=1)
    log.write_text(log.read_text() + f"ValueError: {SENTENCE}\n")
    (place,) = (place for place in verify_here(run.pk).places if place.name == "logs")
    assert place == Place("logs", FOUND, looked_for=1, found=1, where="lacuna.log:83")
    settings.LOGGING = {"handlers": {}}
    (place,) = (place for place in verify_here(run.pk).places if place.name == "logs")
    assert place == Place("logs", UNCHECKABLE, why="elsewhere")


def test_a_temporary_upload_file_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    run = make_ended(monkeypatch)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    (tmp_path / "tmpx3.upload.jpg").write_bytes(b"?")
    assert found_in(run) == {"temporary"}


@pytest.mark.processes
def test_a_worker_that_may_write_core_dumps_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_ended(monkeypatch)
    _soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard == 0:
        pytest.skip("core dumps are disabled on this machine")
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
    no_run = Subject(Run())
    (tmp_path / "swaps").write_text(head)
    assert machine.swap(no_run) == Place("swap", CLEAN)
    (tmp_path / "swaps").write_text(f"{head}/dev/vdb  partition\t1\t0\t-2\n")
    assert machine.swap(no_run) == Place("swap", UNCHECKABLE, why="swap-on")
    (tmp_path / "swaps").unlink()
    assert machine.swap(no_run) == Place("swap", UNCHECKABLE, why="no-proc")


def test_a_page_that_browsers_may_store_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.browsers(Subject(Run())).result == CLEAN
    views = [*machine._views(), ("patients:case", lambda request: HttpResponse())]
    monkeypatch.setattr(machine, "_views", lambda: views)
    assert machine.browsers(Subject(Run())).where == "patients:case"


def test_a_service_worker_is_found(settings: django_settings, tmp_path: Path) -> None:
    (tmp_path / "keep.js").write_text("navigator.serviceWorker.register('/keep.js')")
    settings.STATICFILES_DIRS = [*settings.STATICFILES_DIRS, tmp_path]
    assert machine.browsers(Subject(Run())).where == "file:keep.js"


def test_a_backup_that_cannot_be_read_is_not_clean(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_second_frame_of_a_half_faded_keepsake_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
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
