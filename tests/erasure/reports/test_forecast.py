"""The forecast of nights: what is computed from the clinic's own past, and what can still be booked."""

from datetime import datetime, time, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.availability.changes import change_limits, change_week
from clinic.calendar.models import Resource
from clinic.seasons.agreements import agree_to
from clinic.seasons.changes import SeasonValues, make_season
from erasure.procedures.models import Procedure
from erasure.reports.capacity import free_nights
from erasure.reports.forecast import MIN_COMPARED, WEEKS, coming_weeks, demand_of, demands, expected_nights
from erasure.reports.journeys import Journey, Stage, ended_journeys, waiting_days
from erasure.runs.models import Run
from patients.cases.models import Case
from patients.requests.models import AppointmentRequest
from tests.erasure.reports.nights import book_night, finish_night, make_case_row, sign_for_procedure
from tests.factories import make_doctor, make_room, make_technician, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

DAY = timedelta(days=1)
PAGE = "/reports/forecast/"


def journeys(*nights: float | None) -> list[Journey]:
    """Return journeys that ended with a night after so many days; None: after a year, without a night."""
    return [Journey(days, 365 if days is None else days) for days in nights]


def test_the_share_of_those_who_waited_as_long_and_had_a_night_in_that_week() -> None:
    past = journeys(*[5.0] * 4, *[20.0] * 6, *[None] * 4)
    assert expected_nights(0, past) == pytest.approx([4 / 14, 0, 6 / 14, 0, 0, 0, 0, 0])
    # Four had their night before the tenth day: the ten others are compared.
    assert expected_nights(10, past) == pytest.approx([0, 6 / 10, 0, 0, 0, 0, 0, 0])
    # After 30 days only four are not over.
    assert expected_nights(30, past) is None


def test_below_ten_ended_cases_nothing_is_said() -> None:
    assert demand_of([1.0, 2.0], journeys(*[5.0] * 9)).weeks is None
    known = demand_of([0.0, 0.0, 99.0], journeys(*[5.0] * 10))
    assert known.weeks == pytest.approx([2, 0, 0, 0, 0, 0, 0, 0])
    assert (known.waiting, known.left_out, known.included) == (3, 1, 2)


@given(
    ages=st.lists(st.floats(0, 100), max_size=5),
    nights=st.lists(st.one_of(st.none(), st.floats(0, 100)), max_size=30),
)
def test_nobody_is_expected_to_need_more_than_one_night(
    ages: list[float], nights: list[float | None]
) -> None:
    found = demand_of(ages, journeys(*nights))
    assert found.waiting == len(ages) == found.included + found.left_out
    if found.weeks is None:
        assert len(nights) < MIN_COMPARED or found.included == 0
    else:
        assert len(found.weeks) == WEEKS
        assert 0 <= sum(found.weeks) <= found.included + 1e-9


def make_finished_case(opened: datetime, doctor: User) -> Case:
    """A case that was signed for two days after it was opened, and had its night ten days later."""
    night_at = opened + 12 * DAY
    case = make_case_row(opened, stage=Case.Stage.CLOSED, closed_at=night_at)
    signature = sign_for_procedure(case, doctor, opened + 2 * DAY)
    night = book_night(signature, night_at, [], Procedure.State.DONE)
    finish_night(night, night_at + timedelta(hours=8), Run.Outcome.COMPLETE, [])
    return case


def test_the_clinic_s_own_past_is_compared_with_those_who_wait() -> None:
    now, doctor = timezone.now(), make_doctor()
    for _ in range(8):
        make_finished_case(now - 100 * DAY, doctor)
    for _ in range(4):
        make_case_row(now - 100 * DAY, stage=Case.Stage.WITHDRAWN, closed_at=now - 40 * DAY)
    for age in (1, 1, 6):
        make_case_row(now - age * DAY, stage=Case.Stage.REVIEW)
    make_case_row(now - 90 * DAY, stage=Case.Stage.REVIEW)
    past = ended_journeys(now)
    assert {stage: len(found) for stage, found in past.items() if found} == {
        Stage.CASE: 12,
        Stage.MAP_LOCKED: 8,
        Stage.SIGNED: 8,
    }
    assert [round(age) for age in sorted(waiting_days(now)[Stage.CASE])] == [1, 1, 6, 90]
    found = demands(now)
    assert found[Stage.CASE].weeks == pytest.approx([8 / 12, 16 / 12, 0, 0, 0, 0, 0, 0])
    assert found[Stage.CASE].left_out == 1
    assert found[Stage.SIGNED].weeks is None


