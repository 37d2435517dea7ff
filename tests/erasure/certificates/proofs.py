"""Certificates and logs to check, and the program that a stranger would check them with."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role
from erasure.certificates import verify_certificate
from erasure.jobs.supervisor import certify_finished, end_stopped
from erasure.jobs.worker import advance, take_turn
from erasure.runs.control import abort, pause, protect
from erasure.runs.lease import claim, release
from erasure.runs.models import Run
from erasure.session.forms import AbortReason
from tests.factories import make_case, make_memory, make_run, make_user
from tests.snapshots import begin_with

VERIFIER = Path(verify_certificate.__file__)


def make_ended(*, kept: bool = False, name: str = "Joel Barish", memories: int = 2) -> Run:
    """A night that ended by itself; `kept`: with one memory protected before its first pass."""
    case = make_case(make_user(Role.PATIENT, name=name), subject_name="Clementine Kruczynski")
    make_memory(case, "Zanzibar", "2003-01-05", fate="protected")
    run = make_run(memories=memories, case=case)
    if kept:
        protect(run.pk, run.steps.order_by("position").last().memory_id, by=make_user(Role.DOCTOR))  # type: ignore[union-attr]
    advance(run.pk)
    return Run.objects.get(pk=run.pk)


def make_stopped(turns: int = 16) -> Run:
    """A night aborted after `turns` passes: one memory is gone, the next damaged, the third whole."""
    case = make_case(make_user(Role.PATIENT, name="Joel Barish"), subject_name="Clementine Kruczynski")
    run = make_run(memories=3, case=case)
    fence = claim(run.pk, "test")
    assert fence is not None
    for _turn in range(turns):
        take_turn(fence)
    doctor = make_user(Role.DOCTOR)
    pause(run.pk, by=doctor, why=Run.Why.ABORT)
    abort(run.pk, by=doctor, reason=AbortReason.values[0])
    release(fence)
    end_stopped()
    certify_finished()
    return Run.objects.get(pk=run.pk)


ended, stopped = begin_with(make_ended), begin_with(make_stopped)
"""The same, copied from the first test of this process that began with it."""


def take(client: Client, run: Run, form: str = "json") -> bytes:
    """Take a file of the certificate away, as a doctor does."""
    client.force_login(make_user(Role.DOCTOR))
    answer = client.get(reverse(f"erasure:certificate-{form}", args=[run.pk]))
    assert answer.status_code == 200
    return answer.content


def export(client: Client, **asked: str) -> bytes:
    """Export the log, as an auditor does."""
    client.force_login(make_user(Role.AUDITOR))
    answer = client.post(reverse("audit-export"), {"reason": "asked by the board", **asked})
    assert answer.status_code == 200
    return answer.content


def run_alone(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a copy of the verifier as a stranger does: in a folder of its own, nothing of ours to import."""
    copy = folder / VERIFIER.name
    copy.write_bytes(VERIFIER.read_bytes())
    return subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-I", copy.name, *arguments],
        cwd=folder,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )


def changed(file: bytes, **fields: Any) -> bytes:
    """A certificate file whose statement says something else, written as a statement is; unsigned."""
    outer = json.loads(file)
    says = json.loads(outer["statement"]) | fields
    outer["statement"] = verify_certificate.canonical(says).decode()
    return json.dumps(outer).encode()
