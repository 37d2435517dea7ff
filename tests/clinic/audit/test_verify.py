"""L3: verify_log reports every kind of tampering with the rows of the log, each in a sentence."""

from io import StringIO
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from clinic.audit import merkle, triggers
from clinic.audit.canonical import leaf_of
from clinic.audit.checkpoints import checkpoint, public_key, verifier_key
from clinic.audit.models import Checkpoint, Entry, TreeHead
from clinic.audit.proofs import consistency, inclusion
from clinic.audit.record import Act, record
from clinic.audit.restored import declare_restored, sign_restore
from clinic.audit.verify import MOST_PROBLEMS, Report, verify_log
from tests.clinic.audit.factories import a_log, an_act, copy_of_entry, write

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]

SIZE = 11


def tamper(*statements: str) -> None:
    """Run raw SQL without the triggers, as an owner of the database can."""
    triggers.uninstall(connection)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    triggers.install(connection)


def rewrite_log(entries: list[Entry]) -> None:
    """Replace the whole log by `entries`, with new leaves and a new head: the log is consistent in itself."""
    triggers.uninstall(connection)
    Entry.objects.all().delete()
    for index, entry in enumerate(entries):
        entry.index = index
        entry.leaf = leaf_of(entry)
    Entry.objects.bulk_create(entries)
    frontier = merkle.Frontier().extend(entry.leaf for entry in entries)
    TreeHead.objects.update(size=frontier.size, frontier=[peak.hex() for peak in frontier.peaks])
    triggers.install(connection)


def make_log_with_checkpoint() -> tuple[list[Entry], Checkpoint]:
    entries = a_log(SIZE)
    row = checkpoint("test")
    entries += [write(an_act(number))[0] for number in range(SIZE, SIZE + 3)]
    assert verify_log().problems == []
    return entries, row


def test_an_unchanged_log_has_no_problems() -> None:
    assert verify_log().ok
    entries, _row = make_log_with_checkpoint()
    report = verify_log()
    root = merkle.Frontier().extend(entry.leaf for entry in entries).root()
    assert (report.ok, report.size, report.root, report.checkpoints) == (True, SIZE + 3, root, 1)


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'because'",
        "actor = 'visitor'",
        "action = 'test.destroyed'",
        "subject = 'step:99'",
        """details = '{"bytes": 1}'""",
        """details = '{"bytes": 4.0}'""",
        "\"case\" = '3f8c9a525d0e4b369df00d9a44ab64c1'",
        "at = '2004-02-13 22:41:07'",
        "address = '192.0.2.1'",
    ],
)
def test_l3_a_changed_field_is_reported(change: str) -> None:
    make_log_with_checkpoint()
    tamper(f'UPDATE clinic_entry SET {change} WHERE "index" = 4')  # noqa: S608
    (problem, *_rest) = verify_log().problems
    assert problem.startswith("Entry 4 was changed: ")


def test_l3_a_changed_entry_with_a_new_leaf_is_reported() -> None:
    make_log_with_checkpoint()
    changed = Entry.objects.get(index=4)
    changed.reason = "because"
    triggers.uninstall(connection)
    Entry.objects.filter(index=4).update(reason="because", leaf=leaf_of(changed))
    triggers.install(connection)
    problems = verify_log().problems
    assert problems[0] == ("The log's head is not that of its entries: entries were changed and sealed anew.")
    assert problems[1].endswith("11 entries that are not those of today: the log was rewritten.")


def test_l3_a_deleted_entry_is_reported() -> None:
    make_log_with_checkpoint()
    tamper('DELETE FROM clinic_entry WHERE "index" IN (4, 5)', 'DELETE FROM clinic_entry WHERE "index" = 7')
    problems = verify_log().problems
    assert problems[:2] == ["Entries 4 to 5 are missing.", "Entry 7 is missing."]
    assert problems[2].endswith("11 entries, which cannot be compared because entries are missing.")


