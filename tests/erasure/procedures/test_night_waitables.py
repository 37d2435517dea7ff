"""Nights on the waitlist: offered only to who may have one then, and booked by the rules of nights."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
from clinic.outgoing.models import OutgoingMessage
from clinic.seasons.models import Season
from erasure.procedures.booking import book_procedure, cancel_procedure, move_procedure
from erasure.procedures.models import Procedure
from erasure.runs.planning import start_run
from patients.cases.models import Case
from patients.intake_review.models import IntakeReview
from patients.maps.locking import unlock_map
from patients.repeats.exceptions import take_back_exception
from patients.waitlist.entries import CannotWait, ask_for_earlier_night, put_on_waitlist
from patients.waitlist.models import WaitlistEntry, WaitlistOffer
from patients.waitlist.offers import OfferOver, accept, decline
from patients.waitlist.supervisor_work import take_back_unbookable
from tests.configuration import configure
from tests.erasure.procedures.test_limits import agree_both, night_before
from tests.factories import (
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_signed,
    make_user,
    review_intake,
)
from tests.nights import book_night
from tests.outgoing import deliver
from tests.waitlist import ANY_TIME, let_supervisor_work, open_offer

pytestmark = pytest.mark.django_db
State, Ended = WaitlistOffer.State, WaitlistEntry.Ended


@pytest.fixture
def desk() -> User:
    return make_user(Role.RECEPTIONIST)


def signed_case() -> Case:
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    case.refresh_from_db()
    return case


def wait_for_night(case: Case, desk: User, place: str = "clinic") -> WaitlistEntry:
    return put_on_waitlist(case, None, wishes=ANY_TIME, place=place, by=desk)


def in_days(days: int) -> date:
    return timezone.localdate() + timedelta(days=days)


def give_back(night: Procedure, desk: User) -> None:
    """Cancel a night, and let the supervisor offer its time."""
    cancel_procedure(night, by=desk)
    let_supervisor_work()


def test_a_night_that_is_given_back_is_offered_to_the_first_who_may_have_it(desk: User) -> None:
    unsigned = make_case()
    make_keepsake(make_memory(unsigned))
    waits_unsigned = wait_for_night(unsigned, desk)
    at_home = wait_for_night(signed_case(), desk, "home")
    entry = wait_for_night(signed_case(), desk)
    night = book_night(in_days(5), hours=10)
    give_back(night, desk)
    offer = open_offer(entry)
    assert offer.booking.starts_at == night.booking.starts_at
    assert offer.booking.ends_at == night.booking.ends_at
    assert not waits_unsigned.offers.exists()
    assert not at_home.offers.exists()  # there is no kit
    accept(offer, by=entry.case.patient)
    booked = Procedure.objects.select_related("booking").get(case=entry.case, state="booked")
    assert (booked.place, booked.booking.starts_at) == ("clinic", night.booking.starts_at)
    entry.refresh_from_db()
    assert entry.ended_because == Ended.BOOKED
    assert Case.objects.get(pk=entry.case_id).stage == Case.Stage.BOOKED
    told = OutgoingMessage.objects.filter(event="night-booked", case=entry.case_id, audience="patient")
    assert told.count() == 1


def test_a_night_within_the_time_to_think_it_over_is_not_offered(desk: User) -> None:
    night, later = book_night(in_days(3), hours=10), book_night(in_days(6), hours=10)
    configure(cooling_off_hours=96)
    entry = wait_for_night(signed_case(), desk)
    give_back(night, desk)
    assert not entry.offers.exists()
    give_back(later, desk)
    assert open_offer(entry).booking.starts_at == later.booking.starts_at


def test_a_night_that_the_patients_limits_refuse_is_not_offered(desk: User) -> None:
    configure(repeat_months=6)
    case = signed_case()
    night_before(case.patient, 100)
    entry = wait_for_night(case, desk)
    give_back(book_night(in_days(5), hours=10), desk)
    assert not entry.offers.exists()
    agree_both(case)
    give_back(book_night(in_days(6), hours=10), desk)
    offer = open_offer(entry)
    take_back_exception(case, by=make_user(Role.DOCTOR))
    assert take_back_unbookable() == 1
    offer.refresh_from_db()
    assert (offer.state, offer.because) == (State.TAKEN_BACK, "not-ready")


def test_an_earlier_night_that_the_patients_limits_refuse_is_not_offered(desk: User) -> None:
    later = book_night(in_days(9), hours=10)
    entry = ask_for_earlier_night(later.case, by=later.case.patient)
    today = timezone.localdate()
    season = Season.objects.create(name="Valentine", first=today, last=in_days(7), nights_per_patient=1)
    Season.objects.update(waitlist_open=True)
    night_before(later.case.patient, 0)
    booked = {"place": "clinic", "resources": list(later.booking.resources.all()), "by": desk}
    days = timedelta(days=4)
    span = {"starts_at": later.booking.starts_at - days, "ends_at": later.booking.ends_at - days}
    give_back(book_procedure(signed_case(), **span, **booked), desk)
    assert not entry.offers.exists()
    Season.objects.filter(pk=season.pk).update(nights_per_patient=2)
    give_back(book_procedure(signed_case(), **span, **booked), desk)
    assert open_offer(entry).booking.starts_at == span["starts_at"]
    Season.objects.filter(pk=season.pk).update(nights_per_patient=1)
    assert take_back_unbookable() == 1


@pytest.mark.parametrize("what", ["unlocked", "not cleared"])
def test_an_offered_night_that_may_not_take_place_is_taken_back(desk: User, what: str) -> None:
    entry = wait_for_night(signed_case(), desk)
    give_back(book_night(in_days(5), hours=10), desk)
    deliver()
    offer = open_offer(entry)
    if what == "unlocked":
        unlock_map(entry.case, by=make_user(Role.DOCTOR))
    else:
        review_intake(entry.case, IntakeReview.Outcome.NOT_CLEARED, "Not now.")
    assert take_back_unbookable() == 1
    offer.refresh_from_db()
    assert (offer.state, offer.because) == (State.TAKEN_BACK, "not-ready")
    assert OutgoingMessage.objects.filter(event="waitlist-taken-back").count() == 1
    with pytest.raises(OfferOver, match="settled before the night"):
        accept(offer, by=entry.case.patient)
    entry.refresh_from_db()
    assert entry.ended_at is None


def test_an_earlier_night_moves_it_and_frees_the_later_one(desk: User) -> None:
    later = book_night(in_days(9), hours=10)
    team = list(later.booking.resources.all())
    entry = ask_for_earlier_night(later.case, by=later.case.patient)
    with pytest.raises(CannotWait, match="already"):
        ask_for_earlier_night(later.case, by=later.case.patient)
    other = signed_case()
    night = book_procedure(
        other,
        place="clinic",
        resources=team,
        starts_at=later.booking.starts_at - timedelta(days=4),
        ends_at=later.booking.ends_at - timedelta(days=4),
        by=desk,
    )
    waits = wait_for_night(signed_case(), desk)
    give_back(night, desk)
    offer = open_offer(entry)
    assert offer.booking.starts_at == night.booking.starts_at
    assert set(offer.booking.resources.all()) == set(team)
    accept(offer, by=later.case.patient)
    moved = Procedure.objects.select_related("booking").get(pk=later.pk)
    assert moved.booking.starts_at == night.booking.starts_at
    let_supervisor_work()
    assert open_offer(waits).booking.starts_at == later.booking.starts_at
    entry.refresh_from_db()
    assert entry.ended_because == Ended.BOOKED


def test_declining_an_earlier_night_changes_nothing(desk: User) -> None:
    later = book_night(in_days(9), hours=10)
    entry = ask_for_earlier_night(later.case, by=later.case.patient)
    night = book_procedure(
        signed_case(),
        place="clinic",
        resources=list(later.booking.resources.all()),
        starts_at=later.booking.starts_at - timedelta(days=4),
        ends_at=later.booking.ends_at - timedelta(days=4),
        by=desk,
    )
    give_back(night, desk)
    decline(open_offer(entry), by=later.case.patient)
    let_supervisor_work()
    moved = Procedure.objects.select_related("booking").get(pk=later.pk)
    assert moved.booking.starts_at == later.booking.starts_at
    assert WaitlistOffer.objects.open().count() == 0


def test_a_night_moved_before_the_offer_takes_the_offer_back(desk: User) -> None:
    later = book_night(in_days(9), hours=10)
    entry = ask_for_earlier_night(later.case, by=later.case.patient)
    days = timedelta(days=4)
    night = book_procedure(
        signed_case(),
        place="clinic",
        resources=list(later.booking.resources.all()),
        starts_at=later.booking.starts_at - days,
        ends_at=later.booking.ends_at - days,
        by=desk,
    )
    give_back(night, desk)
    offer = open_offer(entry)
    move_procedure(
        later,
        starts_at=later.booking.starts_at - timedelta(days=6),
        ends_at=later.booking.ends_at - timedelta(days=6),
        expected_start=later.booking.starts_at,
        by=desk,
    )
    offer.refresh_from_db()
    assert (offer.state, offer.because) == (State.TAKEN_BACK, "later")


def test_a_night_that_starts_or_is_given_back_cannot_be_earlier(desk: User) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    night = make_procedure(case)
    entry = ask_for_earlier_night(case, by=case.patient)
    start_run(night.pk, by=None)
    entry.refresh_from_db()
    assert entry.ended_because == Ended.GONE
    with pytest.raises(CannotWait, match="no night"):
        ask_for_earlier_night(case, by=case.patient)
    with pytest.raises(CannotWait, match="under way"):
        wait_for_night(case, desk)
    other = book_night(in_days(9), hours=10)
    asked = wait_for_night(other.case, desk)  # with a night booked it is for an earlier one
    assert asked.kind == WaitlistEntry.Kind.EARLIER_NIGHT
    cancel_procedure(other, by=desk)
    asked.refresh_from_db()
    assert asked.ended_because == Ended.GONE


def test_nobody_is_offered_a_night_with_people_who_are_not_available_for_the_case(desk: User) -> None:
    entry = wait_for_night(signed_case(), desk)
    night = book_night(in_days(5), hours=10)
    Resource.objects.filter(bookings=night.booking, kind="doctor").update(in_use=False)
    Resource.objects.filter(kind="doctor").exclude(bookings=night.booking).update(in_use=False)
    give_back(night, desk)
    assert not entry.offers.exists()
