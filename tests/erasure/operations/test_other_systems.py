"""The house where the system lacks what Linux has: it opens, works and says what follows.

No macOS is at hand: the processes here are of this system, without the calls that macOS does not have.
"""

import os
import signal
from pathlib import Path

import pytest

from erasure.runs.models import Run
from tests.darwin import disguised
from tests.erasure.operations.served import serve
from tests.erasure.runs.nights import check_end
from tests.factories import make_run
from tests.house import ROOT, until_certified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_a_night_ends_in_a_certificate_without_what_macos_lacks(tmp_path: Path) -> None:
    run = make_run(memories=1, letters=1)
    paths = os.pathsep.join([disguised(tmp_path), str(ROOT)])
    with serve("--workers", "1", PYTHONPATH=paths) as served:
        assert served.greeting.startswith("Lacuna is open at ")
        until_certified(run)
        said = served.end(signal.SIGTERM)
        assert served.process.returncode == 0
        assert served.nobody_left()
    check_end(run)
    assert Run.objects.get(pk=run.pk).certificate.statement["verification"]["confined"] == "rlimit"
    assert [line.rpartition(" lacuna.serve ")[2].split(",")[0] for line in said.splitlines()] == [
        "This system has no Landlock (Linux has it from 5.13 on)",
        "This system does not end processes with their parent",
        "This system does not limit the memory of the process that decodes uploads",
        "This system lets other programs of the same user look into the process that decodes uploads",
        "This system cannot drop its own copy of a file",
    ]