def test_l3_a_deletion_with_renumbered_entries_is_reported() -> None:
    make_log_with_checkpoint()
    tamper(
        'DELETE FROM clinic_entry WHERE "index" = 4',
        *[f'UPDATE clinic_entry SET "index" = {n - 1} WHERE "index" = {n}' for n in range(5, SIZE + 3)],  # noqa: S608
    )
    problems = verify_log().problems
    assert problems[0].startswith("Entry 4 was changed: ")
    assert f"Entry {SIZE + 2} is missing at the end: the tail was cut." in problems


def test_l3_swapped_entries_are_reported() -> None:
    make_log_with_checkpoint()
    tamper(
        'UPDATE clinic_entry SET "index" = 99 WHERE "index" = 4',
        'UPDATE clinic_entry SET "index" = 4 WHERE "index" = 5',
        'UPDATE clinic_entry SET "index" = 5 WHERE "index" = 99',
    )
    problems = verify_log().problems
    assert [problem[:20] for problem in problems[:2]] == ["Entry 4 was changed:", "Entry 5 was changed:"]


def test_l3_an_entry_inserted_at_the_end_is_reported() -> None:
    make_log_with_checkpoint()
    tamper(copy_of_entry(3, SIZE + 3))
    assert verify_log().problems == [
        f"Entry {SIZE + 3} stands beyond the log's end: it was inserted without being recorded."
    ]


def test_l3_an_entry_inserted_before_the_first_is_reported() -> None:
    make_log_with_checkpoint()
    tamper(copy_of_entry(3, -1))
    assert verify_log().problems[0] == ("Entry -1 stands before the log's beginning.")


def test_l3_an_entry_inserted_with_a_new_head_is_reported() -> None:
    entries, _row = make_log_with_checkpoint()
    extra = Entry.objects.get(index=3)
    rewrite_log([*entries[:6], extra, *entries[6:]])
    (problem,) = verify_log().problems
    assert problem.endswith("was signed over 11 entries that are not those of today: the log was rewritten.")


def test_l3_deleted_last_entries_are_reported() -> None:
    make_log_with_checkpoint()
    tamper('DELETE FROM clinic_entry WHERE "index" >= 12')
    assert verify_log().problems == ["Entries 12 to 13 are missing at the end: the tail was cut."]


def test_l3_deleted_last_entries_with_a_new_head_are_reported() -> None:
    entries, row = make_log_with_checkpoint()
    rewrite_log(entries[: SIZE - 2])
    (problem,) = verify_log().problems
    assert problem.endswith("was signed over 11 entries, but the log has only 9: the tail was cut.")
    tamper("DELETE FROM clinic_checkpoint")  # the row can be deleted too, but not the note of a witness
    assert verify_log().problems == [problem]
    assert row.note


def test_l3_replaced_last_entries_are_reported() -> None:
    entries, _row = make_log_with_checkpoint()
    rewrite_log(entries[: SIZE - 2])
    for number in range(20, 26):
        write(an_act(number))
    (problem,) = verify_log().problems
    assert problem.endswith("was signed over 11 entries that are not those of today: the log was rewritten.")


def test_l3_a_log_rewritten_completely_is_reported() -> None:
    entries, _row = make_log_with_checkpoint()
    entries[4].reason = "because"
    rewrite_log(entries)
    tamper("DELETE FROM clinic_checkpoint")
    (problem,) = verify_log().problems
    assert problem.endswith("was signed over 11 entries that are not those of today: the log was rewritten.")


def test_l3_without_any_checkpoint_a_complete_rewrite_is_not_noticed(key_directory: Path) -> None:
    entries, _row = make_log_with_checkpoint()
    entries[4].reason = "because"
    rewrite_log(entries)
    tamper("DELETE FROM clinic_checkpoint")
    for note in (key_directory / "witness").iterdir():
        note.unlink()
    assert verify_log().ok  # so only the checkpoint reveals it in the test above


def test_l3_an_emptied_log_is_reported() -> None:
    make_log_with_checkpoint()
    tamper("DELETE FROM clinic_entry", "DELETE FROM clinic_treehead", "DELETE FROM clinic_checkpoint")
    (problem,) = verify_log().problems
    assert problem.endswith("was signed over 11 entries, but the log has only 0: the tail was cut.")


