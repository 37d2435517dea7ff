"""What follows the end of a night, and that each part of it happens once."""

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
from tests.erasure.runs.nights import spared
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)


def recorded(run: Run, action: str) -> int:
    return Entry.objects.filter(run=run.pk, action=action).count()


def make_over() -> Run:
    run = make_run(1)
    spared(run)
    assert finish(run.pk)
    return Run.objects.get(pk=run.pk)


def test_a_night_is_certified_once_and_not_while_it_goes_on() -> None:
    going_on, run = make_run(1), make_over()
    assert not certify(going_on.pk)
    assert certify(run.pk)
    assert not certify(run.pk)
    assert certify_finished() == 0
    for action in ("keys.rolled", "run.verified", "certificate.issued"):
        assert recorded(run, action) == 1
    assert recorded(going_on, "run.verified") == 0
    row = Run.objects.get(pk=run.pk)
    assert (row.lease_until, row.lease_holder) == (None, "")


def test_one_process_at_a_time_certifies() -> None:
    run, other = make_over(), make_run(1)
    Run.objects.update(lease_until=after(60), lease_holder="another")
    assert not certify(run.pk)
    assert recorded(run, "run.verified") == 0
    assert Run.objects.filter(lease_holder="another").count() == 2
    Run.objects.filter(pk=run.pk).update(lease_until=after(-1))
    assert certify(run.pk)
    assert Run.objects.get(pk=other.pk).lease_holder == "another"


def test_who_certifies_one_night_takes_no_other() -> None:
    run, other = make_over(), make_run(1)
    assert certify(run.pk)
    row = Run.objects.get(pk=other.pk)
    assert (row.lease_until, row.lease_holder) == (None, "")


def test_who_was_too_slow_to_certify_leaves_the_night_to_its_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_over()

    def hit(label: str) -> None:
        if label == "rolled":
            Run.objects.update(lease_until=after(60), lease_holder="successor")

    monkeypatch.setattr(certifying, "hit", hit)
    certify(run.pk)
    row = Run.objects.get()
    assert (row.lease_holder, row.lease_until is None) == ("successor", False)


def test_a_night_that_was_verified_is_certified_at_once_and_not_verified_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A verifier failed, the next one did not, and then the process died."""
    run = make_over()

    def fails(run_id: object) -> None:
        raise NotVerified("took-too-long")

    def hit(label: str) -> None:
        if label == "verified":
            raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(certifying, "verify_in_subprocess", fails)
        assert not certify(run.pk)
    with monkeypatch.context() as patched:
        patched.setattr(certifying, "FIRST_WAIT", timedelta(0))
        patched.setattr(certifying, "hit", hit)
        with pytest.raises(InterruptedError):
            certify(run.pk)
    monkeypatch.setattr(certifying, "FIRST_WAIT", timedelta(hours=1))
    monkeypatch.setattr(certifying, "verify_in_subprocess", fails)
    assert certify(run.pk)
    assert (recorded(run, "run.unverified"), recorded(run, "run.verified")) == (1, 1)


def test_nothing_is_certified_while_something_of_the_case_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_over()
    monkeypatch.setattr(certifying, "destroy", lambda rows: None)
    assert not certify(run.pk)
    assert recorded(run, "keys.rolled") == 0
