"""The house as one process tree: whatever is killed comes back, and nothing stays when it closes."""

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
from tests.house import PATIENCE, ROOT, environment, until
from tests.serving import Stream, ask, cookie_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


def test_whoever_is_killed_comes_back_and_ctrl_c_leaves_nobody() -> None:
    with serve("--workers", "1") as served:
        port = served.port
        for kind in KINDS:
            before = served.until_whole()[kind]
            os.kill(before, signal.SIGKILL)
            until(lambda kind=kind, old=before: served.children().get(kind, old) != old, f"{kind} is back")
        served.until_whole()
        assert ask(port, "/live/2b0c8a4e-0000-4000-8000-000000000000/").status == 401
        said = served.end(signal.SIGINT)
        assert served.process.returncode == 0
        assert served.nobody_left()
        assert [line.rpartition(" lacuna.serve ")[2] for line in said.splitlines()] == [
            f"{name} ended with -9 and is started again" for name in ("web", "worker1", "supervisor")
        ]
        assert len(served.seen) == 6


def test_a_killed_parent_leaves_nobody() -> None:
    with serve("--workers", "1") as served:
        served.until_whole()
        served.end(signal.SIGKILL)
        until(served.nobody_left, "the children ended with their parent")


def test_open_streams_do_not_hold_up_the_end() -> None:
    run = make_run()
    with serve("--workers", "0", LACUNA_SECRET_KEY=settings.SECRET_KEY) as served:
        patient = run.procedure.case.patient
        with Stream(served.port, run.pk, cookie_of(patient), "?after=0") as stream:
            assert [told.data["kind"] for told in stream.take(1)] == ["started"]
            said = served.end(signal.SIGTERM)
            assert list(stream.events()) == []
        assert said == ""
        assert served.process.returncode == 0


def test_a_further_machine_works_without_a_web_server() -> None:
    with serve("--workers", "1", "--no-web") as served:
        assert served.greeting == "Lacuna works on runs here (Ctrl-C ends it)\n"
        until(lambda: set(served.children()) == {"work", "supervise"}, "both run")
        assert served.end(signal.SIGTERM) == ""
        assert served.nobody_left()


def test_a_dead_workers_run_is_free_at_once() -> None:
    """The lease is an hour long: only a parent that frees it lets the next worker go on."""
    run = make_run(memories=1)
    env = {"LACUNA_LEASE_SECONDS": "3600", "LACUNA_POINT": "after-commit:6"}
    with serve("--workers", "1", "--no-web", **env) as served:
        until(lambda: Run.objects.get(pk=run.pk).state == Run.State.FINISHED, "the run ends")
        served.end(signal.SIGTERM)
    assert list(Step.objects.filter(run=run).values_list("state", flat=True)) == [Step.State.DESTROYED]
    assert Run.objects.get(pk=run.pk).epoch >= 4  # claimed three times, freed twice


def refusal(*options: str, **env: str) -> str:
    """What `manage.py serve` says when it does not open."""
    ended = subprocess.run(  # noqa: S603
        [sys.executable, str(ROOT / "manage.py"), "serve", *options],
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 1
    return without_volume_warnings(ended.stderr)


def test_it_does_not_open_on_tables_of_another_version(tmp_path: Path) -> None:
    said = refusal("--port", "0", LACUNA_DATABASE=f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    assert said.startswith("CommandError: The database is not that of this version: it lacks ")
    assert said.endswith(" more. Run: manage.py migrate\n")


def test_it_does_not_open_where_somebody_listens() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        said = refusal("--port", str(port))
    assert (
        said == f"CommandError: The server cannot listen at 127.0.0.1 port {port}: Address already in use.\n"
    )
