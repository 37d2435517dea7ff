"""What is offered to whom, in which order, and how an offer ends; what is recorded and told."""

from datetime import time, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.availability.changes import add_exception, change_week, end_exception
from clinic.calendar.models import Booking, Reservation, Resource
from clinic.outgoing.models import OutgoingMessage
from clinic.seasons.agreements import agree_to, open_places
from clinic.seasons.changes import SeasonValues, make_season
from clinic.seasons.models import Season
from patients.appointments.booking import (
    CannotBook,
    book_appointment,
    cancel_appointment,
    hold_appointment,
    move_appointment,
)
from patients.appointments.models import Appointment, AppointmentTemplate
from patients.appointments.states import mark_arrived, mark_no_show
from patients.cases.models import Case
from patients.consent.signing import withdraw
from patients.waitlist.entries import (
    CannotWait,
    ask_for_earlier,
    change_wishes,
    move_up,
    put_on_waitlist,
    take_off,
)
from patients.waitlist.models import ChangedSpan, WaitlistEntry, WaitlistOffer
from patients.waitlist.offers import OfferOver, accept, decline
from patients.waitlist.supervisor_work import expire_due, offer_all_free_times, take_back_unbookable
from tests.appointments import make_appointment, make_team, make_template
from tests.clock import MovedClock
from tests.configuration import configure
from tests.factories import make_case, make_doctor, make_room, make_user
from tests.outgoing import deliver
from tests.waitlist import (
    ANY_TIME,
    cancel_and_offer,
    in_days,
    let_answer_time_pass,
    let_supervisor_work,
    make_waiting,
    open_offer,
)

HALF_HOUR = timedelta(minutes=30)
pytestmark = pytest.mark.django_db
State, Ended = WaitlistOffer.State, WaitlistEntry.Ended


@pytest.fixture
def desk() -> User:
    return make_user(Role.RECEPTIONIST)


@pytest.fixture
def team() -> list[Resource]:
    return make_team()


def events() -> list[str]:
    """The waitlist's messages that wait or were sent."""
    rows = OutgoingMessage.objects.filter(event__startswith="waitlist").exclude(status="cancelled")
    return sorted(rows.values_list("event", flat=True))


def offered() -> list[tuple[WaitlistEntry, str]]:
    """All offers in their order: the entry, and the state of the offer."""
    rows = WaitlistOffer.objects.select_related("entry").order_by("made_at")
    return [(row.entry, row.state) for row in rows]


def test_a_cancelled_time_is_held_for_the_first_whom_it_suits(desk: User, team: list[Resource]) -> None:
    other_day = (in_days(5).weekday() + 1) % 7
    unsuited = make_waiting(weekdays=1 << other_day)
    first, second = make_waiting(), make_waiting()
    visit = make_appointment(starts_at=in_days(5), team=team)
    cancel_and_offer(visit)
    offer = open_offer(first)
    booking = offer.booking
    assert (booking.starts_at, booking.ends_at) == (visit.booking.starts_at, visit.booking.ends_at)
    assert set(booking.resources.all()) == set(team)
    assert booking.held_until == offer.expires_at
    assert timedelta(hours=11, minutes=59) < offer.expires_at - timezone.now() <= timedelta(hours=12)
    assert Reservation.objects.filter(booking=booking).count() == 4
    with pytest.raises(CannotBook):  # nobody else gets it
        hold_appointment(make_case(), make_template(), resources=team, starts_at=in_days(5), by=desk)
    assert offered() == [(first, State.OPEN)]
    assert events() == ["waitlist-offered"]
    entry = Entry.objects.get(action="waitlist.offered")
    assert (entry.case, entry.actor, entry.details["entry"]) == (
        first.case_id,
        "system:waitlist",
        str(first.pk),
    )
    assert not WaitlistOffer.objects.filter(entry__in=[unsuited, second]).exists()


