"""Runs that have ended, and the verifier in this process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from django.db import connection

from erasure.destructions.models import Destruction
from erasure.jobs import certifying
from erasure.jobs.worker import advance
from erasure.runs.models import Run
from erasure.verification.checks import verify
from erasure.verification.places import FOUND, Findings
from tests.factories import make_run


def verify_here(work_id: UUID) -> Findings:
    """The verifier's findings on a run or a destruction, without its process.

    As there, writing to the database is refused.
    """
    with refused_writes():
        run = Run.objects.select_related("procedure").filter(pk=work_id).first()
        work = run or Destruction.objects.get(pk=work_id)
        return replace(verify(work), confined="test", database="test")


@contextmanager
def refused_writes() -> Iterator[None]:
    """Make this connection refuse every change, as the verifier's does."""
    off, on = (
        ("PRAGMA query_only=OFF", "PRAGMA query_only=ON")
        if connection.vendor == "sqlite"
        else ("SET default_transaction_read_only = off", "SET default_transaction_read_only = on")
    )
    with connection.cursor() as cursor:
        cursor.execute(on)
        try:
            yield
        finally:
            cursor.execute(off)


def make_ended(monkeypatch: pytest.MonkeyPatch, memories: int = 1) -> Run:
    """A complete run with its certificate, verified in this process."""
    with monkeypatch.context() as patched:
        patched.setattr(certifying, "verify_in_subprocess", verify_here)
        run = make_run(memories=memories)
        advance(run.pk)
    return Run.objects.select_related("procedure__case", "certificate").get(pk=run.pk)


def found_in(run: Run) -> set[str]:
    """Names of the places where the verifier finds something now."""
    return {place.name for place in verify_here(run.pk).places if place.result == FOUND}
