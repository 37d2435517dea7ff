"""E8: a restore that no signed note declares, or that declares other heads, is a finding."""

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
from tests.clinic.audit.test_verify import seal_anew

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]


def cut(size: int) -> None:
    """Leave the first `size` entries and none of the stored checkpoints: as a restore does, or a forger."""
    seal_anew(list(Entry.objects.filter(index__lt=size).order_by("index")))
    with unguarded(connection):
        Checkpoint.objects.all().delete()


def forge_entry(lost: Checkpoint) -> None:
    details = {"size": lost.size, "root": bytes(lost.root).hex(), "signed": True, "heads": 1}
    write(Act("audit.restored", "log:checkpoint", "system:startup", details=details))


def a_cut_log() -> Checkpoint:
    """A log of 5 that was of 9, of which a checkpoint over 7 left; return that."""
    a_log(7)
    left = checkpoint("daily")
    write(an_act(7), an_act(8))
    cut(5)
    return left


def restored() -> None:
    """What the restore command and the next start do."""
    assert sign_restore() is not None
    declare_restored("system:startup")


def head() -> Head:
    row = TreeHead.objects.get()
    return row.size, row.as_frontier().root()


def test_e8_a_restore_that_a_signed_note_declares_is_no_finding(house: Path) -> None:
    a_cut_log()
    restored()
    (row,) = Checkpoint.objects.filter(reason=RESTORED)
    (path,) = (house / "witness").glob("000000000005-*-restored-*.note")
    assert row.note == path.read_text()
    assert verify_note(row.note, public_key()).lost[0][0] == 7
    report = verify_log()
    assert (report.problems, len(report.declared), report.undeclared) == ([], 1, 0)
    assert restore_declared_at() is not None


def test_e8_a_forged_entry_with_the_tail_cut_is_a_finding() -> None:
    left = a_cut_log()
    forge_entry(left)
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


def test_e8_the_log_rewritten_from_the_restored_entry_on_is_a_finding() -> None:
    """Also where what is rewritten was signed over fewer entries than the restore gave up."""
    a_log(30)
    checkpoint("daily")
    cut(5)
    restored()
    write(*[an_act(number) for number in range(40, 50)])
    checkpoint("daily")  # over 16
    assert verify_log().problems == []
    entries = list(Entry.objects.order_by("index"))
    for entry in entries[7:]:
        entry.reason = "because"
    seal_anew(entries)
    problems = verify_log().problems
    assert [text.partition(" was ")[2] for text in problems] == [
        "signed over 16 entries that are not those of today: the log was rewritten."
    ] * len(problems)
    assert problems
    cut(6)  # the entry alone is left, and the tail cut
    (problem,) = [text for text in verify_log().problems if "16 entries" in text]
    assert problem.endswith("was signed over 16 entries, but the log has only 6: the tail was cut.")


def other_size(after: Head, lost: Head) -> str:
    return write_restore_note((after[0] - 1, range_root(0, after[0] - 1)), [(lost[0] + 1, lost[1])], RESTORED)


def other_root(after: Head, lost: Head) -> str:
    return write_restore_note(after, [(lost[0], bytes(32))], RESTORED)


def other_log(after: Head, lost: Head) -> str:
    return write_restore_note((after[0], bytes(32)), [lost], RESTORED)


@pytest.mark.parametrize("write_other", [other_size, other_root, other_log])
def test_e8_a_note_with_other_heads_is_a_finding(write_other: Callable[[Head, Head], str]) -> None:
    left = a_cut_log()
    text = write_other(head(), (left.size, bytes(left.root)))
    keep_outside(text)
    forge_entry(left)
    report = verify_log()
    assert any("Undeclared restore: entry 5" in problem for problem in report.problems)
    assert any("signed over 7 entries that only the undeclared" in problem for problem in report.problems)
    assert report.declared == []


def test_e8_a_note_whose_heads_were_changed_is_not_believed(house: Path) -> None:
    left = a_cut_log()
    text = other_root(head(), (left.size, bytes(left.root)))
    body = write_restore_note(head(), [(left.size, bytes(left.root))], RESTORED).split("\n\n")[0]
    (house / "witness" / "changed.note").write_text(body + "\n\n" + text.split("\n\n")[1])
    forge_entry(left)
    problems = verify_log().problems
    assert (
        "The checkpoint in the witness file changed.note is not to be believed: "
        "the note's signature is not of this text." in problems
    )
    assert verify_log().declared == []


