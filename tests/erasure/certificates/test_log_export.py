"""L3, checked offline: an exported log and a checkpoint kept outside show every change of the log."""

import json
import tracemalloc
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client

from clinic.accounts.models import Role
from clinic.audit import triggers
from clinic.audit.checkpoints import (
    RESTORED,
    checkpoint,
    read_note,
    signed_text,
    signing_key,
    verifier_key,
    write_restore_note,
)
from clinic.audit.keyring import rotate
from clinic.audit.models import Checkpoint, Entry, TreeHead
from clinic.audit.record import Act, record
from clinic.audit.restored import declare_afterwards, declare_restored, sign_restore
from erasure.certificates import verify_certificate as offline
from patients.cases.models import Case
from tests.clinic.audit.factories import copy_of_entry, write
from tests.clinic.audit.test_verify import rewrite_log, tamper
from tests.erasure.certificates.proofs import export, run_verifier
from tests.factories import make_user

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("log_triggers")]


@pytest.fixture
def log_triggers(db: None) -> None:
    """Install the triggers with which the database refuses changes of the log."""
    triggers.install(connection)


def write_entries(start: int, stop: int) -> None:
    for number in range(start, stop):
        write(Act("run.started", f"run:{number}", "system:worker", details={"number": number}))


def write_signed_log() -> str:
    """Write seven entries with a checkpoint after the fifth; return the checkpoint's note."""
    write_entries(0, 5)
    note = checkpoint("test").note
    write_entries(5, 7)
    return note


def codes(file: bytes, key: str, *notes: str, holds: bool | None = False) -> list[str]:
    """Codes of the verifier's findings about an export: by default those that do not hold.

    notes: checkpoints that somebody kept outside the clinic.
    """
    _log, found = offline.check_log(file, offline.read_key(key), notes)
    return [finding.code for finding in found if finding.holds is holds]


def test_a_whole_log_is_checked_in_an_empty_folder(client: Client, tmp_path: Path) -> None:
    note = write_signed_log()
    (tmp_path / "log.jsonl").write_bytes(export(client))
    (tmp_path / "mine.note").write_text(note)
    result = run_verifier(tmp_path, "log.jsonl", "--key", verifier_key(), "--checkpoint", "mine.note")
    assert (result.returncode, result.stderr) == (0, "")
    head = TreeHead.objects.get()
    assert "holds     Entries written out: 7. Others, of which only hashes were given: 0." in result.stdout
    assert (
        "holds     The log you hold a checkpoint of, 5 entries, is a beginning of this one." in result.stdout
    )
    assert head.size == 8  # the export's own entry comes after the exported ones
    file = (tmp_path / "log.jsonl").read_bytes()
    (tmp_path / "log.jsonl").write_bytes(file.replace(b'"number":3', b'"number":4'))
    result = run_verifier(tmp_path, "log.jsonl", "--key", verifier_key(), "--checkpoint", "mine.note")
    assert result.returncode == 1
    assert "DOES NOT  The signature does NOT belong to this text and this key." in result.stdout


@pytest.mark.parametrize("filters", [{"find": "run:3"}, {"what": "audit.exported"}, {"find": "run:6"}])
def test_an_export_of_a_part_has_the_root_of_the_whole_log(client: Client, filters: dict[str, str]) -> None:
    note = write_signed_log()
    whole, _found = offline.check_log(export(client), None)
    write_entries(8, 9)
    file = export(client, **filters)
    log, found = offline.check_log(file, offline.read_key(verifier_key()), [note])
    assert [finding.code for finding in found if finding.holds is False] == []
    assert [finding.values["size"] for finding in found if finding.code == "note-same"] == [5]
    assert log.size == 9
    assert len(log.entries) < 3
    head = TreeHead.objects.get()
    assert head.size == 10
    assert whole.size == 7


