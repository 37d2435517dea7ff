"""Who answers: assigning, settling with an undo, what is overdue, and what the end of a case does."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from clinic.access.policy import allowed
from clinic.accounts.models import Role, User
from clinic.alerts.sources import alerts_for
from clinic.audit.models import Entry
from clinic.calendar.board import Span
from clinic.calendar.models import Booking
from erasure.certificates.models import Certificate
from patients.cases.models import MAPPING_STAGES, Case
from patients.consent.signing import withdraw
from patients.messages.board_entries import message_alerts, needs
from patients.messages.models import MessageThread
from patients.messages.sending import MessageRefused
from patients.messages.waiting import (
    assign_thread,
    possible_answerers,
    settle_thread,
    thread_mark,
    unsettle_thread,
)
from tests.factories import make_case, make_doctor, make_run, make_technician, make_user
from tests.messages import answer, ask, thread_of

pytestmark = pytest.mark.django_db


def assign(case: Case, person: UUID | None, by: User) -> MessageThread:
    return assign_thread(case.pk, person, seen=thread_mark(thread_of(case)), by=by)


def make_late(case: Case) -> None:
    """Move the promised time of a thread into the past."""
    past = timezone.now() - timedelta(hours=1)
    MessageThread.objects.filter(case=case).update(answer_by=past, waits_since=past - timedelta(days=2))


def board_of(viewer: User) -> list[tuple[str, str]]:
    now = timezone.now()
    found = needs(Span(now, now + timedelta(hours=10)), viewer)
    return [(need.who, need.url) for need in found if need.late]


def test_a_thread_is_assigned_and_released_and_the_log_says_so() -> None:
    case, doctor, colleague = make_case(), make_doctor(), make_technician()
    ask(case)
    assign(case, colleague.pk, doctor)
    assign(case, colleague.pk, doctor)  # changes nothing
    assert thread_of(case).assigned_to == colleague
    assign(case, None, doctor)
    assert thread_of(case).assigned_to is None
    entries = Entry.objects.filter(action__startswith="messages.").order_by("index")
    assert [(one.action, one.actor, one.details) for one in entries] == [
        ("messages.assigned", f"user:{doctor.pk}", {"to": str(colleague.pk)}),
        ("messages.released", f"user:{doctor.pk}", {}),
    ]


def test_only_who_may_open_the_thread_is_assigned_and_all_refusals_read_alike() -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    ask(case)
    doctor, desk = make_doctor(), make_user(Role.RECEPTIONIST)
    subject = make_user(Role.DOCTOR, name="Clementine Kruczynski")
    left = make_user(Role.DOCTOR, is_active=False)
    said = set()
    for person in (desk, subject, left, case.patient):
        with pytest.raises(MessageRefused) as refusal:
            assign(case, person.pk, doctor)
        said.add(str(refusal.value))
    assert said == {"This colleague is not available for this file."}
    assert thread_of(case).assigned_to is None


@pytest.mark.parametrize("stage", Case.Stage.values)
def test_those_offered_are_exactly_those_whom_the_policy_lets_in(stage: str) -> None:
    run = make_run(memories=1)
    case = run.procedure.case
    Case.objects.filter(pk=case.pk).update(stage=stage)
    case.refresh_from_db()
    people = [
        *User.objects.filter(resources__bookings=run.procedure.booking),
        *(make_user(role) for role in Role.values),
        make_user(Role.TECHNICIAN, Role.RECEPTIONIST),
        make_user(Role.DOCTOR, is_active=False),
        make_user(Role.DOCTOR, Role.TECHNICIAN, name=case.read().subject_name + " Kruczynski"),
        case.patient,
    ]
    let_in = {
        person.pk
        for person in User.objects.filter(pk__in=[one.pk for one in people])
        if person.pk != case.patient_id
        and allowed(person, "patients:case-messages", {"case": case.pk}, "GET").allowed
    }
    offered = {person.pk for person in possible_answerers(case)}
    assert offered & {one.pk for one in people} == let_in
    assert bool(offered) == (stage != Case.Stage.WITHDRAWN)


def test_whose_night_was_canceled_or_is_certified_is_not_offered() -> None:
    run = make_run(memories=1)
    case, booking = run.procedure.case, run.procedure.booking
    technician = User.objects.get(resources__bookings=booking, grants__role=Role.TECHNICIAN)
    assert technician in possible_answerers(case)
    Booking.objects.filter(pk=booking.pk).update(canceled_at=timezone.now())
    assert technician not in possible_answerers(case)
    Booking.objects.filter(pk=booking.pk).update(canceled_at=None)
    Certificate.objects.create(run=run, body="{}", digest="0" * 64, issued_at=timezone.now())
    assert technician not in possible_answerers(case)


def test_who_was_asked_to_answer_reads_on_until_the_case_is_over() -> None:
    case, doctor, technician = make_case(), make_doctor(), make_technician()
    ask(case)
    assign(case, technician.pk, doctor)

    def opens(page: str) -> bool:
        return allowed(technician, page, {"case": case.pk}, "POST").allowed

    for stage in Case.Stage.values:
        Case.objects.filter(pk=case.pk).update(stage=stage)
        over = stage in {Case.Stage.CLOSED, Case.Stage.WITHDRAWN}
        assert opens("patients:case-messages") is not over, stage
        assert opens("patients:mapping") is (stage in MAPPING_STAGES), stage
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.BOOKED)
    assign(case, technician.pk, technician)  # answers already, so nothing changes
    assign(case, None, technician)
    assert not opens("patients:case-messages")


def test_no_answer_needed_ends_the_wait_and_can_be_taken_back() -> None:
    case, doctor = make_case(), make_doctor()
    ask(case)
    before = thread_of(case)
    with pytest.raises(MessageRefused, match="nothing to take back"):
        unsettle_thread(case.pk, seen=thread_mark(before), by=doctor)
    settle_thread(case.pk, seen=thread_mark(before), by=doctor)
    settled = thread_of(case)
    assert (settled.answer_by, settled.settled_by) == (None, doctor)
    with pytest.raises(MessageRefused, match="Nothing waits"):
        settle_thread(case.pk, seen=thread_mark(settled), by=doctor)
    unsettle_thread(case.pk, seen=thread_mark(settled), by=doctor)
    after = thread_of(case)
    assert (after.answer_by, after.waits_since, after.settled_at) == (
        before.answer_by,
        before.waits_since,
        None,
    )
    actions = Entry.objects.filter(action__startswith="messages.").order_by("index")
    assert list(actions.values_list("action", flat=True)) == ["messages.settled", "messages.unsettled"]


def test_in_a_file_that_is_closed_nobody_is_asked_and_nothing_waits_again() -> None:
    case, doctor = make_case(), make_doctor()
    ask(case)
    settle_thread(case.pk, seen=thread_mark(thread_of(case)), by=doctor)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
    page = thread_mark(thread_of(case))
    with pytest.raises(MessageRefused, match="nobody answers here any more"):
        assign_thread(case.pk, doctor.pk, seen=page, by=doctor)
    with pytest.raises(MessageRefused, match="nothing to take back"):
        unsettle_thread(case.pk, seen=page, by=doctor)


def test_a_new_message_after_no_answer_needed_waits_anew_and_an_older_page_changes_nothing() -> None:
    case, doctor = make_case(), make_doctor()
    ask(case)
    page = thread_mark(thread_of(case))
    settle_thread(case.pk, seen=page, by=doctor)
    ask(case, "It is urgent after all")
    assert thread_of(case).answer_by is not None
    assert thread_of(case).settled_at is None
    for change in (settle_thread, unsettle_thread):
        with pytest.raises(MessageRefused, match="while your page was open"):
            change(case.pk, seen=page, by=doctor)
    with pytest.raises(MessageRefused, match="while your page was open"):
        assign_thread(case.pk, doctor.pk, seen=page, by=doctor)
    with pytest.raises(MessageRefused, match="no message yet"):
        settle_thread(make_case().pk, seen=page, by=doctor)


def test_a_late_answer_is_on_the_board_and_an_alert_of_the_assigned_alone() -> None:
    case, doctor, other = make_case(subject_name="Clementine Kruczynski"), make_doctor(), make_doctor()
    desk = make_user(Role.RECEPTIONIST)
    ask(case)
    assign(case, doctor.pk, other)
    assert board_of(doctor) == []
    assert message_alerts(doctor) == []
    make_late(case)
    thread_url, case_url = f"/files/{case.pk}/messages/", f"/files/{case.pk}/"
    assert [url for _who, url in board_of(doctor)] == [thread_url]
    assert board_of(desk) == [(case.patient.short_name, case_url)]
    for nobody in (make_user(Role.AUDITOR), make_user(Role.ADMINISTRATOR), case.patient):
        assert board_of(nobody) == []
    assert board_of(make_user(Role.DOCTOR, Role.RECEPTIONIST, name="Clementine Kruczynski")) == []
    (alert,) = message_alerts(doctor)
    assert (alert.url, case.reference in alert.title) == (thread_url, True)
    assert case.patient.name not in f"{alert.title} {alert.text}"
    assert alert in alerts_for(doctor)
    assert alert not in alerts_for(doctor, thread_url)
    assert message_alerts(other) == []
    answer(case, by=doctor)
    assert (message_alerts(doctor), board_of(doctor)) == ([], [])


def test_an_alert_ends_when_the_assigned_may_not_open_the_thread_any_more() -> None:
    case, doctor = make_case(), make_doctor()
    ask(case)
    assign(case, doctor.pk, doctor)
    make_late(case)
    doctor.grants.update(role=Role.ADMINISTRATOR)
    assert message_alerts(User.objects.get(pk=doctor.pk)) == []


def test_a_withdrawal_ends_the_wait() -> None:
    case = make_case()
    ask(case)
    withdraw(case, by=case.patient)
    thread = thread_of(case)
    assert (thread.answer_by, thread.waits_since) == (None, None)


def test_without_a_consent_in_force_nothing_is_withdrawn_and_the_wait_goes_on() -> None:
    case = make_case(agreed=False)
    ask(case)
    withdraw(case, by=case.patient)
    assert thread_of(case).answer_by is not None
