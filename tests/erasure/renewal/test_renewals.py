"""Whom a finished run wants replaced, whom its certificate waits for, and whom it names."""

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
from erasure.renewal.processes import alive, born, enter, forget_elsewhere, machine, note_ends, note_life
from erasure.runs.models import Run
from erasure.runs.run_actions import after
from erasure.verification.machine import processes
from erasure.verification.places import CLEAN, UNCHECKABLE, Subject
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


def entered(**changes: Any) -> ServerProcess:
    """This process, or with other numbers another, as one that its parent could replace."""
    fields = {
        "kind": "web",
        "machine": machine(),
        "pid": os.getpid(),
        "born": born(os.getpid()),
        "renewable": True,
    }
    return ServerProcess.objects.create(**fields | changes)


def finished() -> Run:
    run = make_run(memories=1)
    advance(run.pk)
    return Run.objects.select_related("procedure").get(pk=run.pk)


def test_a_certificate_waits_for_a_process_that_can_be_replaced_and_no_longer_than_its_time() -> None:
    process = entered()
    run = finished()
    assert not hasattr(run, "certificate")
    assert renewals.to_renew() == [process.pid]
    assert certify(run.pk) is False
    Renewal.objects.update(asked_at=after(-31))
    assert certify(run.pk) is True
    place = processes(Subject(run))
    assert (place.result, place.where) == (UNCHECKABLE, f"web-{process.pid}")
    assert renewals.to_renew() == []


def test_it_waits_no_more_once_the_process_has_ended() -> None:
    entered(born="1")  # the number belongs to another process now
    run = finished()
    assert run.certificate
    place = processes(Subject(run))
    assert place.result == CLEAN


def test_who_begins_after_the_keys_are_gone_is_not_replaced() -> None:
    run = finished()
    assert run.certificate
    entered()
    assert renewals.to_renew() == []
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
def test_who_cannot_be_replaced_is_named_and_not_waited_for(changes: dict[str, Any], name: str) -> None:
    entered(**changes)
    run = finished()
    assert run.certificate
    place = processes(Subject(run))
    assert (place.result, place.where, place.why) == (UNCHECKABLE, name, "not-renewed")
    assert renewals.to_renew() == []


def test_another_machine_is_waited_for_and_says_itself_when_its_process_has_ended() -> None:
    there = entered(machine="elsewhere", born="1")
    run = finished()
    assert not hasattr(run, "certificate")
    assert renewals.to_renew() == []  # its own supervisor asks its own parent
    ServerProcess.objects.filter(pk=there.pk).update(ended_at=timezone.now())
    assert certify(run.pk) is True


def test_a_run_from_before_says_that_nobody_was_asked() -> None:
    run = finished()
    Renewal.objects.all().delete()
    assert processes(Subject(run)).why == "not-asked"


def test_a_process_is_known_by_its_number_and_its_birth() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    row = entered(pid=child.pid, born=born(child.pid))
    assert alive(row)
    note_life()
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie has no memory
    assert not alive(row)
    note_ends()
    row.refresh_from_db()
    assert row.ended_at
    child.communicate()


def test_it_enters_itself_once() -> None:
    enter("work")
    enter("work")
    row = ServerProcess.objects.get()
    assert (row.kind, row.pid, row.renewable, row.machine) == ("work", os.getpid(), False, machine())
    assert alive(row)


def test_a_machine_that_nobody_has_seen_for_a_day_is_forgotten_and_a_restored_one_at_once() -> None:
    old = entered(machine="gone", seen_at=timezone.now() - timedelta(days=2))
    other, mine = entered(machine="elsewhere"), entered()
    note_ends()
    assert set(ServerProcess.objects.filter(ended_at__isnull=True)) == {other, mine}
    forget_elsewhere()
    assert set(ServerProcess.objects.filter(ended_at__isnull=True)) == {mine}
    old.refresh_from_db()
    assert old.ended_at