def test_entries_that_the_reader_may_not_see_are_hashes(client: Client) -> None:
    auditor = make_user(Role.AUDITOR, Role.PATIENT)
    case = Case.objects.create(patient=auditor, reference="own-1")
    write_entries(0, 2)
    write(Act("run.started", "run:2", "system:worker", case=case.pk))
    write_entries(3, 5)
    checkpoint("test")
    client.force_login(auditor)
    file = client.post("/audit/export/", {"reason": "asked by the board"}).content
    assert str(case.pk).encode() not in file
    log, _found = offline.check_log(file, offline.read_key(verifier_key()))
    assert sorted(log.entries) == [0, 1, 3, 4]
    assert codes(file, verifier_key()) == []
    assert json.loads(file.split(b"\n")[3])["kind"] == "hidden"


# --- An attacker with write access to the database ---------------------------------------------------------
def edit() -> None:
    tamper("UPDATE clinic_entry SET reason = 'because' WHERE \"index\" = 2")


def delete() -> None:
    entries = list(Entry.objects.all())
    rewrite_log([*entries[:2], *entries[3:]])


def insert() -> None:
    entries = list(Entry.objects.all())
    rewrite_log([*entries[:3], Entry.objects.get(index=1), *entries[3:]])


def reorder() -> None:
    entries = list(Entry.objects.all())
    rewrite_log([entries[1], entries[0], *entries[2:]])


def cut() -> None:
    rewrite_log(list(Entry.objects.all())[:3])


def rewrite() -> None:
    entries = list(Entry.objects.all())
    for entry in entries:
        entry.reason = "because"
    rewrite_log(entries)
    tamper("DELETE FROM clinic_checkpoint")
    for path in settings.LACUNA_WITNESS_DIR.iterdir():
        path.unlink()
    checkpoint("forged")


@pytest.mark.parametrize("attack", [edit, delete, insert, reorder, rewrite], ids=lambda one: one.__name__)
def test_l3_a_changed_log_contradicts_an_outside_checkpoint(
    client: Client, attack: Callable[[], None]
) -> None:
    note = write_signed_log()
    assert codes(export(client), verifier_key(), note) == []
    attack()
    assert "note-not" in codes(export(client), verifier_key(), note)


def test_l3_a_cut_log_contradicts_an_outside_checkpoint(client: Client) -> None:
    note = write_signed_log()
    cut()
    assert "note-longer" in codes(export(client), verifier_key(), note)
    write_entries(3, 9)  # the log is longer again than it was before the cut
    assert "note-not" in codes(export(client), verifier_key(), note)


def test_l3_an_entry_inserted_after_the_end_is_not_in_the_log(client: Client) -> None:
    write_signed_log()
    tamper(copy_of_entry(3, 9))
    log, found = offline.check_log(export(client), None)
    assert (log.size, 9 in log.entries) == (7, False)
    assert [finding.code for finding in found if finding.holds is False] == []
    assert [finding.code for finding in found if finding.holds]


def test_l3_a_deletion_that_leaves_a_gap_is_not_exported(client: Client) -> None:
    write_signed_log()
    tamper('DELETE FROM clinic_entry WHERE "index" = 2')
    client.force_login(make_user(Role.AUDITOR))
    response = client.post("/audit/export/", {"reason": "asked by the board"}, follow=True)
    assert "The log has gaps, so nothing it exports could be proved." in response.content.decode()


def test_l3_swapped_signatures_of_two_checkpoints_do_not_hold(client: Client) -> None:
    write_signed_log()
    checkpoint("second")
    first, second = (row.note for row in Checkpoint.objects.all())
    swapped = first.split("\n\n")[0] + "\n\n" + second.split("\n\n")[1]
    triggers.uninstall(connection)
    Checkpoint.objects.filter(note=first).update(note=swapped)
    triggers.install(connection)
    assert codes(export(client), verifier_key()) == ["checkpoint-not"]


