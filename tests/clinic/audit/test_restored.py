from pathlib import Path

import pytest
from django.db import connection

from clinic.audit.checkpoints import checkpoint
from clinic.audit.models import Checkpoint, Entry, TreeHead
from clinic.audit.restored import declare_restored, newest_outside
from clinic.audit.verify import verify_log
from tests.clinic.audit.factories import a_log, an_act, write
from tests.clinic.audit.plugin import unguarded

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]


def test_a_restored_backup_is_declared_with_what_it_lost(house: Path) -> None:
    assert declare_restored("system:serve") is None
    a_log(3)
    backup = list(Entry.objects.all()), TreeHead.objects.get()
    for number in (3, 4, 5):
        write(an_act(number))
    newest = checkpoint("run-finished")
    assert declare_restored("system:serve") is None
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
    entry = declare_restored("system:serve")
    assert entry is not None
    assert (entry.index, entry.details) == (3, {"size": 6, "root": bytes(newest.root).hex()})
    report = verify_log()
    assert (report.problems, len(report.declared)) == ([], 1)
