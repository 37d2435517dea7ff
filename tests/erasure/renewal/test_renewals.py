"""Which processes a finished run asks to be replaced, waits for, or names in its certificate."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance
from erasure.renewal import renewals
from erasure.renewal.models import Renewal, ServerProcess
from erasure.renewal.processes import (
    add_process,
    alive,
    machine,
    record_ends,
    record_ends_elsewhere,
    record_life,
    start_time_of,
)
from erasure.runs.models import Run
from erasure.runs.run_actions import after
from erasure.verification.machine import processes
from erasure.verification.places import CLEAN, UNCHECKABLE, Subject
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


def make_process(**changes: Any) -> ServerProcess:
    """A row for this process, which its parent can replace. changes: other values of the row."""
    fields = {
        "kind": "web",
        "machine": machine(),
        "pid": os.getpid(),
        "born": start_time_of(os.getpid()),
        "renewable": True,
    }
    return ServerProcess.objects.create(**fields | changes)


def make_finished() -> Run:
    run = make_run(memories=1)
    advance(run.pk)
    return Run.objects.select_related("procedure").get(pk=run.pk)


def test_a_certificate_waits_for_a_replaceable_process_up_to_a_limit() -> None:
    process = make_process()
    run = make_finished()
    assert not hasattr(run, "certificate")
    assert renewals.pids_to_replace() == [process.pid]
    assert certify(run.pk) is False
    Renewal.objects.update(asked_at=after(-31))
    assert certify(run.pk) is True
    place = processes(Subject(run))
    assert (place.result, place.where) == (UNCHECKABLE, f"web-{process.pid}")
    assert renewals.pids_to_replace() == []


def test_a_certificate_does_not_wait_for_a_process_that_has_ended() -> None:
    make_process(born="1")  # the process id belongs to another process now
    run = make_finished()
    assert run.certificate
    place = processes(Subject(run))
    assert place.result == CLEAN


def test_a_process_started_after_the_keys_were_rolled_is_not_replaced() -> None:
    run = make_finished()
    assert run.certificate
    make_process()
    assert renewals.pids_to_replace() == []
    assert processes(Subject(run)).result == CLEAN


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"renewable": False}, f"web-{os.getpid()}"),
        (
            {"machine": "elsewhere", "seen_at": timezone.now() - timedelta(minutes=6)},
            f"web-{os.getpid()}-elsewhere",
        ),
    ],
    ids=["nobody replaces it", "its machine is silent"],
)
def test_a_process_that_cannot_be_replaced_is_named_without_waiting(
    changes: dict[str, Any], name: str
) -> None:
    make_process(**changes)
    run = make_finished()
    assert run.certificate
    place = processes(Subject(run))
    assert (place.result, place.where, place.why) == (UNCHECKABLE, name, "not-renewed")
    assert renewals.pids_to_replace() == []


def test_a_certificate_waits_until_another_machine_reports_its_processs_end() -> None:
    remote = make_process(machine="elsewhere", born="1")
    run = make_finished()
    assert not hasattr(run, "certificate")
    assert renewals.pids_to_replace() == []  # its own supervisor asks its own parent
    ServerProcess.objects.filter(pk=remote.pk).update(ended_at=timezone.now())
    assert certify(run.pk) is True


def test_a_run_without_renewal_rows_says_that_none_was_asked() -> None:
    run = make_finished()
    Renewal.objects.all().delete()
    assert processes(Subject(run)).why == "not-asked"


def test_a_process_is_identified_by_its_id_and_start_time() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    row = make_process(pid=child.pid, born=start_time_of(child.pid))
    assert alive(row)
    record_life()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie has no memory
    assert not alive(row)
    record_ends()
    row.refresh_from_db()
    assert row.ended_at
    child.communicate()


def test_a_process_enters_itself_once() -> None:
    add_process("work")
    add_process("work")
    row = ServerProcess.objects.get()
    assert (row.kind, row.pid, row.renewable, row.machine) == ("work", os.getpid(), False, machine())
    assert alive(row)


def test_processes_of_other_machines_count_as_ended_after_a_day_or_a_restore() -> None:
    old = make_process(machine="gone", seen_at=timezone.now() - timedelta(days=2))
    other, mine = make_process(machine="elsewhere"), make_process()
    record_ends()
    assert set(ServerProcess.objects.filter(ended_at__isnull=True)) == {other, mine}
    record_ends_elsewhere()
    assert set(ServerProcess.objects.filter(ended_at__isnull=True)) == {mine}
    old.refresh_from_db()
    assert old.ended_at
