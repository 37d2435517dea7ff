"""A doctor call is repeated and escalated until somebody answers, even if a supervisor is killed."""

import re
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client

from clinic.accounts.models import Role, User
from erasure.jobs.supervisor import end_stopped
from erasure.jobs.worker import advance
from erasure.runs import calls, control
from erasure.runs.call_alerts import WHY
from erasure.runs.models import CallNotice, DoctorCall, Run
from erasure.runs.run_actions import after, lock
from tests.configuration import configure
from tests.erasure.runs.nights import actors_of, doctor_of, event_kinds, make_call_due, technician_of
from tests.factories import make_doctor, make_run, make_user
from tests.mailers import MEMORY
from tests.outgoing import deliver, queued
from tests.processes import started_processes, until

pytestmark = pytest.mark.django_db(transaction=True)


def notices_of(run: Run) -> list[tuple[str, str]]:
    """The notices of a run's calls as (address, kind), in their order."""
    rows = CallNotice.objects.filter(call__run=run).order_by("at", "pk")
    return [(row.user.email, row.kind) for row in rows.select_related("user")]


def make_run_with_mail_sent() -> Run:
    """A run. All earlier mail about its case has been sent."""
    run = make_run(1)
    deliver()
    mail.outbox.clear()
    return run


def mail_recipients() -> list[str]:
    return [message.to[0] for message in mail.outbox]


def test_the_booked_doctor_is_notified_at_once_and_the_mail_names_the_session_and_nobody(
    client: Client, settings: django_settings
) -> None:
    run = make_run_with_mail_sent()
    make_doctor()
    assert control.call_doctor(run.pk, by=technician_of(run)).changed
    assert notices_of(run) == [(doctor_of(run).email, "first")]
    assert deliver() == 1
    assert deliver() == 0
    (message,) = mail.outbox
    text = message.subject + str(message.body)
    case = run.procedure.case
    assert f"the session of file {case.reference}" in text
    for secret in (case.patient.name, "Clementine", technician_of(run).name):
        assert secret not in text
    (link,) = re.findall(r"http\S+", text)
    assert link == f"{settings.LACUNA_ADDRESS}sessions/{run.pk}/"
    client.force_login(doctor_of(run))
    assert client.get(urlsplit(link).path).status_code == 200
    assert CallNotice.objects.get().sent_at is not None


def test_a_second_call_while_one_is_open_changes_nothing() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=technician_of(run))
    assert not control.call_doctor(run.pk, by=run.procedure.case.patient).changed
    assert DoctorCall.objects.count() == 1
    assert event_kinds(run).count("doctor-called") == 1


def test_notified_people_are_reminded_until_somebody_answers() -> None:
    run = make_run_with_mail_sent()
    control.call_doctor(run.pk, by=None)
    assert calls.remind_due() == 0, "nothing is due yet"
    for _round in range(2):
        make_call_due(run, remind=True)
        assert calls.remind_due() == 1
        assert calls.remind_due() == 0, "each reminder is made once"
    assert [kind for _who, kind in notices_of(run)] == ["first", "again", "again"]
    assert actors_of(run, "call.told") == ["system:supervisor"] * 3
    assert queued() == ["doctor-wanted"]
    calls.acknowledge(run.pk, by=doctor_of(run))
    assert queued() == []
    DoctorCall.objects.update(remind_at=after(-60), escalate_at=after(-60))
    assert calls.remind_due() == 0
    assert deliver() == 0, "no notice is sent after an answer"


def test_an_escalation_notifies_all_other_doctors_and_administrators() -> None:
    run = make_run(1)
    patient_and_doctor = run.procedure.case.patient
    patient_and_doctor.grants.create(role=Role.DOCTOR)
    other, boss = make_doctor(), make_user(Role.ADMINISTRATOR)
    closed, desk = make_user(Role.DOCTOR, is_active=False), make_user(Role.RECEPTIONIST)
    control.call_doctor(run.pk, by=technician_of(run))
    make_call_due(run, escalate=True)
    calls.remind_due()
    new = {who for who, kind in notices_of(run) if kind == "escalated"}
    # make_run created one more doctor, who locked the map.
    others = set(
        User.objects.filter(grants__role=Role.DOCTOR, is_active=True)
        .exclude(pk__in=[patient_and_doctor.pk, doctor_of(run).pk])
        .values_list("email", flat=True)
    )
    assert {other.email, boss.email} <= new
    assert new == others | {boss.email}
    assert not new & {patient_and_doctor.email, closed.email, desk.email}
    make_call_due(run, remind=True)
    calls.remind_due()
    assert event_kinds(run)[-2:] == ["doctor-escalated", "doctor-called-again"]
    assert {who for who, kind in notices_of(run) if kind == "again"} == new | {doctor_of(run).email}


