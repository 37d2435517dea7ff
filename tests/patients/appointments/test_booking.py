"""Holding, booking, moving and cancelling an appointment: what is refused, recorded and sent by mail."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.availability.changes import add_exception
from clinic.calendar.models import Booking, Reservation, Resource
from clinic.outgoing.models import OutgoingMessage
from erasure.runs.finishing import finish
from patients.appointments.booking import (
    HOLD,
    CannotBook,
    appointment_mark,
    book_appointment,
    cancel_appointment,
    give_up_hold,
    hold_appointment,
    move_appointment,
)
from patients.appointments.models import Appointment, AppointmentTemplate, DeskTask
from patients.appointments.offers import offered_times, people_who_know, usable_resources
from patients.appointments.states import mark_arrived, mark_no_show
from patients.cases.models import Case
from patients.consent.signing import withdraw
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction
from tests.appointments import make_appointment, make_held, make_team, make_template
from tests.configuration import configure
from tests.erasure.runs.nights import spare_all_steps
from tests.factories import make_case, make_doctor, make_room, make_run, make_user
from tests.outgoing import deliver, due_now, queued
from tests.threads import at_once

NINE = datetime(2031, 2, 13, 14, tzinfo=UTC)  # 9 h in the clinic
HOUR = timedelta(hours=1)


@pytest.fixture
def desk() -> User:
    return make_user(Role.RECEPTIONIST)


def move(row: Appointment, start: datetime, by: User, *, reason: str = "staff", **more: str) -> Appointment:
    """Move an appointment to `start`, from a page that shows its present hours."""
    booking = Booking.objects.get(appointment=row)
    return move_appointment(
        row,
        starts_at=start,
        ends_at=start + timedelta(minutes=30),
        expected_start=booking.starts_at,
        expected_end=booking.ends_at,
        reason=reason,
        by=by,
        **more,
    )


@pytest.mark.django_db
def test_a_hold_reserves_for_ten_minutes_and_tells_nobody(desk: User) -> None:
    before = timezone.now()
    row = make_held(starts_at=NINE, by=desk, buffer_after=15)
    held_until = row.booking.held_until
    assert held_until is not None
    assert before + HOLD <= held_until <= timezone.now() + HOLD
    # The room is reserved for a quarter of an hour longer than the doctor.
    kinds = list(Reservation.objects.values_list("resource__kind", flat=True))
    assert (kinds.count("doctor"), kinds.count("room")) == (2, 3)
    assert queued() == []
    entry = Entry.objects.get(action="appointment.held")
    assert entry.details == {
        "kind": "visit",
        "from": "2031-02-13T14:00:00.000000Z",
        "resources": 2,
        "outside_hours": 0,
    }
    assert row.case.appointments.made().count() == 0


@pytest.mark.django_db
def test_booking_keeps_the_hold_copies_the_template_and_tells_everybody(desk: User) -> None:
    row = make_held(starts_at=NINE, by=desk, preparation_en="Come rested.")
    template = row.template
    assert template is not None
    type(template).objects.filter(pk=template.pk).update(minutes=90, preparation_en="Come hungry.")
    book_appointment(row, by=desk)
    row = Appointment.objects.with_booking().get()
    assert (row.status, row.minutes, row.preparation_en) == ("booked", 30, "Come rested.")
    assert row.booking.held_until is None
    assert Entry.objects.filter(action="appointment.booked", case=row.case_id).count() == 1
    assert sorted(OutgoingMessage.objects.values_list("event", "audience")) == [
        ("appointment-booked", "patient"),
        ("appointment-booked", "staff"),
        ("appointment-in-three-days", "patient"),
        ("appointment-tomorrow", "patient"),
    ]
    with pytest.raises(CannotBook, match="booked already"):
        book_appointment(row, by=desk)
    with pytest.raises(CannotBook, match="booked already"):
        give_up_hold(row, by=desk)


@pytest.mark.django_db
def test_an_expired_hold_is_booked_if_nobody_took_it_and_lost_if_somebody_did(desk: User) -> None:
    team = make_team()
    row = make_held(starts_at=NINE, team=team, by=desk)
    with pytest.raises(CannotBook, match="is taken from 13 Feb, 09:00 to 13 Feb, 09:30"):
        make_held(starts_at=NINE, team=team)
    Booking.objects.update(held_until=timezone.now() - timedelta(seconds=1))
    winner = make_held(starts_at=NINE, team=team)
    with pytest.raises(CannotBook, match="given to somebody else") as refused:
        book_appointment(row, by=desk)
    assert refused.value.lost
    Booking.objects.filter(appointment=winner).update(held_until=timezone.now() - timedelta(seconds=1))
    assert book_appointment(winner, by=desk).status == "booked", "expired, but nobody else wanted it"
    assert Appointment.objects.made().get() == winner


@pytest.mark.django_db
def test_a_hold_that_is_given_up_or_replaced_leaves_its_time_free(desk: User) -> None:
    case, team = make_case(), make_team()
    row = make_held(case, starts_at=NINE, team=team, by=desk)
    give_up_hold(row, by=desk)
    give_up_hold(row, by=desk)
    assert Entry.objects.filter(action="appointment.given-up").count() == 1
    first = make_held(case, starts_at=NINE, team=team, by=desk)
    second = make_held(case, starts_at=NINE, team=team, by=desk)
    with pytest.raises(CannotBook) as refused:
        book_appointment(first, by=desk)
    assert refused.value.lost
    book_appointment(second, by=desk)


@pytest.mark.django_db
def test_a_hold_is_said_to_be_given_to_somebody_else_only_if_it_is(desk: User) -> None:
    case, team = make_case(), make_team()

    def refusal(row: Appointment) -> str:
        with pytest.raises(CannotBook) as refused:
            book_appointment(row, by=desk)
        assert refused.value.lost
        return str(refused.value)

    not_held = "This time is not held any more. Please choose another one."
    given_up = make_held(case, starts_at=NINE, team=team, by=desk)
    give_up_hold(given_up, by=desk)
    assert refusal(given_up) == not_held
    replaced = make_held(case, starts_at=NINE, team=team, by=desk)
    Booking.objects.filter(appointment=replaced).update(held_until=timezone.now())
    own = make_held(case, starts_at=NINE, team=team, by=desk)
    assert refusal(replaced) == not_held, "the same patient has the time"
    Booking.objects.filter(appointment=own).update(held_until=timezone.now())
    make_held(starts_at=NINE, team=team)
    assert refusal(given_up) == not_held, "it was given up before its ten minutes were over"
    assert "given to somebody else" in refusal(own)


@pytest.mark.django_db
def test_a_cancelled_appointment_is_not_said_to_be_booked(desk: User) -> None:
    row = make_appointment(starts_at=NINE, by=desk)
    cancel_appointment(row, reason="patient", by=desk)
    for act in (book_appointment, give_up_hold):
        with pytest.raises(CannotBook) as refused:
            act(row, by=desk)
        assert str(refused.value) == "This appointment is not expected any more: canceled."
        assert refused.value.stale


@pytest.mark.django_db
def test_a_hold_needs_usable_resources_a_usable_template_and_an_open_case(desk: User) -> None:
    case = make_case(subject_name="Clementine Kruczynski")
    template, (doctor, room) = make_template(), make_team()

    def refusal(resources: list[Resource], of: Case = case) -> str:
        with pytest.raises(CannotBook) as refused:
            hold_appointment(of, template, resources=resources, starts_at=NINE, by=desk)
        assert not Booking.objects.filter(canceled_at=None, starts_at=NINE).exists()
        return str(refused.value)

    assert refusal([doctor]) == "This appointment needs: room, 1 of them."
    assert refusal([room, make_room()]).startswith("This appointment needs: doctor, 1 of them.")
    kit = Resource.objects.create(kind="home-kit", label="Kit")
    assert "that this appointment does not need" in refusal([doctor, room, kit])
    subject = make_user(Role.DOCTOR, name="Clementine Kruczynski")
    subjects_calendar = Resource.objects.create(kind="doctor", label="C", user=subject)
    assert refusal([subjects_calendar, room]) == "One of these people is not available for this case."
    assert subjects_calendar not in usable_resources(case, template)
    Resource.objects.filter(pk=room.pk).update(in_use=False)
    room.refresh_from_db()
    assert refusal([doctor, room]) == "One of these cannot be booked any more."
    Resource.objects.update(in_use=True)
    room.refresh_from_db()
    Case.objects.filter(pk=case.pk).update(stage="closed")
    assert "only follow-ups" in refusal([doctor, room])
    type(template).objects.update(in_use=False)
    assert refusal([doctor, room], make_case()) == "This template is retired. Choose another one."
    person = make_user(Role.DOCTOR, Role.TECHNICIAN)
    twice = [Resource.objects.create(kind=kind, label="B", user=person) for kind in ("doctor", "technician")]
    for_two = make_template("Two", technicians=1)
    with pytest.raises(CannotBook, match="two roles"):
        hold_appointment(make_case(), for_two, resources=[*twice, room], starts_at=NINE, by=desk)


@pytest.mark.django_db
def test_a_patient_is_never_at_two_appointments_at_once(desk: User) -> None:
    case = make_case()
    first = make_appointment(case, starts_at=NINE, by=desk)
    with pytest.raises(CannotBook, match="has something else from 13 Feb, 09:00 to 13 Feb, 09:30"):
        make_held(case, starts_at=NINE + timedelta(minutes=15), by=desk)
    later = make_appointment(case, starts_at=NINE + HOUR, by=desk)
    with pytest.raises(CannotBook, match="The patient has something else"):
        move(later, NINE, desk)
    move(later, NINE + timedelta(minutes=75), desk)  # overlaps its own old hours
    cancel_appointment(first, reason="patient", by=desk)
    make_held(case, starts_at=NINE, by=desk)


@pytest.mark.django_db
def test_an_appointment_during_an_absence_needs_the_confirmation_of_its_refusal(desk: User) -> None:
    case, template, (doctor, room) = make_case(), make_template(), make_team()
    add_exception(doctor, adds=False, starts_at=NINE - HOUR, ends_at=NINE + HOUR, reason="ill", by=desk)
    with pytest.raises(CannotBook, match="is away") as refused:
        hold_appointment(case, template, resources=[doctor, room], starts_at=NINE, by=desk)
    assert Booking.objects.count() == 0
    with pytest.raises(CannotBook):
        hold_appointment(case, template, resources=[doctor, room], starts_at=NINE, confirm_token="x", by=desk)
    fields = {
        "resources": [doctor, room],
        "starts_at": NINE,
        "confirm_token": refused.value.confirm_token,
        "by": desk,
    }
    row = book_appointment(hold_appointment(case, template, **fields), by=desk)
    assert Entry.objects.get(action="appointment.held").details["outside_hours"] == 1
    with pytest.raises(CannotBook, match="is away") as refused:
        move(row, NINE + timedelta(minutes=30), desk)
    move(row, NINE + timedelta(minutes=30), desk, confirm_token=refused.value.confirm_token)
    assert Entry.objects.get(action="appointment.moved").details["outside_hours"] == 1


@pytest.mark.django_db
def test_a_move_is_counted_and_replaces_the_mails_and_words_of_before(desk: User) -> None:
    row = make_appointment(starts_at=NINE, by=desk)
    move(row, NINE + HOUR, desk, reason="patient", words="Their train is late.")
    row = Appointment.objects.with_booking().get()
    assert (row.sequence, row.patient_moves, row.reason, row.changed_by) == (1, 1, "patient", desk)
    assert row.read().words == "Their train is late."
    assert b"train" not in bytes(row.sealed)
    assert row.booking.starts_at == NINE + HOUR
    assert sorted(OutgoingMessage.objects.filter(status="queued").values_list("event", "audience")) == [
        ("appointment-in-three-days", "patient"),
        ("appointment-moved", "patient"),
        ("appointment-moved", "staff"),
        ("appointment-tomorrow", "patient"),
    ]
    entry = Entry.objects.get(action="appointment.moved")
    assert entry.details == {
        "from": "2031-02-13T14:00:00.000000Z",
        "to": "2031-02-13T15:00:00.000000Z",
        "because": "patient",
        "outside_hours": 0,
        "over_limit": False,
        "sequence": 1,
    }
    assert "train" not in str(entry.details) + entry.reason
    move(row, NINE, desk, reason="staff")
    row = Appointment.objects.get()
    assert (row.sequence, row.patient_moves, bytes(row.sealed)) == (2, 1, b"")


@pytest.mark.django_db
def test_s3_a_move_from_an_old_page_or_into_a_clash_changes_nothing(desk: User) -> None:
    team = make_team()
    row = make_appointment(starts_at=NINE, team=team, by=desk)
    make_appointment(starts_at=NINE + 2 * HOUR, team=team, by=desk)
    with pytest.raises(CannotBook, match="Somebody changed it meanwhile") as stale:
        move_appointment(
            row,
            starts_at=NINE + HOUR,
            ends_at=NINE + HOUR * 1.5,
            expected_start=NINE - HOUR,
            reason="staff",
            by=desk,
        )
    assert stale.value.stale
    with pytest.raises(CannotBook, match="is taken from 13 Feb, 11:00"):
        move(row, NINE + 2 * HOUR, desk)
    for reason in ("", "case", "patients"):
        with pytest.raises(CannotBook, match="choose a reason"):
            move(row, NINE + HOUR, desk, reason=reason)
    with pytest.raises(CannotBook, match="at most 500"):
        move(row, NINE + HOUR, desk, words="x" * 501)
    with pytest.raises(CannotBook, match="after the start"):
        move_appointment(row, starts_at=NINE, ends_at=NINE, expected_start=NINE, reason="staff", by=desk)
    assert Appointment.objects.get(pk=row.pk).sequence == 0
    assert not Entry.objects.filter(action="appointment.moved").exists()


@pytest.mark.django_db
def test_more_moves_than_the_limit_are_confirmed_and_only_those_of_the_patient_count(desk: User) -> None:
    configure(moves_per_patient=2)
    case = make_case()
    first = make_appointment(case, starts_at=NINE, by=desk)
    other = make_appointment(case, starts_at=NINE + 24 * HOUR, by=desk)
    move(first, NINE + HOUR, desk, reason="patient")
    move(other, NINE + 25 * HOUR, desk, reason="patient-ill")
    move(other, NINE + 26 * HOUR, desk, reason="staff")
    with pytest.raises(CannotBook, match="were moved 2 times already") as refused:
        move(first, NINE, desk, reason="patient")
    assert refused.value.confirm_token == ""
    token = refused.value.confirm_limit_token
    with pytest.raises(CannotBook, match="were moved 2 times already"):
        move(first, NINE, desk, reason="patient", confirm_token=token)
    move(first, NINE, desk, reason="patient", confirm_limit_token=token)
    last = Entry.objects.filter(action="appointment.moved").order_by("-index")[0]
    assert last.details["over_limit"] is True
    with pytest.raises(CannotBook, match="were moved 3 times already"):
        move(first, NINE + HOUR, desk, reason="patient", confirm_limit_token=token)


@pytest.mark.django_db
def test_a_cancellation_frees_the_time_queues_mails_and_happens_once(desk: User) -> None:
    row = make_appointment(starts_at=NINE, by=desk)
    older = appointment_mark(row)
    move(row, NINE + HOUR, desk)
    with pytest.raises(CannotBook, match=r"It is on 13 Feb, 10:00 now: expected") as stale:
        cancel_appointment(row, reason="patient", seen=older, by=desk)
    assert stale.value.stale
    row = Appointment.objects.with_booking().get()
    cancel_appointment(row, reason="patient", words="No.", seen=appointment_mark(row), by=desk)
    row = Appointment.objects.with_booking().get()
    assert (row.status, row.read().words, row.changed_by) == ("cancelled", "No.", desk)
    assert row.booking.canceled_at is not None
    assert Reservation.objects.count() == 0
    assert queued() == ["appointment-cancelled", "appointment-cancelled"]
    assert Entry.objects.filter(action="appointment.cancelled").count() == 1
    for act in (
        lambda: cancel_appointment(row, reason="patient", by=desk),
        lambda: move(row, NINE, desk),
        lambda: mark_arrived(row, by=desk),
    ):
        with pytest.raises(CannotBook) as refused:
            act()
        assert refused.value.stale


@pytest.mark.django_db
def test_each_mail_is_sent_once_names_no_subject_and_none_follows_a_cancellation(
    desk: User, mailoutbox: list[object]
) -> None:
    patient = make_user(Role.PATIENT, name="Anh Nguyễn", language="vi")
    row = make_appointment(
        make_case(patient), starts_at=timezone.now() + 100 * HOUR, by=desk, preparation_vi="Xin đến sớm."
    )
    assert deliver() == 2
    due_now()
    assert deliver() == 2, "two reminders"
    texts = [f"{mail.subject}\n{mail.body}" for mail in mailoutbox if mail.to == [patient.email]]  # type: ignore[attr-defined]
    assert len(texts) == 3
    assert all("Xin đến sớm." in text for text in texts)
    assert not any("Clementine" in text or "An appointment" in text for text in texts)
    team = next(mail for mail in mailoutbox if mail.to != [patient.email])  # type: ignore[attr-defined]
    assert row.case.reference in team.body  # type: ignore[attr-defined]
    assert "Nguyễn" not in team.body.replace(f"Dear {team.to}", "")  # type: ignore[attr-defined]
    move(row, timezone.now() + 200 * HOUR, desk)
    cancel_appointment(row, reason="other", by=desk)
    due_now()
    assert deliver() == 2
    assert deliver() == 0
    assert OutgoingMessage.objects.filter(event="appointment-moved", status="sent").count() == 0


@pytest.mark.django_db
def test_without_the_cases_key_a_cancellation_takes_a_reason_but_no_words(desk: User) -> None:
    case = make_case()
    Case.objects.filter(pk=case.pk).update(stage="closed")
    row = make_appointment(case, kind="follow-up", starts_at=NINE, by=desk)
    with transaction.atomic():
        mark_for_destruction(StoredObject.objects.filter(pk=case.pk), f"case:{case.pk}")
    destroy(StoredObject.objects.filter(pk=case.pk))
    with pytest.raises(CannotBook, match="no words can be kept"):
        cancel_appointment(row, reason="patient", words="Why", by=desk)
    cancel_appointment(row, reason="patient", by=desk)
    assert Appointment.objects.get().status == "cancelled"


@pytest.mark.django_db
def test_a_withdrawal_cancels_future_appointments_and_closes_desk_tasks(desk: User) -> None:
    case = make_case()
    missed = make_appointment(case, by=desk)
    mark_no_show(missed, by=desk)
    ahead = make_appointment(case, kind="visit", starts_at=NINE, by=desk)
    given_up = make_held(case, starts_at=NINE + HOUR, by=desk)
    give_up_hold(given_up, by=desk)
    given_up_at = Booking.objects.get(appointment=given_up).canceled_at
    held = make_held(case, starts_at=NINE + HOUR, by=desk)
    DeskTask.objects.update(answer="")
    withdraw(case, by=case.patient)
    assert Booking.objects.get(appointment=given_up).canceled_at == given_up_at
    statuses = dict(Appointment.objects.values_list("pk", "status"))
    assert statuses == {missed.pk: "no_show", ahead.pk: "cancelled", held.pk: "held", given_up.pk: "held"}
    assert Booking.objects.in_force().filter(starts_at__gt=timezone.now()).count() == 0
    assert not DeskTask.objects.open().exists()
    assert Appointment.objects.get(pk=ahead.pk).reason == "case-over"
    follow_up = make_appointment(case, name="After", kind="follow-up", starts_at=NINE, by=desk)
    withdraw(case, by=case.patient)
    follow_up.refresh_from_db()
    assert follow_up.status == "booked", "nothing was withdrawn the second time"


@pytest.mark.django_db
def test_offers_are_free_for_the_patient_too_and_prefer_who_knows_them(desk: User) -> None:
    case, team = make_case(), make_team()
    stranger = make_doctor().resources.get()
    make_appointment(case, starts_at=NINE, team=team, by=desk)
    assert people_who_know(case) == {team[0].user_id}
    template = make_template()
    usable = usable_resources(case, template)
    assert stranger in usable
    offers = offered_times(case, template, usable, start=NINE)
    assert len(offers) == 10
    assert offers[0].starts_at == NINE + timedelta(minutes=30), "the patient is taken at nine"
    assert offers[0].team["doctors"] == [team[0]]
    assert offered_times(case, make_template("Three", doctors=3), usable, start=NINE) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("constraint", "change"),
    [
        ("appointment_status_known", {"status": "perhaps"}),
        ("appointment_booked_unless_held", {"booked_at": None}),
        ("appointment_patient_moves_are_moves", {"patient_moves": 1}),
    ],
)
def test_the_database_refuses_what_no_function_writes(constraint: str, change: dict[str, object]) -> None:
    make_appointment(starts_at=NINE)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Appointment.objects.update(**change)


@pytest.mark.django_db(transaction=True)
def test_s1_one_slot_has_one_winner(desk: User) -> None:
    team, template = make_team(), make_template()
    cases = [make_case() for _ in range(4)]

    def client(case: Case) -> Callable[[], Appointment]:
        def hold_and_book() -> Appointment:
            held = hold_appointment(case, template, resources=team, starts_at=NINE, by=desk)
            return book_appointment(held, by=desk)

        return hold_and_book

    won, refused = at_once(*(client(case) for case in cases), refusal=CannotBook)
    assert (len(won), len(refused)) == (1, 3), connection.vendor
    assert all("is taken from 13 Feb, 09:00" in str(one) for one in refused)
    assert Appointment.objects.get().pk == won[0].pk
    assert Reservation.objects.count() == 4


@pytest.mark.django_db
def test_a_night_that_closes_a_case_cancels_its_visits_and_leaves_a_follow_up_task(desk: User) -> None:
    AppointmentTemplate.objects.update(days_after_night=None)
    after = make_template("Weeks later", kind="follow-up", days_after_night=21)
    run = make_run(1)
    case = run.procedure.case
    visit = make_appointment(case, starts_at=NINE, by=desk)
    follow_up = make_appointment(case, name="Soon after", kind="follow-up", starts_at=NINE + HOUR, by=desk)
    spare_all_steps(run)
    assert finish(run.pk)
    statuses = dict(Appointment.objects.values_list("pk", "status"))
    assert statuses == {visit.pk: "cancelled", follow_up.pk: "booked"}
    assert Entry.objects.get(action="appointment.cancelled").actor == "system:worker"
    assert "appointment-cancelled" in queued()
    task = DeskTask.objects.get()
    assert (task.case_id, task.template, task.due) == (
        case.pk,
        after,
        timezone.localdate() + timedelta(days=21),
    )
    make_appointment(case, name="Weeks later", starts_at=NINE + 3 * HOUR, by=desk)
    assert not DeskTask.objects.open().exists()