def test_requests_are_followed_to_the_file_they_led_to() -> None:
    now, doctor = timezone.now(), make_doctor()
    opened = now - 100 * DAY
    case = make_finished_case(opened, doctor)
    request = AppointmentRequest.objects.create(
        name="A", email="a@example.com", state="accepted", created_at=opened - 5 * DAY
    )
    # `make_case_row` makes an invitation with a case of its own. Give the invited patient the finished case.
    unfinished = make_case_row(opened, invited_at=opened - 3 * DAY, stage=Case.Stage.INTAKE)
    invitation = Invitation.objects.get(used_by=unfinished.patient)
    Case.objects.filter(pk=unfinished.pk).update(patient=make_user(Role.PATIENT))
    Case.objects.filter(pk=case.pk).update(patient=unfinished.patient)
    AppointmentRequest.objects.filter(pk=request.pk).update(
        invitation=invitation, decided_at=opened - 3 * DAY
    )
    AppointmentRequest.objects.create(
        name="B", email="b@example.com", state="declined", created_at=opened, decided_at=opened + DAY
    )
    past = ended_journeys(now)
    assert sorted(past[Stage.REQUEST], key=lambda one: one.days_to_end) == [Journey(None, 1), Journey(17, 17)]
    assert past[Stage.INVITED] == [Journey(15, 15)]


@pytest.fixture
def team() -> list[Resource]:
    """A doctor, two technicians and two rooms. Nobody works at night."""
    people = [make_doctor().resources.get(), *(make_technician().resources.get() for _ in range(2))]
    for one in people:
        assert one.user is not None
        week = {weekday: [(time(9), time(17))] for weekday in range(7)}
        change_week(one, week, valid_from=timezone.localdate(), reason="r", by=one.user)
    return [*people, make_room(), make_room()]


def free_nights_from_tomorrow() -> list[int]:
    tomorrow = timezone.localdate() + DAY
    return free_nights(coming_weeks(tomorrow), timezone.now())


def test_the_scarcest_person_bounds_the_free_nights_with_rest_and_limits(team: list[Resource]) -> None:
    doctor = team[0]
    assert doctor.user is not None
    assert free_nights_from_tomorrow() == [0] * WEEKS
    week = {weekday: [(time(18), time(8))] for weekday in range(7)}
    for one in team[:3]:
        change_week(one, week, valid_from=timezone.localdate(), reason="r", by=doctor.user)
    assert free_nights_from_tomorrow() == [7] * WEEKS  # the one doctor can be in one night only
    change_limits(doctor, nights_a_week=2, rest_hours=None, by=doctor.user)
    assert sum(free_nights_from_tomorrow()) in range(2 * (WEEKS - 1), 2 * (WEEKS + 1) + 1)
    change_limits(doctor, nights_a_week=None, rest_hours=30, by=doctor.user)
    assert sum(free_nights_from_tomorrow()) == 7 * WEEKS // 2
    make_doctor()  # without working hours a doctor is free at any time
    assert sum(free_nights_from_tomorrow()) > 7 * WEEKS


def test_extra_hours_of_a_season_are_free_nights(team: list[Resource]) -> None:
    today = timezone.localdate()
    hours = {"extra_days": "0123456", "extra_starts": time(20), "extra_ends": time(6)}
    values = SeasonValues("Valentine", today + 1 * DAY, today + 3 * DAY, **hours)
    season = make_season(values, reason="r", by=make_user(Role.ADMINISTRATOR))
    for one in team[:2]:
        assert one.user is not None
        agree_to(season, agrees=True, seen_version=1, by=one.user)
    assert free_nights_from_tomorrow() == [3, *[0] * (WEEKS - 1)]


def test_the_page_says_too_little_known_and_has_tables_and_files() -> None:
    client = Client()
    client.force_login(make_user(Role.AUDITOR))
    make_case_row(timezone.now() - DAY, stage=Case.Stage.REVIEW)
    shown = client.get(PAGE).content.decode()
    assert "too little known" in shown
    assert shown.count("<svg") == shown.count("<table") == 2
    for figure in ("forecast-weeks", "forecast-stages"):
        answer = client.post(f"/reports/{figure}/export/")
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert "too little known" in answer.content.decode()
        details = Entry.objects.filter(action="report.exported").latest("index").details
        assert details == {"figure": figure, "since": timezone.localdate().isoformat()}
    assert client.post("/reports/forecast/export/").status_code == 404


def test_the_page_takes_as_many_queries_for_many_files() -> None:
    client = Client()
    client.force_login(make_user(Role.ADMINISTRATOR))
    client.get(PAGE)
    counts = []
    for _repeat in range(2):
        for _number in range(3):
            make_case_row(timezone.now() - DAY, stage=Case.Stage.REVIEW)
        with CaptureQueriesContext(connection) as queries:
            client.get(PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1]
