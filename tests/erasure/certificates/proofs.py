"""Functions that make certificates and exports of the log, and run the offline verifier on them."""

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
from tests.snapshots import snapshotted

VERIFIER = Path(verify_certificate.__file__)


def make_ended(*, kept: bool = False, name: str = "Joel Barish", memories: int = 2) -> Run:
    """A run that ended by itself. kept: one of its memories was protected before its first pass."""
    case = make_case(make_user(Role.PATIENT, name=name), subject_name="Clementine Kruczynski")
    make_memory(case, "Zanzibar", "2003-01-05", fate="protected")
    run = make_run(memories=memories, case=case)
    if kept:
        protect(run.pk, run.steps.order_by("position").last().memory_id, by=make_user(Role.DOCTOR))  # type: ignore[union-attr]
    advance(run.pk)
    return Run.objects.get(pk=run.pk)


def make_stopped(turns: int = 16) -> Run:
    """A run aborted after `turns` passes.

    By default one memory is gone, the next damaged, the third untouched.
    """
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


ended_run, stopped_run = snapshotted(make_ended), snapshotted(make_stopped)
"""Like `make_ended` and `make_stopped`, but after their first use they restore a database snapshot."""


def download(client: Client, run: Run, kind: str = "json") -> bytes:
    """Download a file of the certificate as a doctor. kind: json, statement, signature or pdf."""
    client.force_login(make_user(Role.DOCTOR))
    answer = client.get(reverse(f"erasure:certificate-{kind}", args=[run.pk]))
    assert answer.status_code == 200
    return answer.content


def export(client: Client, **filters: str) -> bytes:
    """Export the log as an auditor: all of it, or the entries that match `filters`."""
    client.force_login(make_user(Role.AUDITOR))
    answer = client.post(reverse("audit-export"), {"reason": "asked by the board", **filters})
    assert answer.status_code == 200
    return answer.content


def run_verifier(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a copy of the verifier as a stranger does: in another directory, without our code to import."""
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


def with_changed_fields(file: bytes, **fields: Any) -> bytes:
    """A certificate file with changed fields in its statement, in canonical form.

    The signature stays the old one.
    """
    outer = json.loads(file)
    statement = json.loads(outer["statement"]) | fields
    outer["statement"] = verify_certificate.canonical(statement).decode()
    return json.dumps(outer).encode()