def test_accepting_books_it_and_takes_the_patient_off(desk: User, team: list[Resource]) -> None:
    first = make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    offer = open_offer(first)
    patient = first.case.patient
    accept(offer, by=patient)
    row = Appointment.objects.with_booking().get(case=first.case)
    assert (row.status, row.booking.starts_at, row.booking.held_until) == ("booked", in_days(5), None)
    first.refresh_from_db()
    assert (first.ended_because, first.ended_at is not None) == (Ended.BOOKED, True)
    assert events() == []  # the mail with the offer had not left
    booked = OutgoingMessage.objects.filter(event="appointment-booked", case=first.case_id)
    assert sorted(booked.values_list("audience", flat=True)) == ["patient", "staff"]
    accept(offer, by=patient)  # twice is once
    assert Appointment.objects.filter(case=first.case).count() == 1
    with pytest.raises(OfferOver, match="accepted"):
        decline(offer, by=patient)
    logged = Entry.objects.filter(action__startswith="waitlist.", case=first.case_id).order_by("index")
    assert [(one.action, one.actor) for one in logged][-2:] == [
        ("waitlist.ended", f"user:{patient.pk}"),
        ("waitlist.accepted", f"user:{patient.pk}"),
    ]


def test_a_declined_time_goes_to_the_next_and_not_back(desk: User, team: list[Resource]) -> None:
    first, second = make_waiting(), make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    decline(open_offer(first), by=first.case.patient)
    let_supervisor_work()
    assert offered() == [(first, State.DECLINED), (second, State.OPEN)]
    decline(open_offer(second), by=second.case.patient)
    let_supervisor_work()
    assert WaitlistOffer.objects.open().count() == 0  # each was asked once for this time
    assert WaitlistEntry.objects.waiting().count() == 2
    cancel_and_offer(make_appointment(starts_at=in_days(6), team=team))
    assert open_offer(first).booking.starts_at == in_days(6)


def test_an_expired_time_goes_to_the_next_and_cannot_be_accepted(desk: User, team: list[Resource]) -> None:
    first, second = make_waiting(), make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    offer = open_offer(first)
    assert expire_due() == 0
    let_answer_time_pass(offer)
    with pytest.raises(OfferOver, match="time to answer is over"):
        accept(offer, by=first.case.patient)
    with pytest.raises(OfferOver, match="time to answer is over"):
        decline(offer, by=first.case.patient)
    assert (expire_due(), expire_due()) == (1, 0)
    let_supervisor_work()
    assert offered() == [(first, State.EXPIRED), (second, State.OPEN)]
    with pytest.raises(OfferOver, match="You stay on the waitlist"):
        accept(offer, by=first.case.patient)
    assert Entry.objects.get(action="waitlist.expired").actor == "system:waitlist"


def test_an_offer_ends_two_hours_before_the_time_and_needs_half_an_hour_to_answer(desk: User) -> None:
    make_team()
    entry = make_waiting()
    configure(waitlist_offer_hours=72)
    offer_all_free_times(by=desk)
    booking = open_offer(entry).booking
    soonest = timezone.now() + timedelta(hours=2, minutes=29)
    assert booking.starts_at >= soonest
    assert open_offer(entry).expires_at == booking.starts_at - timedelta(hours=2)


def test_the_desk_offers_free_times_in_the_order_of_the_list(desk: User, team: list[Resource]) -> None:
    first, second, third = make_waiting(), make_waiting(), make_waiting()
    assert move_up(third, reason="In great need", by=desk) is True
    assert move_up(third, reason="In great need", by=desk) is False
    entry = Entry.objects.get(action="waitlist.moved-up")
    assert (entry.reason, entry.details, entry.actor) == ("In great need", {"was": 3}, f"user:{desk.pk}")
    assert offer_all_free_times(by=desk) == 3
    times = [open_offer(one).booking.starts_at for one in (third, first, second)]
    assert times == sorted(times)
    assert offer_all_free_times(by=desk) == 0
    assert Entry.objects.filter(action="waitlist.gone-through").count() == 2


def test_moving_up_needs_a_reason(desk: User) -> None:
    make_waiting()
    with pytest.raises(CannotWait, match="why"):
        move_up(make_waiting(), reason=" ", by=desk)


def test_nobody_waits_twice_for_one_thing(desk: User) -> None:
    case = make_case()
    make_waiting(case)
    with pytest.raises(CannotWait, match="already"):
        make_waiting(case)
    make_waiting(case, make_template("Another talk"))
    visit = make_appointment(case, starts_at=in_days(7), name="A third")
    ask_for_earlier(visit, by=case.patient)
    with pytest.raises(CannotWait, match="already"):
        ask_for_earlier(visit, by=case.patient)
    row = WaitlistEntry.objects.get(kind="earlier")
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_one_open_offer_for_each_case(desk: User, team: list[Resource]) -> None:
    case = make_case()
    one, other = make_waiting(case), make_waiting(case, make_template("Another talk"))
    assert offer_all_free_times(by=desk) == 1
    assert open_offer(one).case == case
    assert not other.offers.exists()
    offer = open_offer(one)
    offer.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        offer.save(force_insert=True)


