"""`manage.py serve` as a process tree: killed children are started again, and no process outlives it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from erasure.operations.process_tree import listen
from erasure.runs.models import Run, Step
from tests.erasure.operations.served import KINDS, serve, without_volume_warnings
from tests.factories import make_run
from tests.processes import PATIENCE, ROOT, environment, until
from tests.serving import Stream, ask, cookie_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_killed_children_are_started_again_and_ctrl_c_ends_all() -> None:
    with serve("--workers", "1") as served:
        port = served.port
        for kind in KINDS:
            before = served.wait_for_children()[kind]
            os.kill(before, signal.SIGKILL)
            until(lambda kind=kind, old=before: served.children().get(kind, old) != old, f"{kind} is back")
        served.wait_for_children()
        assert ask(port, "/live/2b0c8a4e-0000-4000-8000-000000000000/").status == 401
        output = served.end(signal.SIGINT)
        assert served.process.returncode == 0
        assert served.no_child_left()
        assert [line.rpartition(" lacuna.serve ")[2] for line in output.splitlines()] == [
            f"{name} ended with -9 and is started again" for name in ("web", "worker1", "supervisor")
        ]
        assert len(served.seen) == 6


def test_children_end_when_their_parent_is_killed() -> None:
    with serve("--workers", "1") as served:
        served.wait_for_children()
        served.end(signal.SIGKILL)
        until(served.no_child_left, "the children ended with their parent")


def test_open_streams_do_not_delay_the_end() -> None:
    run = make_run()
    with serve("--workers", "0", LACUNA_SECRET_KEY=settings.SECRET_KEY) as served:
        patient = run.procedure.case.patient
        with Stream(served.port, run.pk, cookie_of(patient), "?after=0") as stream:
            assert [event.data["kind"] for event in stream.take(1)] == ["started"]
            output = served.end(signal.SIGTERM)
            assert list(stream.events()) == []
        assert output == ""
        assert served.process.returncode == 0


def test_serve_works_without_a_web_server() -> None:
    with serve("--workers", "1", "--no-web") as served:
        assert served.greeting == "Lacuna works on runs here (Ctrl-C ends it)\n"
        until(lambda: set(served.children()) == {"work", "supervise"}, "both run")
        assert served.end(signal.SIGTERM) == ""
        assert served.no_child_left()


def test_the_run_of_a_dead_worker_is_released_at_once() -> None:
    """The lease lasts an hour, so the next worker can claim the run only if the parent released it."""
    run = make_run(memories=1)
    env = {"LACUNA_LEASE_SECONDS": "3600", "LACUNA_POINT": "after-commit:6"}
    with serve("--workers", "1", "--no-web", **env) as served:
        until(lambda: Run.objects.get(pk=run.pk).state == Run.State.FINISHED, "the run ends")
        served.end(signal.SIGTERM)
    assert list(Step.objects.filter(run=run).values_list("state", flat=True)) == [Step.State.DESTROYED]
    assert Run.objects.get(pk=run.pk).epoch >= 4  # claimed three times, freed twice


def refusal(*options: str, **env: str) -> str:
    """The error output of a `manage.py serve` that refuses to start."""
    result = subprocess.run(  # noqa: S603
        [sys.executable, str(ROOT / "manage.py"), "serve", *options],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert result.returncode == 1
    return without_volume_warnings(result.stderr)


def test_serve_refuses_a_database_of_another_version(tmp_path: Path) -> None:
    output = refusal("--port", "0", LACUNA_DATABASE=f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    assert output.startswith("CommandError: The database is not that of this version: it lacks ")
    assert output.endswith(" more. Run: manage.py migrate\n")


def test_serve_refuses_a_port_that_is_in_use() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        output = refusal("--port", str(port))
    assert (
        output
        == f"CommandError: The server cannot listen at 127.0.0.1 port {port}: Address already in use.\n"
    )
