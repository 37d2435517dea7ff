"""The server on a system without some features of Linux: it starts, works, and warns of the consequences.

These tests do not need macOS: they remove the system calls that macOS does not have.
"""

import os
import signal
from pathlib import Path

import pytest

from erasure.runs.models import Run
from tests.darwin import install_imitation
from tests.erasure.operations.served import serve
from tests.erasure.runs.nights import check_end
from tests.factories import make_run
from tests.processes import ROOT, until_certified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_a_run_is_certified_without_the_features_that_macos_lacks(tmp_path: Path) -> None:
    run = make_run(memories=1, letters=1)
    paths = os.pathsep.join([install_imitation(tmp_path), str(ROOT)])
    with serve("--workers", "1", PYTHONPATH=paths) as served:
        assert served.greeting.startswith("Lacuna is open at ")
        until_certified(run)
        output = served.end(signal.SIGTERM)
        assert served.process.returncode == 0
        assert served.no_child_left()
    check_end(run)
    assert Run.objects.get(pk=run.pk).certificate.statement["verification"]["confined"] == "rlimit"
    assert [line.rpartition(" lacuna.serve ")[2].split(",")[0] for line in output.splitlines()] == [
        "This system has no Landlock (Linux has it from 5.13 on)",
        "This system does not end processes with their parent",
        "This system does not limit the memory of the process that decodes uploads",
        "This system lets other programs of the same user look into the process that decodes uploads",
        "This system cannot drop its own copy of a file",
    ]