def test_an_earlier_time_moves_the_appointment_and_frees_its_place(desk: User) -> None:
    doctor, room, other_room = make_doctor().resources.get(), make_room(), make_room()
    visit = make_appointment(starts_at=in_days(9), team=[doctor, room])
    entry = ask_for_earlier(visit, by=visit.case.patient)
    next_one = make_waiting()
    blocking = make_appointment(starts_at=in_days(5), team=[doctor, other_room])
    cancel_and_offer(blocking)
    offer = open_offer(entry)
    assert offer.booking.starts_at == in_days(5)
    assert doctor in offer.booking.resources.all()
    accept(offer, by=visit.case.patient)
    row = Appointment.objects.with_booking().get(pk=visit.pk)
    assert (row.booking.starts_at, row.sequence, row.patient_moves, row.reason) == (
        in_days(5),
        1,
        0,
        "earlier",
    )
    assert set(row.booking.resources.all()) == set(offer.booking.resources.all())
    assert Reservation.objects.filter(booking=row.booking).count() == 4
    entry.refresh_from_db()
    assert entry.ended_because == Ended.BOOKED
    assert OutgoingMessage.objects.filter(event="appointment-moved", audience="patient").count() == 1
    let_supervisor_work()  # the place that they had is offered to the next
    assert open_offer(next_one).booking.starts_at == in_days(9)


def test_a_later_time_is_not_offered_as_an_earlier_one(desk: User) -> None:
    team = make_team()
    visit = make_appointment(starts_at=in_days(4), team=team)
    entry = ask_for_earlier(visit, by=visit.case.patient)
    cancel_and_offer(make_appointment(starts_at=in_days(6), team=team))
    assert not entry.offers.exists()


def test_moving_the_appointment_before_the_offer_takes_the_offer_back(desk: User) -> None:
    team = make_team()
    visit = make_appointment(starts_at=in_days(9), team=team)
    entry = ask_for_earlier(visit, by=visit.case.patient)
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    offer = open_offer(entry)
    deliver()
    move_appointment(
        visit,
        starts_at=in_days(3),
        ends_at=in_days(3) + HALF_HOUR,
        expected_start=visit.booking.starts_at,
        reason="staff",
        by=desk,
    )
    offer.refresh_from_db()
    assert (offer.state, offer.because) == (State.TAKEN_BACK, "later")
    entry.refresh_from_db()
    assert entry.ended_at is None
    cancel_appointment(Appointment.objects.get(pk=visit.pk), reason="staff", by=desk)
    entry.refresh_from_db()
    assert entry.ended_because == Ended.GONE


@pytest.mark.parametrize("whom", ["team", "clinic"])
def test_an_offer_that_becomes_unbookable_is_taken_back_by_mail(
    desk: User, team: list[Resource], whom: str
) -> None:
    first, second = make_waiting(), make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    offer = open_offer(first)
    deliver()
    add_exception(
        team[0] if whom == "team" else None,
        adds=False,
        starts_at=in_days(5, 6),
        ends_at=in_days(5, 20),
        reason="Ill",
        by=make_user(Role.ADMINISTRATOR),
    )
    let_supervisor_work()
    offer.refresh_from_db()
    assert (offer.state, offer.because) == (State.TAKEN_BACK, "team")
    assert events() == ["waitlist-offered", "waitlist-taken-back"]
    assert not second.offers.exists()
    with pytest.raises(OfferOver, match="take this offer back"):
        accept(offer, by=first.case.patient)
    assert Reservation.objects.count() == 0


def test_a_patient_who_was_not_told_of_an_offer_is_not_told_that_it_is_over(
    desk: User, team: list[Resource]
) -> None:
    first = make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    take_off(first, because=Ended.REMOVED, by=desk)
    assert events() == []
    assert WaitlistOffer.objects.get().state == State.TAKEN_BACK


def test_an_offer_that_became_unbookable_is_taken_back_when_it_is_accepted(
    desk: User, team: list[Resource]
) -> None:
    first = make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    offer = open_offer(first)
    AppointmentTemplate.objects.filter(name="Talk").update(in_use=False)
    with pytest.raises(OfferOver, match="kind of appointment was changed"):
        accept(offer, by=first.case.patient)
    offer.refresh_from_db()
    assert offer.state == State.TAKEN_BACK
    assert not Appointment.objects.filter(case=first.case).exists()
    assert take_back_unbookable() == 0


