"""The limits on a patient's nights: in a season, and the repeat limit with its exceptions."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.calendar.models import Booking, Resource
from clinic.seasons.changes import SeasonValues, change_season, make_season, values_of
from clinic.seasons.models import Season
from erasure.procedures.booking import CannotBook, book_procedure, cancel_procedure, move_procedure
from erasure.procedures.models import Procedure
from erasure.procedures.offers import offered_nights, wanted_for
from erasure.runs.models import Run
from patients.cases.models import Case
from patients.repeats.exceptions import ADMINISTRATOR, DOCTOR, agree_to_exception
from patients.repeats.limits import months_after
from patients.repeats.models import RepeatException
from tests.configuration import configure
from tests.erasure.reports.nights import book_night, finish_night, make_case_row, sign_for_procedure
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_room,
    make_signed,
    make_technician,
    make_user,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def make_agreed(patient: User | None = None) -> Case:
    case = make_case(patient)
    make_keepsake(make_memory(case))
    make_signed(case)
    return case


def night_before(patient: User, days: int, outcome: str = Run.Outcome.COMPLETE) -> None:
    """A night of an earlier file of this patient that ended so many days ago."""
    at = timezone.now() - days * DAY
    case = make_case_row(at - 10 * DAY, stage=Case.Stage.CLOSED, closed_at=at)
    Case.objects.filter(pk=case.pk).update(patient=patient)
    signature = sign_for_procedure(case, make_doctor(), at - 5 * DAY)
    finish_night(book_night(signature, at, [], Procedure.State.DONE), at, outcome, [])


def team() -> list[Resource]:
    return [make_doctor().resources.get(), make_technician().resources.get(), make_room()]


def book(case: Case, days: float, by: User | None = None) -> Procedure:
    starts_at = timezone.now() + days * DAY
    return book_procedure(
        case,
        place=Procedure.Place.CLINIC,
        resources=team(),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=8),
        by=by or make_doctor(),
    )


def move(procedure: Procedure, days: float) -> Procedure:
    starts_at = timezone.now() + days * DAY
    return move_procedure(
        procedure,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(hours=8),
        expected_start=procedure.booking.starts_at,
        by=make_doctor(),
    )


def refusal_of(action: object, *args: object) -> str:
    before = (Booking.objects.count(), Entry.objects.count())
    with pytest.raises(CannotBook) as refusal:
        action(*args)  # type: ignore[operator]
    assert (Booking.objects.count(), Entry.objects.count()) == before
    return str(refusal.value)


def make_limited_season(first: int, last: int, **limits: int) -> Season:
    today = timezone.localdate()
    values = SeasonValues("Valentine", today + first * DAY, today + last * DAY, **limits)
    return make_season(values, reason="r", by=make_user(Role.ADMINISTRATOR))


def make_running_season(last: int, **limits: int) -> Season:
    """A season that began twenty days ago."""
    season = make_limited_season(0, last, **limits)
    Season.objects.filter(pk=season.pk).update(first=timezone.localdate() - 20 * DAY)
    return season


def agree_both(case: Case) -> RepeatException:
    agree_to_exception(case, role=DOCTOR, reason="medically sound", by=make_doctor())
    return agree_to_exception(case, role=ADMINISTRATOR, reason="agreed", by=make_user(Role.ADMINISTRATOR))


def test_a_season_limits_the_nights_of_one_patient_over_all_their_files() -> None:
    make_running_season(20, nights_per_patient=1)
    case = make_agreed()
    night_before(case.patient, 3)
    assert refusal_of(book, case, 12) == (
        "In the season “Valentine” a patient has at most 1 night, and this patient has 1."
    )
    booked = book(case, 30)
    assert "at most 1 night" in refusal_of(move, booked, 12)
    book(make_agreed(), 12)  # another patient


def test_moving_a_night_within_the_season_does_not_count_it_twice_and_a_later_rule_moves_nothing() -> None:
    season = make_limited_season(5, 20, nights_per_patient=1)
    procedure = move(book(make_agreed(), 10), 12)
    today = timezone.localdate()
    change_season(
        season, replace(values_of(season), last=today + 8 * DAY), reason="r", by=make_user(Role.ADMINISTRATOR)
    )
    procedure.refresh_from_db()
    assert procedure.state == Procedure.State.BOOKED
    assert timezone.localdate(procedure.booking.starts_at) == today + 12 * DAY


def test_a_canceled_night_gives_its_place_in_the_season_back() -> None:
    make_limited_season(5, 20, nights_per_patient=1)
    case = make_agreed()
    cancel_procedure(book(case, 10), by=make_doctor())
    case.refresh_from_db()
    assert book(case, 12).state == Procedure.State.BOOKED


def test_two_nights_of_a_patient_are_so_many_months_apart() -> None:
    configure(repeat_months=6)
    case = make_agreed()
    night_before(case.patient, 100)
    assert "The clinic keeps 6 months between two" in refusal_of(book, case, 10)
    assert book(case, 120).state == Procedure.State.BOOKED


@pytest.mark.parametrize(("outcome", "counts"), [("complete", True), ("partial", True), ("stopped", False)])
def test_only_nights_that_erased_what_they_should_count(outcome: str, counts: bool) -> None:
    configure(nights_ever=1)
    case = make_agreed()
    night_before(case.patient, 400, outcome)
    if counts:
        assert "This patient has 1 night already. The clinic allows 1." in refusal_of(book, case, 10)
    else:
        assert book(case, 10).state == Procedure.State.BOOKED


def test_an_exception_needs_two_people_and_is_used_up_by_the_night() -> None:
    configure(nights_ever=1)
    case = make_agreed()
    night_before(case.patient, 400)
    agree_to_exception(case, role=DOCTOR, reason="medically sound", by=make_doctor())
    assert "A doctor and an administrator can agree" in refusal_of(book, case, 10)
    row = agree_to_exception(case, role=ADMINISTRATOR, reason="agreed", by=make_user(Role.ADMINISTRATOR))
    by = make_doctor()
    procedure = book(case, 10, by=by)
    row.refresh_from_db()
    assert (row.used_for, row.used_at is not None) == (procedure.pk, True)
    entry = Entry.objects.get(action="repeat.used")
    assert (entry.actor, entry.details) == (f"user:{by.pk}", {"procedure": str(procedure.pk)})
    assert move(procedure, 12).state == Procedure.State.BOOKED  # the same night
    cancel_procedure(procedure, by=by)
    case.refresh_from_db()
    assert "The clinic allows 1." in refusal_of(book, case, 10)


def test_an_exception_is_not_used_where_the_limit_allows_the_night() -> None:
    configure(repeat_months=6)
    case = make_agreed()
    night_before(case.patient, 100)
    row = agree_both(case)
    book(case, 200)
    row.refresh_from_db()
    assert row.used_at is None


def test_an_exception_from_the_repeat_limit_is_none_from_a_season() -> None:
    configure(nights_ever=1)
    make_running_season(20, nights_per_patient=1)
    case = make_agreed()
    night_before(case.patient, 3)
    agree_both(case)
    assert refusal_of(book, case, 12).startswith("In the season “Valentine”")


def test_offers_leave_out_days_that_the_limits_leave_out() -> None:
    configure(repeat_months=1)
    make_running_season(25, nights_per_patient=1)
    case = make_agreed()
    night_before(case.patient, 10)

    def days() -> list[date]:
        wanted = wanted_for(Procedure.Place.CLINIC, [], team())
        found = offered_nights(case, wanted, None, start=timezone.now(), keep={})
        return [timezone.localdate(offer.starts_at) for offer in found]

    today = timezone.localdate()
    assert days()[0] == today + 26 * DAY  # after the season, and a month after the night of ten days ago
    configure(repeat_months=2)
    assert days()[0] == months_after(today - 10 * DAY, 2)
    agree_both(case)
    assert days()[0] == today + 26 * DAY
