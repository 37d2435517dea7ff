from pathlib import Path

import pytest
from django.db import connection

from clinic.audit.checkpoints import checkpoint
from clinic.audit.models import Checkpoint, Entry, TreeHead
from clinic.audit.restored import declare_restored, newest_outside, sign_restore
from clinic.audit.verify import verify_log
from tests.clinic.audit.factories import a_log, an_act, write
from tests.clinic.audit.plugin import unguarded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]


def test_a_restored_backup_is_declared_with_what_it_lost(key_directory: Path) -> None:
    assert declare_restored("system:serve") == []
    a_log(3)
    backup = make_backup()
    for number in (3, 4, 5):
        write(an_act(number))
    newest = checkpoint("run-finished")
    assert declare_restored("system:serve") == []
    forged = key_directory / "witness" / "000000000099-forged.note"
    forged.write_text(newest.note.replace("\n6\n", "\n99\n"))
    outside = newest_outside()  # not the forged one
    assert outside is not None
    assert outside.size == 6
    forged.unlink()
    restore(backup)
    (problem,) = verify_log().problems
    assert problem.endswith("was signed over 6 entries, but the log has only 3: the tail was cut.")
    note = sign_restore()
    assert note
    assert (note.head, note.lost) == ((3, note.root), ((6, bytes(newest.root)),))
    (entry,) = declare_restored("system:serve")
    root = bytes(newest.root).hex()
    assert (entry.index, entry.details) == (3, {"size": 6, "root": root, "signed": True, "heads": 1})
    report = verify_log()
    assert (report.problems, len(report.declared)) == ([], 1)
    assert declare_restored("system:serve") == [], "it is declared once"


def make_backup() -> tuple[list[Entry], TreeHead]:
    """The log as a backup contains it."""
    return list(Entry.objects.all()), TreeHead.objects.get()


def restore(backup: tuple[list[Entry], TreeHead]) -> None:
    """Restore the log from a backup. The notes in the witness directory stay, as in a real restore."""
    with unguarded(connection):
        Entry.objects.all().delete()
        Checkpoint.objects.all().delete()
        Entry.objects.bulk_create(backup[0])
        backup[1].save()


def declare() -> list[Entry]:
    """Do what the restore command and the next start do."""
    sign_restore()
    return declare_restored("system:serve")


def test_entries_lost_by_a_second_restore_are_declared_by_their_checkpoints(key_directory: Path) -> None:
    """First a wrong backup is restored and the log grows; then the right, newer one is restored."""
    a_log(3)
    old = make_backup()
    write(*[an_act(number) for number in range(3, 12)])
    newer = make_backup()
    write(an_act(12))
    checkpoint("daily")  # over 13 entries
    restore(old)
    declare()
    write(an_act(20), an_act(21))
    checkpoint("daily")  # over 6 entries, which the second restore loses
    write(*[an_act(number) for number in range(30, 37)])
    checkpoint("daily")  # also over 13 entries, but not the same ones
    restore(newer)
    report = verify_log()  # the first restore's note still explains what that restore lost
    assert (len(report.problems), len(report.declared)) == (2, 1)
    declared = declare()
    assert [(entry.index, entry.details["size"]) for entry in declared] == [(12, 13), (13, 13)]
    assert sorted(int(entry.details["heads"]) for entry in declared) == [1, 2]
    report = verify_log()
    assert (report.problems, len(report.declared)) == ([], 3)
    write(an_act(40))
    assert verify_log().problems == []


def test_a_backup_that_declares_one_loss_does_not_hide_the_next(key_directory: Path) -> None:
    a_log(3)
    old = make_backup()
    write(an_act(3), an_act(4))
    checkpoint("daily")  # over 5 entries
    restore(old)
    declare()
    later = make_backup()  # its last entry declares that the checkpoint over 5 entries is lost
    write(an_act(6))
    checkpoint("daily")  # also over 5 entries, but not the same ones
    restore(later)
    (problem,) = verify_log().problems
    assert "was signed over 5 entries" in problem
    (entry,) = declare()
    assert entry.details["size"] == 5
    assert verify_log().problems == []
    assert declare() == [], "it is declared once"