def test_l3_a_replaced_key_is_not_trusted_by_a_verifier_with_the_first_key(client: Client) -> None:
    note, known = write_signed_log(), verifier_key()
    fresh = Ed25519PrivateKey.generate()
    settings.LACUNA_SIGNING_KEY_FILE.write_bytes(
        fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    file = export(client)
    assert codes(file, known, note) == ["signature-not"]
    # And the outside checkpoint is not signed with the new key.
    assert codes(file, verifier_key(), note) == ["checkpoint-not"]


def test_a_declared_restore_is_reported_and_is_no_cut(client: Client) -> None:
    write_signed_log()
    note = checkpoint("newest").note
    rewrite_log(list(Entry.objects.all())[:4])
    tamper("DELETE FROM clinic_checkpoint")
    sign_restore()
    declare_restored("system:serve")
    file = export(client)
    assert codes(file, verifier_key(), note) == []
    assert codes(file, verifier_key(), note, holds=None) == ["note-lost"]


def test_e8_an_entry_without_a_signed_note_declares_no_restore_offline(client: Client) -> None:
    write_signed_log()
    note = checkpoint("newest").note
    rewrite_log(list(Entry.objects.all())[:4])
    tamper("DELETE FROM clinic_checkpoint")
    declare_restored("system:serve")  # without a signed note, as older versions did and as an attacker could
    assert codes(export(client), verifier_key(), note) == ["note-longer", "restored-not"]
    declare_afterwards("the disk failed")
    file = export(client)
    assert codes(file, verifier_key(), note) == []
    assert codes(file, verifier_key(), note, holds=None) == ["note-lost-late"]


def test_e8_a_log_rewritten_after_the_restore_is_noticed_offline(client: Client) -> None:
    write_signed_log()
    write_entries(7, 12)
    checkpoint("newest")
    rewrite_log(list(Entry.objects.all())[:4])
    tamper("DELETE FROM clinic_checkpoint")
    sign_restore()
    declare_restored("system:serve")
    write_entries(20, 25)
    after = checkpoint("after").note  # its log is shorter than the lost one
    assert codes(export(client), verifier_key(), after) == []
    entries = list(Entry.objects.all())
    entries[6].reason = "because"
    rewrite_log(entries)
    assert "note-not" in codes(export(client), verifier_key(), after)


def test_e8_a_restore_holds_after_the_key_was_replaced_and_the_former_key_declares_none(
    client: Client,
) -> None:
    write_signed_log()
    write_entries(7, 20)
    note, before = checkpoint("newest").note, verifier_key()
    rewrite_log(list(Entry.objects.all())[:4])
    tamper("DELETE FROM clinic_checkpoint")
    sign_restore()
    declare_restored("system:serve")
    stolen = settings.LACUNA_SIGNING_KEY_FILE.read_bytes()
    rotate(by="system:operator")  # the log is shorter than the lost one
    write_entries(30, 50)
    newest = checkpoint("newest").note
    file = export(client)
    for key in (before, verifier_key()):
        assert codes(file, key, note) == []
        assert "note-lost" in codes(file, key, note, holds=None)
    present = settings.LACUNA_SIGNING_KEY_FILE.read_bytes()
    log, _found = offline.check_log(file, offline.read_key(verifier_key()), [note])
    settings.LACUNA_SIGNING_KEY_FILE.write_bytes(stolen)
    forged = write_restore_note((4, log.roots[4]), [(read_note(newest).size, bytes(32))], RESTORED)
    settings.LACUNA_SIGNING_KEY_FILE.write_bytes(present)
    assert codes(file, verifier_key(), note, forged) == ["checkpoint-not"]


@pytest.mark.parametrize(
    "extension", ["restored", "restored 2026-01-01T00:00:00Z", "restored 2026-01-01T00:00:00Z\nlost 7 A="]
)
def test_e8_a_malformed_restore_note_is_not_believed(client: Client, extension: str) -> None:
    write_signed_log()
    body = f"{settings.LACUNA_LOG_ORIGIN}\n3\n{'A' * 43}=\n{extension}\n"
    assert codes(export(client), verifier_key(), signed_text(body, signing_key())) == ["checkpoint-not"]


# --- An export that was changed after it was downloaded ----------------------------------------------------
@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda lines: [*lines[:3], *lines[4:]], "log-line"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "log-line"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], "log-line"),
        (lambda lines: [*lines[:3], lines[3].replace(b'"v":1', b'"v": 1'), *lines[4:]], "log-line"),
        (lambda lines: [*lines[:3], b"[]", *lines[4:]], "log-line"),
        (
            lambda lines: [*lines[:3], b'{"kind":"hidden","from":2,"to":99,"roots":[]}', *lines[4:]],
            "log-line",
        ),
        (lambda lines: [*lines[:-3], *lines[-2:]], "log-line"),
        (lambda lines: [lines[0].replace(b'"log":7', b'"log":6'), *lines[1:]], "log-line"),
    ],
)
def test_an_export_changed_after_its_download_is_refused(
    client: Client, change: Callable[[list[bytes]], list[bytes]], code: str
) -> None:
    write_signed_log()
    lines = export(client).split(b"\n")
    found = codes(b"\n".join(change(lines)), verifier_key())
    assert "signature-not" in found
    assert code in found