def test_e8_a_note_signed_by_another_key_is_a_finding() -> None:
    left = a_cut_log()
    body = read_note(write_restore_note(head(), [(left.size, bytes(left.root))], RESTORED)).body
    keep_outside(signed_text(body.decode(), Ed25519PrivateKey.generate()))
    forge_entry(left)
    report = verify_log()
    assert any(
        "is not to be believed: the note is not signed with this key" in text for text in report.problems
    )
    assert (report.declared, report.undeclared) == ([], 2)


def test_e8_an_older_note_replayed_is_a_finding() -> None:
    """What an earlier restore gave up was declared; that excuses nothing that was signed since."""
    a_cut_log()
    restored()
    write(*[an_act(number) for number in range(20, 32)])
    newest = checkpoint("daily")
    assert verify_log().problems == []
    cut(5)  # back to the very log that the older note was signed over; its file still lies outside
    forge_entry(newest)
    report = verify_log()
    assert any(text.startswith("Undeclared restore: entry 5 ") for text in report.problems)
    assert any(
        f"signed over {newest.size} entries that only the undeclared" in text for text in report.problems
    )
    assert len(report.declared) == 1, "what the older note declares is still declared"


def test_e8_a_start_signs_no_restore_that_it_only_infers() -> None:
    """Whoever can write to the database can also insert a row without a key: no note follows from it."""
    a_cut_log()
    (entry,) = declare_restored("system:startup")
    assert (entry.details["signed"], Checkpoint.objects.count()) == (False, 0)
    assert declare_restored("system:startup") == []
    assert verify_log().undeclared == 2


def test_e8_a_restore_of_an_older_version_is_declared_afterwards_and_said_to_be(house: Path) -> None:
    left = a_cut_log()
    forge_entry(left)
    out = StringIO()
    with pytest.raises(CommandError, match="Nothing was signed"):
        call_command("declare_restore", stdout=out)
    assert out.getvalue() == f"Not of this log: 7 entries, root {bytes(left.root).hex()}\n"
    assert len(list((house / "witness").iterdir())) == 1
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


def test_e8_a_restore_note_leaves_by_mail_as_checkpoints_do(settings: Settings) -> None:
    settings.LACUNA_WITNESS_MAIL = ["board@lacuna.example"]
    a_cut_log()
    restored()
    checkpoint("after-restore")
    assert send_newest() == 2
    first, second = (str(message.body) for message in mail.outbox)
    assert "\nlost 7 " in first
    assert "a backup was restored" in first
    assert "\nlost 7 " not in second
    assert send_newest() == 0


def lines_of(report: Report) -> list[str]:
    return [*report.problems, *report.declared]


def test_e8_a_replaced_key_signs_what_was_declared_and_the_former_one_declares_nothing_more(
    house: Path,
) -> None:
    a_log(20)
    checkpoint("daily")
    cut(5)
    restored()
    before = (house / "signing-key").read_bytes()
    rotate(by="system:operator")  # at a shorter log than the one that was lost
    report = verify_log()
    assert report.problems == []
    assert [text for text in lines_of(report) if "of 20 entries" in text]
    write(*[an_act(number) for number in range(20, 30)])
    newest = checkpoint("daily")
    cut(5)
    after, lost = head(), (newest.size, bytes(newest.root))
    present = (house / "signing-key").read_bytes()
    (house / "signing-key").write_bytes(before)  # the thief of the former key signs
    keep_outside(write_restore_note(after, [lost], RESTORED))
    (house / "signing-key").write_bytes(present)
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
def test_e8_a_malformed_restore_note_is_none(extension: str) -> None:
    body = f"lacuna.test/audit\n5\n{'A' * 43}=\n{extension}\n"
    with pytest.raises(NoteInvalid, match="says about a restore is malformed"):
        read_note(signed_text(body, Ed25519PrivateKey.generate()))


def test_a_log_with_gaps_declares_nothing() -> None:
    a_cut_log()
    triggers.uninstall(connection)
    Entry.objects.filter(index=2).delete()
    triggers.install(connection)
    assert declare_restored("system:startup") == []
    with pytest.raises(LookupError):
        sign_restore()
    with pytest.raises(CommandError, match="Nothing was signed: the log lacks entries"):
        call_command("declare_restore", reason="gaps", stdout=StringIO())