def test_l3_an_inconsistent_head_is_reported() -> None:
    make_log_with_checkpoint()
    tamper("UPDATE clinic_treehead SET frontier = '[]'")
    assert verify_log().problems == ["The log's head contradicts itself."]


def test_l3_swapped_signatures_are_reported() -> None:
    a_log(2)
    first = checkpoint("one")
    write(an_act(2))
    second = checkpoint("two")
    triggers.uninstall(connection)
    for row, other in ((first, second), (second, first)):
        note = row.note.split("\n\n")[0] + "\n\n" + other.note.split("\n\n")[1]
        Checkpoint.objects.filter(pk=row.pk).update(note=note)
    triggers.install(connection)
    problems = [problem for problem in verify_log().problems if "not to be believed" in problem]
    assert problems == [
        f"Checkpoint {row.pk} in the database is not to be believed: "
        "the note's signature is not of this text."
        for row in (first, second)
    ]


def test_l3_a_checkpoint_of_another_key_is_reported(key_directory: Path) -> None:
    a_log(2)
    checkpoint("test")
    report = verify_log(key=Ed25519PrivateKey.generate().public_key())
    assert [problem.partition(": ")[2] for problem in report.problems] == [
        "the note is not signed with this key."
    ] * 2


def test_l3_a_rewrite_signed_with_a_new_key_is_reported(key_directory: Path) -> None:
    """If everything is rewritten and signed with a new key, the notes of the first key reveal it."""
    entries, _row = make_log_with_checkpoint()
    first_key = public_key()
    (key_directory / "signing-key").unlink()
    entries[4].reason = "because"
    rewrite_log(entries)
    checkpoint("forged")
    assert first_key.public_bytes_raw() != public_key().public_bytes_raw()
    problems = verify_log().problems
    assert [problem for problem in problems if "not signed with this key" in problem]
    (first, *_more) = [problem for problem in verify_log(key=first_key).problems if "rewritten" in problem]
    assert first.endswith("was signed over 11 entries that are not those of today: the log was rewritten.")


def test_l3_swapped_notes_are_reported() -> None:
    a_log(2)
    first = checkpoint("one")
    write(an_act(2))
    second = checkpoint("two")
    triggers.uninstall(connection)
    for row, other in ((first, second), (second, first)):
        Checkpoint.objects.filter(pk=row.pk).update(note=other.note)
    triggers.install(connection)
    assert verify_log().problems == [
        f"Checkpoint {row.pk} in the database was changed: its row and its signed note say different things."
        for row in (first, second)
    ]


def test_l3_a_checkpoint_row_that_differs_from_its_note_is_reported() -> None:
    _entries, row = make_log_with_checkpoint()
    tamper("UPDATE clinic_checkpoint SET size = 5")
    assert verify_log().problems == [
        f"Checkpoint {row.pk} in the database was changed: its row and its signed note say different things."
    ]


def test_l3_a_note_missing_in_the_witness_directory_is_reported(key_directory: Path) -> None:
    _entries, row = make_log_with_checkpoint()
    (note,) = (key_directory / "witness").iterdir()
    note.rename(key_directory / "elsewhere")
    assert verify_log().problems == [
        f"Checkpoint {row.pk} in the database, of 11 entries, has no file in the witness directory any more."
    ]


def test_l3_missing_triggers_are_a_problem() -> None:
    a_log(1)
    triggers.uninstall(connection)
    assert len(verify_log().problems) == len(triggers.wanted(connection))


def test_a_declared_restore_is_not_mistaken_for_a_cut_tail() -> None:
    entries, _row = make_log_with_checkpoint()
    rewrite_log(entries[:6])
    tamper("DELETE FROM clinic_checkpoint")
    assert not verify_log().ok
    note = sign_restore()
    assert note
    declare_restored("system:serve")
    report = verify_log()
    assert report.problems == []
    (declared,) = report.declared
    assert declared.endswith(
        f", of 11 entries, is of a log whose end a restore lost, as a note signed at {note.at} over 6 "
        "entries declares."
    )