def test_withdrawal_takes_the_patient_off_and_frees_what_is_held(desk: User, team: list[Resource]) -> None:
    case = make_case()
    first, second = make_waiting(case), make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    deliver()
    withdraw(case, by=case.patient)
    first.refresh_from_db()
    assert first.ended_because == Ended.CASE_OVER
    assert WaitlistOffer.objects.get(entry=first).because == "case-over"
    assert events() == ["waitlist-offered", "waitlist-taken-back"]
    let_supervisor_work()
    assert open_offer(second).booking.starts_at == in_days(5)


def test_the_entries_of_a_case_closed_by_other_means_are_ended(desk: User, team: list[Resource]) -> None:
    entry, follow_up = make_waiting(), make_waiting(None, make_template("Later", kind="follow-up"))
    Case.objects.update(stage=Case.Stage.CLOSED)
    take_back_unbookable()
    entry.refresh_from_db()
    follow_up.refresh_from_db()
    assert (entry.ended_because, follow_up.ended_because) == (Ended.CASE_OVER, "")


def test_booking_the_same_thing_takes_the_patient_off(desk: User, team: list[Resource]) -> None:
    case = make_case()
    entry = make_waiting(case)
    other = make_waiting(case, make_template("Another talk"))
    held = hold_appointment(case, make_template(), resources=team, starts_at=in_days(8), by=desk)
    book_appointment(held, by=desk)
    entry.refresh_from_db()
    other.refresh_from_db()
    assert (entry.ended_because, other.ended_because) == (Ended.BOOKED, "")


def test_an_appointment_that_has_begun_cannot_be_earlier(desk: User) -> None:
    visit = make_appointment()
    entry = ask_for_earlier(visit, by=visit.case.patient)
    mark_arrived(visit, by=desk)
    entry.refresh_from_db()
    assert entry.ended_because == Ended.GONE
    with pytest.raises(CannotWait, match="not expected"):
        ask_for_earlier(visit, by=visit.case.patient)


def test_hours_and_days_that_suit(desk: User, team: list[Resource]) -> None:
    entry = make_waiting(
        from_clock=time(13), until_clock=time(15), first_day=in_days(4).date(), last_day=in_days(6).date()
    )
    for day, hour in ((5, 10), (3, 14), (7, 14), (5, 15)):
        cancel_and_offer(make_appointment(starts_at=in_days(day, hour), team=team))
        assert not entry.offers.exists(), (day, hour)
    cancel_and_offer(make_appointment(starts_at=in_days(5, 14), team=team))
    assert open_offer(entry).booking.starts_at == in_days(5, 14)


def test_wishes_are_changed_and_recorded_without_their_words(desk: User) -> None:
    entry = make_waiting(note="Only mornings.")
    values = {**ANY_TIME, "weekdays": 1, "note": "Calls back on Monday."}
    assert change_wishes(entry, values, {"weekdays", "note"}, by=desk) is True
    assert change_wishes(entry, values, {"weekdays", "note"}, by=desk) is False
    row = WaitlistEntry.objects.get()
    assert (row.weekdays, row.read().note) == (1, "Calls back on Monday.")
    assert b"Monday" not in bytes(row.sealed)
    assert Entry.objects.get(action="waitlist.changed").details == {
        "weekdays_changed": True,
        "note_changed": True,
    }


