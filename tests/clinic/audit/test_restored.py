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


def test_a_restored_backup_is_declared_with_what_it_lost(house: Path) -> None:
    assert declare_restored("system:serve") == []
    a_log(3)
    backup = list(Entry.objects.all()), TreeHead.objects.get()
    for number in (3, 4, 5):
        write(an_act(number))
    newest = checkpoint("run-finished")
    assert declare_restored("system:serve") == []
    (house / "witness" / "000000000099-forged.note").write_text(newest.note.replace("\n6\n", "\n99\n"))
    outside = newest_outside()
    assert outside is not None
    assert outside.size == 6
    (house / "witness" / "000000000099-forged.note").unlink()
    with unguarded(connection):
        Entry.objects.all().delete()
        Checkpoint.objects.all().delete()
        Entry.objects.bulk_create(backup[0])
        backup[1].save()
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
    assert declare_restored("system:serve") == [], "it is said once"


def kept() -> tuple[list[Entry], TreeHead]:
    """The log as a backup holds it."""
    return list(Entry.objects.all()), TreeHead.objects.get()


def put_back(backup: tuple[list[Entry], TreeHead]) -> None:
    """The log as a restore leaves it; what was signed and left the house has left it."""
    with unguarded(connection):
        Entry.objects.all().delete()
        Checkpoint.objects.all().delete()
        Entry.objects.bulk_create(backup[0])
        backup[1].save()


def restored() -> list[Entry]:
    """What the restore command and the next start do."""
    sign_restore()
    return declare_restored("system:serve")


def test_an_end_that_a_later_restore_gave_up_is_declared_by_its_checkpoints(house: Path) -> None:
    """The wrong backup first, on which the house went on for a while; then the right one, which is newer."""

    a_log(3)
    old = kept()
    write(*[an_act(number) for number in range(3, 12)])
    right = kept()
    write(an_act(12))
    checkpoint("daily")  # over 13
    put_back(old)
    restored()
    write(an_act(20), an_act(21))
    checkpoint("daily")  # over 6, of an end that nothing else of the house knows
    write(*[an_act(number) for number in range(30, 37)])
    checkpoint("daily")  # over 13 too, and another 13
    put_back(right)
    report = verify_log()  # the first restore's note goes on explaining what it gave up
    assert (len(report.problems), len(report.declared)) == (2, 1)
    said = restored()
    assert [(entry.index, entry.details["size"]) for entry in said] == [(12, 13), (13, 13)]
    assert sorted(int(entry.details["heads"]) for entry in said) == [1, 2]
    report = verify_log()
    assert (report.problems, len(report.declared)) == ([], 3)
    write(an_act(40))
    assert verify_log().problems == []


def test_a_backup_that_declares_one_loss_does_not_hide_the_next(house: Path) -> None:
    a_log(3)
    old = kept()
    write(an_act(3), an_act(4))
    checkpoint("daily")  # over 5
    put_back(old)
    restored()
    later = kept()  # names the checkpoint over 5
    write(an_act(6))
    checkpoint("daily")  # over 5 again, and another 5
    put_back(later)
    (problem,) = verify_log().problems
    assert "was signed over 5 entries" in problem
    (entry,) = restored()
    assert entry.details["size"] == 5
    assert verify_log().problems == []
    assert restored() == [], "it is said once"
