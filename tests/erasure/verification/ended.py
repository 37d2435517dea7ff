"""A run that has ended, for tests of what is found after it."""

from dataclasses import replace
from uuid import UUID

import pytest

from erasure.runs import finishing
from erasure.runs.models import Run
from erasure.runs.worker import advance
from erasure.verification.checks import verify_run
from erasure.verification.places import FOUND, Findings
from tests.factories import make_run


def verify_here(run_id: UUID) -> Findings:
    """What the verifier's process would say, without the process."""
    run = Run.objects.select_related("procedure").get(pk=run_id)
    return replace(verify_run(run), confined="test", database="test")


def make_ended(monkeypatch: pytest.MonkeyPatch, memories: int = 1) -> Run:
    """A complete run with its certificate, verified in this process."""
    with monkeypatch.context() as patched:
        patched.setattr(finishing, "verify_apart", verify_here)
        run = make_run(memories=memories)
        advance(run.pk)
    return Run.objects.select_related("procedure__case", "certificate").get(pk=run.pk)


def found_in(run: Run) -> set[str]:
    """Names of the places where something is found now."""
    return {place.name for place in verify_here(run.pk).places if place.result == FOUND}