def test_a_call_by_the_only_doctor_of_the_team_escalates_at_once() -> None:
    run = make_run(1)
    boss = make_user(Role.ADMINISTRATOR)
    control.call_doctor(run.pk, by=doctor_of(run))
    calls.remind_due()
    assert boss.email in {who for who, kind in notices_of(run) if kind == "escalated"}


def test_an_open_call_continues_after_the_end_of_the_run() -> None:
    run = make_run(1)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    calls_open = DoctorCall.objects.filter(acknowledged_at__isnull=True)
    end_stopped()
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED
    assert calls_open.get().why == "safe-word"
    make_call_due(run, remind=True)
    assert calls.remind_due() == 1
    assert calls.acknowledge(run.pk, by=doctor_of(run)).changed


def test_only_the_first_answer_to_a_call_counts() -> None:
    run = make_run(1)
    with pytest.raises(control.NotNow):
        calls.acknowledge(run.pk, by=doctor_of(run))
    control.call_doctor(run.pk, by=None)
    assert calls.acknowledge(run.pk, by=doctor_of(run)).changed
    assert not calls.acknowledge(run.pk, by=make_doctor()).changed
    assert actors_of(run, "run.doctor-acknowledged") == [f"user:{doctor_of(run).pk}"]


def test_the_waits_between_reminders_grow() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    waits = []
    for _reminder in range(6):
        call = DoctorCall.objects.annotate(now=Now()).get()
        waits.append(round((call.remind_at - call.now).total_seconds() / 60))
        make_call_due(run, remind=True)
        calls.remind_due()
    assert waits == [1, 2, 5, 10, 10, 10]


def test_a_reminder_replaces_the_mail_that_still_waits() -> None:
    run = make_run_with_mail_sent()
    control.call_doctor(run.pk, by=None)
    make_call_due(run, remind=True)
    calls.remind_due()
    assert queued() == ["doctor-wanted"]
    assert deliver() == 1
    assert mail_recipients() == [doctor_of(run).email]


def test_a_person_who_cannot_open_the_session_gets_the_link_to_the_call(client: Client) -> None:
    run = make_run_with_mail_sent()
    boss = make_user(Role.ADMINISTRATOR)
    control.call_doctor(run.pk, by=technician_of(run))
    make_call_due(run, escalate=True)
    calls.remind_due()
    deliver()
    (message,) = (one for one in mail.outbox if one.to == [boss.email])
    assert "Nobody has answered, so you are told too." in str(message.body)
    (link,) = re.findall(r"http\S+", str(message.body))
    client.force_login(boss)
    assert client.get(urlsplit(link).path).status_code == 200


def test_a_safe_word_replaces_the_reason_of_a_call_about_a_copy() -> None:
    run = make_run(1)
    with transaction.atomic():
        calls.open_call(lock(run.pk), by=None, why=DoctorCall.Why.HOLD)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    assert DoctorCall.objects.get().why == "safe-word"
    assert calls.remind_due() == 1, "the doctor is reminded at once"


@pytest.mark.processes
def test_a_call_continues_after_its_supervisor_is_killed() -> None:
    configure(call_again_seconds=1, call_escalate_seconds=2)
    run = make_run(1)
    boss = make_user(Role.ADMINISTRATOR)
    control.pause(run.pk, by=None)
    with started_processes() as processes:
        mails = {"LACUNA_MAIL_BACKEND": MEMORY}
        first = processes.supervisor(**mails)
        control.call_doctor(run.pk, by=None)
        sent = CallNotice.objects.filter(call__run=run, sent_at__isnull=False)
        until(sent.exists, "a message is sent")
        first.kill()
        first.wait()
        before = sent.count()
        processes.supervisor(**mails)
        # Of messages that wait at the same time only the newest is sent.
        until(lambda: sent.filter(user=boss).exists(), "the next supervisor escalates")
        until(lambda: sent.filter(kind="again").count() > 2, "it sends more reminders")
        assert sent.count() > before
        calls.acknowledge(run.pk, by=doctor_of(run))
        count = CallNotice.objects.count()
    assert CallNotice.objects.count() == count


def test_a_run_goes_on_while_the_doctor_is_called() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    advance(run.pk)
    run.refresh_from_db()
    assert run.state == Run.State.FINISHED


def test_every_reason_of_a_call_has_a_text() -> None:
    assert set(WHY) == set(DoctorCall.Why.values)
