"""The reports on a month of a small clinic: the numbers, the page, the file, and what the queries cost."""

import csv
import io
import re
from datetime import date, datetime, time, timedelta

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.availability.models import WorkingHours
from clinic.calendar.models import Booking, Resource
from erasure.procedures.models import Procedure
from erasure.reports import attendance
from erasure.reports.counts import FIGURES
from erasure.reports.spans import Span
from erasure.runs.models import Run, Step
from patients.appointments.booking import cancel_appointment
from patients.appointments.models import Appointment
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.requests.models import AppointmentRequest
from tests.appointments import make_appointment
from tests.erasure.reports.nights import book_night, finish_night, make_case_row, sign_for_procedure
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SPAN = Span(date(2026, 2, 1), date(2026, 2, 28))
ADDRESS = "/reports/?period=chosen&since=2026-02-01&until=2026-02-28"
GONE, KEPT, SPARED = (
    (Step.State.DESTROYED, ""),
    (Step.State.SPARED, "protected"),
    (Step.State.SPARED, "safe-word"),
)


def at(day: int, hour: int = 12, month: int = 2) -> datetime:
    return timezone.make_aware(datetime(2026, month, day, hour))


def numbers(key: str, span: Span = SPAN) -> dict[str, list[str]]:
    """The table of a figure, as it is shown, by label."""
    return {str(row.label): [str(value) for value in row.values] for row in FIGURES[key](span).rows}


@pytest.fixture
def month() -> None:
    """Four complete nights and one partial one in February, one canceled, one missed; one in March."""
    doctor = make_user(Role.DOCTOR)
    room = Resource.objects.create(kind=Resource.Kind.ROOM, label="Night room")
    doctors = [
        Resource.objects.create(kind=Resource.Kind.DOCTOR, label=f"Dr. {n}", user=make_user(Role.DOCTOR))
        for n in range(3)
    ]
    for one in (room, *doctors):
        for weekday in range(7):
            WorkingHours.objects.create(
                resource=one,
                weekday=weekday,
                starts=time(20),
                ends=time(6),
                valid_from=date(2026, 1, 1),
                made_by=doctor,
            )
    days = (2, 4, 6, 8, 10)
    for wait, day in enumerate(days, start=1):
        case = make_case_row(
            at(1, month=1), invited_at=at(1, month=1), stage=Case.Stage.CLOSED, closed_at=at(day)
        )
        signature = sign_for_procedure(case, doctor, at(day, 22) - timedelta(days=wait))
        night = book_night(signature, at(day, 22), [room, doctors[day % 3]], Procedure.State.DONE)
        partial = day == days[-1]
        steps = [GONE, KEPT, SPARED] if partial else [GONE, GONE]
        outcome = Run.Outcome.PARTIAL if partial else Run.Outcome.COMPLETE
        finish_night(night, at(day + 1, 4), outcome, steps)
    for day, state in ((20, Procedure.State.CANCELED), (22, Procedure.State.BOOKED)):
        case = make_case_row(at(1), invited_at=at(1, month=1))
        book_night(sign_for_procedure(case, doctor, at(3)), at(day, 22), [], state)
    outside = sign_for_procedure(make_case_row(at(1, month=3)), doctor, at(2, month=3))
    night = book_night(outside, at(9, month=3), [], Procedure.State.DONE)
    finish_night(night, at(10, month=3), Run.Outcome.COMPLETE, [GONE])


def test_nights_and_memories_are_counted_by_outcome(month: None) -> None:
    assert numbers("procedures") == {
        "complete": ["4"],
        "partial": ["under 3"],
        "stopped": ["0"],
        "canceled": ["under 3"],
    }
    erased, kept, spared = numbers("memories").values()
    assert erased == ["9"]  # of five people
    assert kept == spared == ["under 3"]


