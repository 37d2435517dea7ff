"""E8: verify_log reports a restore without a signed note, and one whose note declares other heads."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from clinic.audit import triggers
from clinic.audit.checkpoint_mail import send_newest
from clinic.audit.checkpoints import (
    RESTORED,
    Head,
    NoteInvalid,
    checkpoint,
    keep_outside,
    public_key,
    read_note,
    signed_text,
    verify_note,
    write_restore_note,
)
from clinic.audit.keyring import rotate
from clinic.audit.models import Checkpoint, Entry, TreeHead
from clinic.audit.proofs import range_root
from clinic.audit.record import Act
from clinic.audit.restored import declare_restored, restore_declared_at, sign_restore
from clinic.audit.verify import Report, verify_log
from tests.clinic.audit.factories import a_log, an_act, write
from tests.clinic.audit.plugin import unguarded
from tests.clinic.audit.test_verify import rewrite_log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]


def cut(size: int) -> None:
    """Delete all but the first `size` entries and all checkpoints, as a restore does, or a forger."""
    rewrite_log(list(Entry.objects.filter(index__lt=size).order_by("index")))
    with unguarded(connection):
        Checkpoint.objects.all().delete()


def forge_entry(lost: Checkpoint) -> None:
    details = {"size": lost.size, "root": bytes(lost.root).hex(), "signed": True, "heads": 1}
    write(Act("audit.restored", "log:checkpoint", "system:startup", details=details))


def make_cut_log() -> Checkpoint:
    """Make a log of 9 entries with a checkpoint over 7, and cut it to 5. Return the checkpoint."""
    a_log(7)
    lost = checkpoint("daily")
    write(an_act(7), an_act(8))
    cut(5)
    return lost


def restore_with_note() -> None:
    """Do what the restore command and the next start do."""
    assert sign_restore() is not None
    declare_restored("system:startup")


def head() -> Head:
    row = TreeHead.objects.get()
    return row.size, row.as_frontier().root()


def test_e8_a_restore_declared_by_a_signed_note_is_not_reported(key_directory: Path) -> None:
    make_cut_log()
    restore_with_note()
    (row,) = Checkpoint.objects.filter(reason=RESTORED)
    (path,) = (key_directory / "witness").glob("000000000005-*-restored-*.note")
    assert row.note == path.read_text()
    assert verify_note(row.note, public_key()).lost[0][0] == 7
    report = verify_log()
    assert (report.problems, len(report.declared), report.undeclared) == ([], 1, 0)
    assert restore_declared_at() is not None


def test_e8_a_forged_entry_with_a_cut_log_is_reported() -> None:
    lost = make_cut_log()
    forge_entry(lost)
    report = verify_log()
    undeclared, unexplained = report.problems
    assert undeclared.startswith("Undeclared restore: entry 5 says that a backup was restored, and no note ")
    assert unexplained.endswith(
        "was signed over 7 entries that only the undeclared restore of entry 5 would explain."
    )
    assert (report.declared, report.undeclared) == ([], 2)
    assert restore_declared_at() is None
    out = StringIO()
    with pytest.raises(CommandError, match="The log is not whole: 2 problems") as caught:
        call_command("verify_audit", stdout=out)
    assert caught.value.returncode == 1
    assert "manage.py declare_restore" in out.getvalue()


def test_e8_a_log_rewritten_after_a_restore_is_reported() -> None:
    """Also if the checkpoint of the rewritten part covers fewer entries than the restore lost."""
    a_log(30)
    checkpoint("daily")
    cut(5)
    restore_with_note()
    write(*[an_act(number) for number in range(40, 50)])
    checkpoint("daily")  # over 16
    assert verify_log().problems == []
    entries = list(Entry.objects.order_by("index"))
    for entry in entries[7:]:
        entry.reason = "because"
    rewrite_log(entries)
    problems = verify_log().problems
    assert [text.partition(" was ")[2] for text in problems] == [
        "signed over 16 entries that are not those of today: the log was rewritten."
    ] * len(problems)
    assert problems
    cut(6)  # only the restored log and its audit.restored entry are left
    (problem,) = [text for text in verify_log().problems if "16 entries" in text]
    assert problem.endswith("was signed over 16 entries, but the log has only 6: the tail was cut.")


# Restore notes that are wrong in one way. after: the restored log's head. lost: the head that was lost.


def other_size(after: Head, lost: Head) -> str:
    return write_restore_note((after[0] - 1, range_root(0, after[0] - 1)), [(lost[0] + 1, lost[1])], RESTORED)


def other_root(after: Head, lost: Head) -> str:
    return write_restore_note(after, [(lost[0], bytes(32))], RESTORED)


def other_log(after: Head, lost: Head) -> str:
    return write_restore_note((after[0], bytes(32)), [lost], RESTORED)


@pytest.mark.parametrize("write_other", [other_size, other_root, other_log])
def test_e8_a_note_with_other_heads_is_reported(write_other: Callable[[Head, Head], str]) -> None:
    lost = make_cut_log()
    text = write_other(head(), (lost.size, bytes(lost.root)))
    keep_outside(text)
    forge_entry(lost)
    report = verify_log()
    assert any("Undeclared restore: entry 5" in problem for problem in report.problems)
    assert any("signed over 7 entries that only the undeclared" in problem for problem in report.problems)
    assert report.declared == []


def test_e8_a_note_whose_heads_were_changed_is_refused(key_directory: Path) -> None:
    lost = make_cut_log()
    text = other_root(head(), (lost.size, bytes(lost.root)))
    body = write_restore_note(head(), [(lost.size, bytes(lost.root))], RESTORED).split("\n\n")[0]
    (key_directory / "witness" / "changed.note").write_text(body + "\n\n" + text.split("\n\n")[1])
    forge_entry(lost)
    problems = verify_log().problems
    assert (
        "The checkpoint in the witness file changed.note is not to be believed: "
        "the note's signature is not of this text." in problems
    )
    assert verify_log().declared == []


def test_e8_a_note_signed_by_another_key_is_reported() -> None:
    lost = make_cut_log()
    body = read_note(write_restore_note(head(), [(lost.size, bytes(lost.root))], RESTORED)).body
    keep_outside(signed_text(body.decode(), Ed25519PrivateKey.generate()))
    forge_entry(lost)
    report = verify_log()
    assert any(
        "is not to be believed: the note is not signed with this key" in text for text in report.problems
    )
    assert (report.declared, report.undeclared) == ([], 2)


def test_e8_a_replayed_older_note_is_reported() -> None:
    """The note of an earlier restore explains only what that one lost, nothing that was signed later."""
    make_cut_log()
    restore_with_note()
    write(*[an_act(number) for number in range(20, 32)])
    newest = checkpoint("daily")
    assert verify_log().problems == []
    cut(5)  # back to the log that the older note was signed over; the file of that note is still there
    forge_entry(newest)
    report = verify_log()
    assert any(text.startswith("Undeclared restore: entry 5 ") for text in report.problems)
    assert any(
        f"signed over {newest.size} entries that only the undeclared" in text for text in report.problems
    )
    assert len(report.declared) == 1, "what the older note declares is still declared"


def test_e8_a_start_does_not_sign_a_restore_by_itself() -> None:
    """Someone who can write to the database but has no key must not get a signed note by it."""
    make_cut_log()
    (entry,) = declare_restored("system:startup")
    assert (entry.details["signed"], Checkpoint.objects.count()) == (False, 0)
    assert declare_restored("system:startup") == []
    assert verify_log().undeclared == 2


def test_e8_an_older_restore_can_be_declared_later_and_the_note_says_so(key_directory: Path) -> None:
    lost = make_cut_log()
    forge_entry(lost)
    out = StringIO()
    with pytest.raises(CommandError, match="Nothing was signed"):
        call_command("declare_restore", stdout=out)
    assert out.getvalue() == f"Not of this log: 7 entries, root {bytes(lost.root).hex()}\n"
    assert len(list((key_directory / "witness").iterdir())) == 1
    call_command("declare_restore", reason="restored in May, ticket 12", stdout=out)
    assert out.getvalue().endswith("over 6 entries, as done afterwards.\n")
    entry = Entry.objects.get(action="audit.restore-signed")
    assert (entry.actor, entry.reason) == ("system:operator", "restored in May, ticket 12")
    report = verify_log()
    assert (report.problems, report.undeclared) == ([], 0)
    (declared,) = report.declared
    assert "as a note signed afterwards, at " in declared
    call_command("declare_restore", reason="again", stdout=out)
    assert out.getvalue().endswith("Every checkpoint matches the log or is explained by a signed note.\n")
    assert Entry.objects.filter(action="audit.restore-signed").count() == 1


def test_e8_a_restore_note_is_mailed_like_a_checkpoint(settings: Settings) -> None:
    settings.LACUNA_WITNESS_MAIL = ["board@lacuna.example"]
    make_cut_log()
    restore_with_note()
    checkpoint("after-restore")
    assert send_newest() == 2
    first, second = (str(message.body) for message in mail.outbox)
    assert "\nlost 7 " in first
    assert "a backup was restored" in first
    assert "\nlost 7 " not in second
    assert send_newest() == 0


def lines_of(report: Report) -> list[str]:
    return [*report.problems, *report.declared]


def test_e8_after_a_key_change_old_notes_count_and_the_former_key_cannot_declare(
    key_directory: Path,
) -> None:
    a_log(20)
    checkpoint("daily")
    cut(5)
    restore_with_note()
    before = (key_directory / "signing-key").read_bytes()
    rotate(by="system:operator")  # while the log is shorter than the lost one
    report = verify_log()
    assert report.problems == []
    assert [text for text in lines_of(report) if "of 20 entries" in text]
    write(*[an_act(number) for number in range(20, 30)])
    newest = checkpoint("daily")
    cut(5)
    after, lost = head(), (newest.size, bytes(newest.root))
    present = (key_directory / "signing-key").read_bytes()
    (key_directory / "signing-key").write_bytes(before)  # someone who stole the former key signs
    keep_outside(write_restore_note(after, [lost], RESTORED))
    (key_directory / "signing-key").write_bytes(present)
    assert any("not to be believed" in text for text in verify_log().problems)
    assert any(f"signed over {newest.size} entries, but" in text for text in verify_log().problems)


@pytest.mark.parametrize(
    "extension",
    [
        "restored",
        "restored 2026-01-01",
        "restored 2026-01-01T00:00:00Z",
        "restored 2026-01-01T00:00:00Z\nlost 7",
    ],
)
def test_e8_a_malformed_restore_note_is_refused(extension: str) -> None:
    body = f"lacuna.test/audit\n5\n{'A' * 43}=\n{extension}\n"
    with pytest.raises(NoteInvalid, match="says about a restore is malformed"):
        read_note(signed_text(body, Ed25519PrivateKey.generate()))


def test_a_log_with_gaps_cannot_be_declared() -> None:
    make_cut_log()
    triggers.uninstall(connection)
    Entry.objects.filter(index=2).delete()
    triggers.install(connection)
    assert declare_restored("system:startup") == []
    with pytest.raises(LookupError):
        sign_restore()
    with pytest.raises(CommandError, match="Nothing was signed: the log lacks entries"):
        call_command("declare_restore", reason="gaps", stdout=StringIO())