def test_a_declared_restore_does_not_hide_earlier_changes() -> None:
    entries, row = make_log_with_checkpoint()
    early = entries[:6]
    early[2].reason = "because"
    rewrite_log(entries)
    lost = {"size": row.size + 9, "root": "00" * 32}
    with transaction.atomic():
        record(Act("audit.restored", "log:checkpoint", "system:serve", details=lost))
    undeclared, problem = verify_log().problems
    assert undeclared.startswith("Undeclared restore: entry 14 says that a backup was restored, and no note ")
    assert problem.endswith("that are not those of today: the log was rewritten.")


def test_a_report_lists_a_limited_number_of_problems() -> None:
    report = Report()
    for number in range(MOST_PROBLEMS + 5):
        report.add(str(number))
    assert (len(report.problems), report.unlisted) == (MOST_PROBLEMS, 5)


def test_entries_are_proved_to_be_in_the_log() -> None:
    entries, row = make_log_with_checkpoint()
    for size in (row.size, None):
        for index in range(row.size):
            proof = inclusion(index, size)
            assert proof["leaf"] == bytes(entries[index].leaf).hex()
            nodes, root = [bytes.fromhex(node) for node in proof["proof"]], bytes.fromhex(proof["root"])
            assert merkle.verify_inclusion(entries[index].leaf, index, proof["size"], nodes, root)
        assert size is None or root == row.root
    with pytest.raises(ValueError, match="has no leaf 11"):
        inclusion(11, 11)


def test_the_log_is_proved_to_have_grown() -> None:
    _entries, row = make_log_with_checkpoint()
    proof = consistency(row.size)
    nodes = [bytes.fromhex(node) for node in proof["proof"]]
    old, new = bytes.fromhex(proof["old_root"]), bytes.fromhex(proof["new_root"])
    assert old == row.root
    assert merkle.verify_consistency(row.size, proof["new_size"], nodes, old, new)


def test_there_is_no_proof_if_an_entry_is_missing() -> None:
    a_log(3)
    tamper('DELETE FROM clinic_entry WHERE "index" = 1')
    with pytest.raises(LookupError, match="lacks entries"):
        inclusion(2)


def test_the_batch_size_does_not_change_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    make_log_with_checkpoint()
    whole, proof = verify_log(), inclusion(3)
    monkeypatch.setattr("clinic.audit.verify.BATCH", 2)
    monkeypatch.setattr("clinic.audit.proofs.BATCH", 3)
    assert (verify_log(), inclusion(3)) == (whole, proof)


def test_the_command_says_what_it_checked(key_directory: Path) -> None:
    make_log_with_checkpoint()
    out = StringIO()
    call_command("verify_audit", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == f"Verifier key: {verifier_key()}"
    assert lines[-1] == "The log is whole: 14 entries, 1 checkpoint."
    tamper('DELETE FROM clinic_entry WHERE "index" >= 12')
    with pytest.raises(CommandError, match="The log is not whole: 1 problem") as caught:
        call_command("verify_audit", witness=key_directory / "witness", stdout=out)
    assert caught.value.returncode == 1
    assert "Entries 12 to 13 are missing at the end: the tail was cut." in out.getvalue()


def test_the_command_can_install_missing_triggers() -> None:
    triggers.uninstall(connection)
    out = StringIO()
    call_command("verify_audit", install_triggers=True, stdout=out)
    assert out.getvalue().startswith("Installed: clinic_checkpoint_no_")
    assert triggers.missing(connection) == []


def test_the_command_accepts_a_verifier_key() -> None:
    a_log(1)
    checkpoint("test")
    out = StringIO()
    call_command("verify_audit", key=verifier_key(), stdout=out)
    assert out.getvalue().splitlines()[0] == f"Verifier key: {verifier_key()}"
    with pytest.raises(CommandError, match="no verifier key"):
        call_command("verify_audit", key="nonsense")