def test_use_is_of_working_hours_and_people_are_counted_by_role(month: None) -> None:
    use = numbers("use")
    # 28 evenings of four hours and mornings of six, five nights of eight hours.
    assert use == {"Doctors": ["5 %", "40 h", "840 h"], "Night room": ["14 %", "40 h", "280 h"]}
    Resource.objects.filter(kind=Resource.Kind.DOCTOR, label="Dr. 0").update(in_use=False)
    assert numbers("use")["Doctors"] == ["under 3"] * 3


def test_waiting_times_of_requests_consents_and_nights_are_counted(month: None) -> None:
    for hours in (24, 48, 96):
        AppointmentRequest.objects.create(
            name="A",
            email="a@lacuna.example",
            state=AppointmentRequest.State.ACCEPTED,
            created_at=at(5) - timedelta(hours=hours),
            decided_at=at(5),
        )
    request, consent, night = numbers("waiting").values()
    assert request == ["2.0 days", "4.0 days", "3"]
    assert consent[2] == "7"
    assert night == ["3.0 days", "5.0 days", "5"]


def test_withdrawals_are_counted_by_stage_and_by_week() -> None:
    doctor = make_user(Role.DOCTOR)
    for number in range(3):
        case = make_case_row(at(1), stage=Case.Stage.WITHDRAWN, closed_at=at(20))
        sign_for_procedure(
            case,
            doctor,
            at(10),
            cooling_off_hours=14 * 24,
            withdrawn_at=at(10) + timedelta(days=7, hours=number),
        )
        make_case_row(at(1), stage=Case.Stage.WITHDRAWN, closed_at=at(1, month=3))
    case = make_case_row(at(1), stage=Case.Stage.WITHDRAWN, closed_at=at(21))
    book_night(sign_for_procedure(case, doctor, at(10)), at(21), [], Procedure.State.STARTED)
    left = [row[0] for row in numbers("drop-outs").values()]
    assert left == ["0", "0", "0", "3", "0", "under 3", "0"]
    assert [row[0] for row in numbers("regret").values()] == ["0", "3", "0"]


def test_a_withdrawal_counts_at_the_last_night_and_at_what_became_of_it() -> None:
    doctor = make_user(Role.DOCTOR)

    def stop_and_withdraw(finished_at: datetime, withdrawn_at: datetime) -> Signature:
        case = make_case_row(at(1), stage=Case.Stage.WITHDRAWN, closed_at=withdrawn_at)
        signature = sign_for_procedure(case, doctor, at(3))
        night = book_night(signature, at(10), [], Procedure.State.DONE)
        finish_night(night, finished_at, Run.Outcome.STOPPED, [SPARED])
        return signature

    for _number in range(3):  # the night is finished after the withdrawal that stopped it
        stop_and_withdraw(finished_at=at(10, 15), withdrawn_at=at(10, 14))
    for _number in range(4):
        stop_and_withdraw(finished_at=at(10, 15), withdrawn_at=at(12))
    for _number in range(5):  # another night was booked after the stopped one
        signature = stop_and_withdraw(finished_at=at(10, 15), withdrawn_at=at(20))
        book_night(signature, at(25), [], Procedure.State.CANCELED)
    left = [row[0] for row in numbers("drop-outs").values()]
    assert left == ["0", "0", "0", "0", "5", "3", "4"]


def test_who_did_not_come_is_counted_by_kind(month: None) -> None:
    starts_at = timezone.now() - timedelta(days=2)
    desk = make_user(Role.RECEPTIONIST)
    days = [starts_at + timedelta(hours=number) for number in range(4)]
    visits = [make_appointment(starts_at=day, by=desk) for day in days]
    cancel_appointment(visits.pop(), reason="patient", by=desk)
    Appointment.objects.filter(pk__in=[one.pk for one in visits]).update(status=Appointment.Status.NO_SHOW)
    around = Span(timezone.localdate(starts_at), timezone.localdate())
    found = attendance.attendance(around)
    assert found[Booking.Kind.VISIT] == attendance.Attendance(due=3, missed=3)
    assert found[Booking.Kind.FOLLOW_UP] == attendance.Attendance()
    assert attendance.nights(SPAN) == attendance.Attendance(due=6, missed=1)
    assert numbers("did-not-come")["erasure"] == ["under 3", "under 3", "6"]
    assert list(numbers("did-not-come")) == ["visit", "mapping", "erasure", "follow-up"]