@pytest.mark.parametrize("file", [b"", b"\n", b"{}\n{}", b'{"kind":"lacuna-audit-export"}', b"\xff" * 9])
def test_a_file_that_is_no_export_is_unreadable(file: bytes) -> None:
    with pytest.raises(offline.Unreadable):
        offline.check_log(file, None)


# --- The command that exports the whole log ----------------------------------------------------------------
def test_the_whole_log_is_exported_by_command_and_read_offline(tmp_path: Path) -> None:
    write_signed_log()
    checkpoint("newest")
    size = Entry.objects.count()
    file = tmp_path / "log.jsonl"
    call_command("export_audit", str(file), "--reason", "asked by the board", stdout=StringIO())
    assert file.stat().st_mode & 0o777 == 0o600
    assert codes(file.read_bytes(), verifier_key()) == []
    assert len(offline.check_log(file.read_bytes(), None)[0].entries) == size
    entry = Entry.objects.order_by("index").last()
    assert entry is not None
    assert (entry.action, entry.actor, entry.reason) == (
        "audit.exported",
        "system:operator",
        "asked by the board",
    )
    result = run_verifier(tmp_path, file.name, "--key", verifier_key())
    assert result.returncode == 0, result.stdout
    assert f"Entries written out: {size}. Others, of which only hashes were given: 0." in result.stdout
    assert [path.name for path in tmp_path.glob(".log*")] == []


@pytest.mark.both_databases
def test_the_command_overwrites_nothing_and_leaves_nothing_if_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_signed_log()
    size = Entry.objects.count()
    (tmp_path / "there.jsonl").write_text("mine")
    with pytest.raises(CommandError, match="nothing is overwritten"):
        call_command("export_audit", str(tmp_path / "there.jsonl"), "--reason", "asked")
    with pytest.raises(CommandError, match="Nothing was exported: a reason has at most"):
        call_command("export_audit", str(tmp_path / "new.jsonl"), "--reason", "x" * 501)
    assert {path.name for path in tmp_path.iterdir() if "jsonl" in path.name} == {"there.jsonl"}
    assert Entry.objects.count() == size


@pytest.mark.timeout(180)  # tracemalloc slows down writing 25,000 entries
def test_a_long_log_is_written_in_little_memory(tmp_path: Path) -> None:
    """The file of 25,000 entries has about 4 MB; less than half of that is in memory at any time."""
    with transaction.atomic():
        for start in range(0, 25_000, 5000):
            record(*(Act("file.viewed", f"case:{start + n}", "system:test") for n in range(5000)))
    file = tmp_path / "log.jsonl"
    tracemalloc.start()
    call_command("export_audit", str(file), "--reason", "asked", stdout=StringIO())
    _current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert file.stat().st_size > 4_000_000
    assert peak < file.stat().st_size / 2
    with file.open("rb") as lines:
        assert sum(1 for _line in lines) == 25_002