def test_time_left_after_a_no_show_is_offered(
    desk: User, team: list[Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    MovedClock(monkeypatch).set_to(in_days(1, 10))
    entry = make_waiting(None, make_template("Short", minutes=15))
    long = make_appointment(starts_at=timezone.now() - HALF_HOUR, minutes=480, name="Long", team=team)
    mark_no_show(long, by=desk)
    span = ChangedSpan.objects.get()
    assert span.ends_at == long.booking.ends_at
    let_supervisor_work()
    assert open_offer(entry).booking.starts_at < long.booking.ends_at


def test_extra_hours_are_offered(desk: User) -> None:
    doctor, room = make_doctor().resources.get(), make_room()
    entry = make_waiting()
    admin = make_user(Role.ADMINISTRATOR)
    closed = add_exception(
        None, adds=False, starts_at=timezone.now(), ends_at=in_days(89), reason="Shut", by=admin
    )
    let_supervisor_work()
    assert not entry.offers.exists()
    add_exception(doctor, adds=True, starts_at=in_days(5, 9), ends_at=in_days(5, 12), reason="More", by=admin)
    add_exception(room, adds=True, starts_at=in_days(5, 9), ends_at=in_days(5, 12), reason="More", by=admin)
    let_supervisor_work()
    assert open_offer(entry).booking.starts_at == in_days(5, 9)
    end_exception(closed.pk, resource=None, by=admin)
    assert ChangedSpan.objects.count() == 1


def test_the_extra_hours_of_a_season_are_offered_when_no_other_hours_are_free(desk: User) -> None:
    doctor, room, admin = make_doctor(), make_room(), make_user(Role.ADMINISTRATOR)
    entry, day = make_waiting(), in_days(5).date()
    elsewhere = {
        (day.weekday() + 3) % 7: [(time(9), time(10))]
    }  # outside the span that the agreements change
    for one in (doctor.resources.get(), room):
        change_week(one, elsewhere, valid_from=timezone.localdate(), reason="r", by=admin)
    ChangedSpan.objects.all().delete()
    hours = {"extra_days": str(day.weekday()), "extra_starts": time(20), "extra_ends": time(21)}
    season = make_season(
        SeasonValues("Valentine", day, day, waitlist_open=True, **hours), reason="r", by=admin
    )
    open_places(season, {room.pk}, seen_version=1, by=admin)
    agree_to(season, agrees=True, seen_version=1, by=doctor)
    let_supervisor_work()
    assert open_offer(entry).booking.starts_at == in_days(5, 20)


def test_the_setting_and_the_season_close_the_waitlist(desk: User, team: list[Resource]) -> None:
    entry = make_waiting()
    configure(waitlist_open=0)
    with pytest.raises(CannotWait, match="closed"):
        make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    assert not entry.offers.exists()
    today, day = timezone.localdate(), in_days(5).date()
    Season.objects.create(name="Valentine", first=today, last=day, waitlist_open=True)
    make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    assert open_offer(entry).booking.starts_at == in_days(5)
    Season.objects.update(waitlist_open=False)
    configure(waitlist_open=1)
    with pytest.raises(CannotWait, match="closed"):
        make_waiting()


def test_a_span_is_noted_only_while_somebody_waits(desk: User, team: list[Resource]) -> None:
    cancel_appointment(make_appointment(starts_at=in_days(5), team=team), reason="staff", by=desk)
    assert not ChangedSpan.objects.exists()
    make_waiting()
    held = hold_appointment(make_case(), make_template(), resources=team, starts_at=in_days(8), by=desk)
    hold_appointment(held.case, make_template(), resources=team, starts_at=in_days(9), by=desk)
    assert not ChangedSpan.objects.exists()  # a hold that is given up is no change


def test_a_patient_is_not_offered_a_time_with_themselves_as_the_doctor(desk: User) -> None:
    doctor, room = make_doctor(), make_room()
    doctor.grants.create(role=Role.PATIENT)
    entry = make_waiting(Case.objects.create(patient=doctor))
    other = make_waiting()
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=[doctor.resources.get(), room]))
    assert not entry.offers.exists()
    assert open_offer(other).booking.kind == Booking.Kind.VISIT


def test_a_file_that_was_altered_stops_nobody_else(desk: User, team: list[Resource]) -> None:
    broken, next_one = make_waiting(), make_waiting()
    sealed = bytearray(broken.case.sealed)
    sealed[-1] ^= 1
    Case.objects.filter(pk=broken.case_id).update(sealed=bytes(sealed))
    cancel_and_offer(make_appointment(starts_at=in_days(5), team=team))
    assert not broken.offers.exists()
    offer = open_offer(next_one)
    Case.objects.filter(pk=next_one.case_id).update(sealed=bytes(sealed))
    assert take_back_unbookable() == 0
    assert open_offer(next_one) == offer


def test_a_retired_template_and_a_closed_file_are_refused(desk: User) -> None:
    template = make_template("Old", in_use=False)
    with pytest.raises(CannotWait, match="retired"):
        make_waiting(None, template)
    case = make_case()
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
    for wanted in (make_template(), None):
        with pytest.raises(CannotWait, match="closed"):
            put_on_waitlist(case, wanted, wishes=ANY_TIME, by=desk)
