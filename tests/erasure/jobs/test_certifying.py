"""After the end of a run its keys are rolled, it is verified and certified; each of these once."""

from datetime import timedelta

import pytest

from clinic.audit.models import Entry
from erasure.jobs import certifying
from erasure.jobs.certifying import certify
from erasure.jobs.supervisor import certify_finished
from erasure.runs.finishing import finish
from erasure.runs.models import Run
from erasure.runs.run_actions import after
from erasure.verification.process import NotVerified
from tests.erasure.runs.nights import spare_all_steps
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


def count_entries(run: Run, action: str) -> int:
    return Entry.objects.filter(run=run.pk, action=action).count()


def make_finished() -> Run:
    run = make_run(1)
    spare_all_steps(run)
    assert finish(run.pk)
    return Run.objects.get(pk=run.pk)


def test_a_run_is_certified_once_and_only_after_its_end() -> None:
    running, run = make_run(1), make_finished()
    assert not certify(running.pk)
    assert certify(run.pk)
    assert not certify(run.pk)
    assert certify_finished() == 0
    for action in ("keys.rolled", "run.verified", "certificate.issued"):
        assert count_entries(run, action) == 1
    assert count_entries(running, "run.verified") == 0
    row = Run.objects.get(pk=run.pk)
    assert (row.lease_until, row.lease_holder) == (None, "")


def test_one_process_at_a_time_certifies() -> None:
    run, other = make_finished(), make_run(1)
    Run.objects.update(lease_until=after(60), lease_holder="another")
    assert not certify(run.pk)
    assert count_entries(run, "run.verified") == 0
    assert Run.objects.filter(lease_holder="another").count() == 2
    Run.objects.filter(pk=run.pk).update(lease_until=after(-1))
    assert certify(run.pk)
    assert Run.objects.get(pk=other.pk).lease_holder == "another"


def test_certifying_a_run_leaves_the_lease_of_another() -> None:
    run, other = make_finished(), make_run(1)
    assert certify(run.pk)
    row = Run.objects.get(pk=other.pk)
    assert (row.lease_until, row.lease_holder) == (None, "")


def test_a_process_that_lost_its_lease_leaves_the_run_to_its_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_finished()

    def hit(label: str) -> None:
        if label == "rolled":
            Run.objects.update(lease_until=after(60), lease_holder="successor")

    monkeypatch.setattr(certifying, "hit", hit)
    certify(run.pk)
    row = Run.objects.get()
    assert (row.lease_holder, row.lease_until is None) == ("successor", False)


def test_a_run_that_was_verified_is_certified_without_a_second_verification(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first verifier failed, the second succeeded, and then the process died."""
    run = make_finished()

    def fail_to_verify(run_id: object) -> None:
        raise NotVerified("took-too-long")

    def hit(label: str) -> None:
        if label == "verified":
            raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(certifying, "verify_in_subprocess", fail_to_verify)
        assert not certify(run.pk)
    with monkeypatch.context() as patched:
        patched.setattr(certifying, "FIRST_WAIT", timedelta(0))
        patched.setattr(certifying, "hit", hit)
        with pytest.raises(InterruptedError):
            certify(run.pk)
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(hours=1))
    monkeypatch.setattr(certifying, "verify_in_subprocess", fail_to_verify)
    assert certify(run.pk)
    assert (count_entries(run, "run.unverified"), count_entries(run, "run.verified")) == (1, 1)


def test_nothing_is_certified_while_something_of_the_case_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_finished()
    monkeypatch.setattr(certifying, "destroy", lambda rows: None)
    assert not certify(run.pk)
    assert count_entries(run, "keys.rolled") == 0