def test_the_page_draws_every_figure_without_names_and_exports_one(month: None, client: Client) -> None:
    auditor = make_user(Role.AUDITOR)
    client.force_login(auditor, backend=django_settings.AUTHENTICATION_BACKENDS[0])
    page = client.get(ADDRESS).content.decode()
    assert page.count('<svg class="report-picture"') == page.count("<table") == len(FIGURES)
    assert page.count("<title id=") == page.count("<desc id=") == len(FIGURES)
    assert "style=" not in page
    for case in Case.objects.select_related("patient"):
        assert case.reference not in page
        assert case.patient.name not in page
    assert "Dr. 0" not in page
    assert client.get("/reports/").status_code == 200
    wrong = client.get("/reports/?period=chosen&since=2026-02-03&until=2026-02-01")
    assert (wrong.status_code, "before the first one" in wrong.content.decode()) == (422, True)
    assert 'value="2026-02-03"' in wrong.content.decode()

    address = reverse("erasure:report-export", args=["procedures"])
    answer = client.post(address, {"period": "chosen", "since": "2026-02-01", "until": "2026-02-28"})
    assert answer["Content-Disposition"] == 'attachment; filename="procedures-20260201-20260228.csv"'
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows == [
        ["", "Nights"],
        ["complete", "4"],
        ["partial", "under 3"],
        ["stopped", "0"],
        ["canceled", "under 3"],
    ]
    entry = Entry.objects.order_by("index").last()
    assert entry is not None
    assert (entry.action, entry.actor) == ("report.exported", f"user:{auditor.pk}")
    assert entry.details == {"figure": "procedures", "since": "2026-02-01", "until": "2026-02-28"}
    assert client.post("/reports/salaries/export/", {}).status_code == 404
    assert client.post(address, {"period": "chosen"}).status_code == 422
    assert Entry.objects.filter(action="report.exported").count() == 1


# Tables that stay as small as a clinic is. All others are read by an index.
SMALL = {
    "clinic_resource",
    "clinic_workinghours",
    "clinic_availabilityexception",
    "clinic_nightlimits",
    "clinic_season",
    "clinic_seasonagreement",
    "clinic_user",
}


def scans(sql: str) -> list[str]:
    """The tables that the database would read whole for a query."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[3] for row in cursor.fetchall()]
            return [found[1] for line in plan if (found := re.match(r"SCAN (\w+)", line))]
        # A few rows are always read whole, unless that is forbidden.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {sql}")
        return [found[1] for (line,) in cursor.fetchall() if (found := re.search(r"Seq Scan on (\w+)", line))]


def test_no_query_grows_with_the_clinic(month: None) -> None:
    with CaptureQueriesContext(connection) as few:
        for figure in FIGURES.values():
            figure(SPAN)
    doctor = make_user(Role.DOCTOR)
    for day in range(1, 9):
        signature = sign_for_procedure(make_case_row(at(day)), doctor, at(day))
        finish_night(book_night(signature, at(day, 23), [], "done"), at(day + 1), "complete", [GONE])
    with CaptureQueriesContext(connection) as many:
        for figure in FIGURES.values():
            figure(SPAN)
    assert len(many) == len(few) <= 20
    for query in many.captured_queries:
        tables = dict(re.findall(r'(?:FROM|JOIN) "(\w+)" ([TUVW]\d+)', query["sql"]))
        names = {tables.get(table, table) for table in scans(query["sql"])}
        assert names <= SMALL, query["sql"]
