"""The demonstration decides on a held copy if nobody has for ninety seconds. Elsewhere only people do."""

from datetime import timedelta

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.models import Entry
from erasure.demo.doctor import WAITS, decide_waiting
from erasure.jobs.worker import advance
from erasure.runs import control, handover
from erasure.runs.event_texts import line
from erasure.runs.models import DoctorCall, Event, Hold, Run
from patients.consent.models import Signature
from patients.keepsakes.looks import ACTION as LOOKED
from tests.browser.watching import make_run_with_copy
from tests.erasure.runs.nights import doctor_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held_run(demonstration: None) -> Run:
    """A night whose copy was found just now."""
    run = make_run_with_copy()
    advance(run.pk)
    assert Hold.objects.get().state == Hold.State.OPEN
    return run


def make_hold_older(seconds: float) -> None:
    """Make it `seconds` since the copy was found."""
    Hold.objects.update(found_at=timezone.now() - timedelta(seconds=seconds))


def test_nobody_decides_before_the_ninety_seconds_are_over(held_run: Run) -> None:
    make_hold_older(WAITS - 30)
    assert decide_waiting() == 0
    assert Hold.objects.get().state == Hold.State.OPEN


def test_after_ninety_seconds_the_demonstration_decides_as_the_nights_doctor_and_records_that_it_did(
    held_run: Run,
) -> None:
    make_hold_older(WAITS + 1)
    last_index = Entry.objects.order_by("-index").values_list("index", flat=True)[0]
    assert decide_waiting() == 1
    item, doctor = Hold.objects.get(), doctor_of(held_run)
    assert (item.state, item.decided_by, item.reason) == (Hold.State.EXTENDED, doctor, "clause")
    written = Entry.objects.filter(index__gt=last_index, case=held_run.procedure.case_id).order_by("index")
    recorded = {(entry.action, entry.actor) for entry in written}
    by = f"user:{doctor.pk}"
    assert {
        (LOOKED, by), ("resistance.extended", by), ("demo.decided", "system:demo"),
    } <= recorded  # fmt: skip
    assert [entry.reason for entry in written if entry.action == LOOKED] == ["compare", "compare"]
    decided = Entry.objects.get(action="demo.decided")
    assert (decided.subject, decided.details) == (
        f"hold:{item.pk}",
        {"doctor": str(doctor.pk), "seconds": 90},
    )
    kinds = list(Event.objects.filter(run=held_run).order_by("seq").values_list("kind", flat=True))
    assert kinds.index("demo-decided") + 1 == kinds.index("decided")
    sentence = line(Event.objects.get(kind="demo-decided"), {})
    assert sentence == "Nobody decided for ninety seconds: the demonstration's doctor does."
    assert not DoctorCall.objects.filter(run=held_run, acknowledged_at__isnull=True).exists()
    assert decide_waiting() == 0
    assert not held_run.steps.filter(state="held").exists()


def test_without_the_patients_consent_to_extend_the_copy_stays(held_run: Run) -> None:
    Signature.objects.update(may_extend=False)
    make_hold_older(WAITS + 1)
    assert decide_waiting() == 1
    assert (Hold.objects.get().state, Hold.objects.get().reason) == (Hold.State.SPARED, "childhood")


def test_a_night_that_is_paused_or_taken_over_is_left_to_its_people(held_run: Run) -> None:
    make_hold_older(WAITS + 1)
    control.pause(held_run.pk, by=doctor_of(held_run))
    assert decide_waiting() == 0
    control.resume(held_run.pk, by=doctor_of(held_run))
    handover.take_over(held_run.pk, by=doctor_of(held_run))
    assert decide_waiting() == 0
    assert Hold.objects.get().state == Hold.State.OPEN
    handover.hand_back(held_run.pk, by=doctor_of(held_run))
    assert decide_waiting() == 1


def test_a_night_whose_doctor_has_no_account_any_more_waits(held_run: Run) -> None:
    make_hold_older(WAITS + 1)
    User.objects.filter(pk=doctor_of(held_run).pk).update(is_active=False)
    assert decide_waiting() == 0
    assert not Entry.objects.filter(action="demo.decided").exists()


def test_in_another_installation_nothing_is_decided(held_run: Run, settings: django_settings) -> None:
    make_hold_older(WAITS + 1)
    settings.LACUNA_DEMO = False
    assert decide_waiting() == 0
    assert Hold.objects.get().state == Hold.State.OPEN


def test_on_a_foreign_database_nothing_is_decided(held_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_hold_older(WAITS + 1)
    monkeypatch.setattr("erasure.demo.ownership._log_begins_with_demo", lambda: False)
    assert decide_waiting() == 0
    assert Hold.objects.get().state == Hold.State.OPEN
