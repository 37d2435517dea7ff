"""A policy that changes never changes what was signed, booked or begun under the old one."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from clinic.configuration.models import SettingChange, SettingsVersion
from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance
from erasure.procedures.booking import CannotBook, book_procedure
from erasure.procedures.models import Procedure
from erasure.runs import calls, presence
from erasure.runs.models import DoctorCall, PresenceCheck, Run
from erasure.runs.passes import PASS_COUNT
from erasure.runs.planning import CannotStart, start_run
from erasure.runs.run_actions import after, lock
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.consent.signing import may_start_from
from patients.memories.models import Memory, MemoryLink
from tests.configuration import configure
from tests.erasure.runs.nights import leave_unattended
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_procedure,
    make_room,
    make_run,
    make_signed,
    make_technician,
    shift_hours,
)
from tests.schema import Schema

pytestmark = pytest.mark.django_db(transaction=True)


def make_bookable() -> Case:
    case = make_case()
    make_keepsake(make_memory(case))
    return case


def book(case: Case, *, hours: float) -> Procedure:
    """Book a night. hours: from now until its beginning."""
    begins = timezone.now() + timedelta(hours=hours)
    return book_procedure(
        case,
        place=Procedure.Place.CLINIC,
        resources=[
            make_doctor().resources.get(),
            make_technician().resources.get(),
            make_room(),
        ],
        starts_at=begins,
        ends_at=begins + timedelta(hours=8),
        by=make_doctor(),
    )


def test_a_signature_keeps_the_longer_time_to_think_it_over() -> None:
    configure(cooling_off_hours=72)
    case = make_bookable()
    _mapped, signature = make_signed(case)
    configure(cooling_off_hours=0)
    assert may_start_from(signature) == signature.signed_at + timedelta(hours=72)
    with pytest.raises(CannotBook, match="time the patient has to think it over"):
        book(case, hours=71)
    procedure = book(case, hours=73)
    with pytest.raises(CannotStart, match="within the time to think it over"):
        start_run(procedure.pk, by=None)
    Signature.objects.update(signed_at=F("signed_at") - timedelta(hours=72))
    shift_hours(procedure, timedelta(hours=-73))
    assert start_run(procedure.pk, by=None).expected_steps == 1


def test_a_signature_keeps_the_shorter_time_to_think_it_over() -> None:
    configure(cooling_off_hours=0)
    case = make_bookable()
    procedure = make_procedure(case)
    configure(cooling_off_hours=72)
    assert start_run(procedure.pk, by=None).expected_steps == 1
    assert make_signed(make_bookable())[1].cooling_off_hours == 72


def test_a_booked_night_keeps_its_pace() -> None:
    configure(pace_seconds=60)
    procedure = make_procedure(make_bookable(), pace=None)
    configure(pace_seconds=600)
    run = start_run(procedure.pk, by=None)
    assert run.procedure.pace_seconds == 60
    advance(run.pk)
    due_in = Run.objects.get().next_due_at - timezone.now()
    assert due_in <= timedelta(seconds=60 / PASS_COUNT)
    assert make_procedure(make_bookable(), pace=None).pace_seconds == 600


@pytest.mark.parametrize(("begun_with", "later", "asked"), [(5, 0, 1), (0, 5, 0), (5, 240, 1), (60, 5, 0)])
def test_a_run_keeps_its_interval_of_presence_checks(begun_with: float, later: float, asked: int) -> None:
    configure(presence_minutes=begun_with)
    run = make_run(1)
    configure(presence_minutes=later)
    leave_unattended(run, minutes=10)
    assert presence.ask_due() == asked


def test_a_run_keeps_the_time_to_answer_a_presence_check() -> None:
    configure(presence_grace_seconds=30)
    run = make_run(1)
    configure(presence_grace_seconds=900)
    leave_unattended(run)
    assert presence.ask_due() == 1
    check = PresenceCheck.objects.get()
    assert round((check.due_at - check.asked_at).total_seconds()) == 30


def test_a_run_keeps_what_counts_as_a_strong_memory() -> None:
    configure(presence_strength=5)
    run = make_run(2, pace=600)
    configure(presence_strength=10_000)
    first, second = (step.memory for step in run.steps.all())
    Memory.objects.filter(pk=first.pk).update(intensity=10)
    a, b = sorted((first, second), key=lambda memory: memory.pk)
    MemoryLink.objects.create(a=a, b=b)
    advance(run.pk)
    assert presence.ask_due() == 1
    assert PresenceCheck.objects.get().step == run.steps.first()


def test_a_run_keeps_the_intervals_of_its_calls() -> None:
    configure(call_again_seconds=20, call_escalate_seconds=40)
    run = make_run(1)
    configure(call_again_seconds=600, call_escalate_seconds=1200)
    with transaction.atomic():
        calls.open_call(lock(run.pk), by=None, why=DoctorCall.Why.ASKED)
    call = DoctorCall.objects.get()
    assert round((call.remind_at - call.called_at).total_seconds()) == 20
    assert round((call.escalate_at - call.called_at).total_seconds()) == 40
    DoctorCall.objects.update(remind_at=after(-1))
    assert calls.remind_due() == 1
    # The second reminder comes after twice the time.
    assert DoctorCall.objects.filter(remind_at__gt=after(20), remind_at__lte=after(40)).exists()


def test_the_certificate_says_the_policies_that_applied() -> None:
    configure(presence_minutes=15)
    run = make_run(1)
    Signature.objects.filter(procedures=run.procedure_id).update(cooling_off_hours=48)
    configure(presence_minutes=60, cooling_off_hours=1)
    advance(run.pk)
    certify(run.pk)
    assert Run.objects.get().certificate.statement["policies"] == {
        "demonstration": False,
        "cooling-off-hours": 48,
        "presence-check-minutes": 15,
        "milliseconds-per-memory": 0,
    }


def test_the_upgrade_keeps_the_values_of_environment_variables(
    monkeypatch: pytest.MonkeyPatch, schema: Schema
) -> None:
    run, other = make_run(1), make_run(1)
    Procedure.objects.filter(pk=other.procedure_id).update(presence_minutes=7)
    environment = {
        "LACUNA_COOLING_OFF_HOURS": "48",
        "LACUNA_PRESENCE_MINUTES": "2.5",
        "LACUNA_PRESENCE_GRACE_SECONDS": "soon",
        "LACUNA_CALL_AGAIN_SECONDS": "60",
        "LACUNA_CLINIC_PHONE": "212-555-0142",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    schema.undo_after(("clinic", "0008_set_up"), ("patients", "0009_drafts"))
    schema.redo()
    run, other = Run.objects.get(pk=run.pk), Run.objects.get(pk=other.pk)
    assert (run.presence_minutes, other.presence_minutes) == (2.5, 7)
    assert (run.presence_grace_seconds, run.presence_strength) == (90, 30)
    assert (run.call_again_seconds, run.call_escalate_seconds) == (60, 180)
    hours = Signature.objects.values_list("text__kind", "cooling_off_hours").distinct()
    assert set(hours) == {("procedure", 48), ("storage", 0)}
    rows = SettingChange.objects.in_force().values_list("key", "before", "value")
    assert set(rows) == {
        ("cooling-off-hours", 72, 48),
        ("presence-minutes", 20, 2.5),
        ("clinic-telephone", "", "212-555-0142"),
    }
    assert SettingsVersion.objects.get().number == 1
