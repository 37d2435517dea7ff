"""The inbox: overdue first, only what the reader may know of, and as cheap with 1,000 threads as with ten."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clinic.access.policy import allowed
from clinic.accounts.models import Role, User
from clinic.http.keyset import PAGE_SIZE
from patients.cases.models import Case
from patients.messages.lists import ALL, LINE_PAGES, MINE, WAITING, inbox_page, lines_of
from patients.messages.models import Message, MessageThread
from tests.factories import make_case, make_doctor, make_run, make_technician, make_user
from tests.messages import answer, ask, client_of, thread_of
from tests.patients.crowd import crowd_of_cases
from tests.plans import SCANS, SORTS, analyze, plan_of, queries

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
NAMES = {Role.RECEPTIONIST, Role.TECHNICIAN, Role.DOCTOR}


def crowd_of_threads(number: int, prefix: str, *, assigned_to: User | None = None) -> list[MessageThread]:
    """Store `number` threads: two of three wait, every second is assigned. The cases have no keys."""
    now = timezone.now()
    rows = []
    for n, case in enumerate(crowd_of_cases(number, prefix, words=False)):
        thread = MessageThread(case=case, last_at=now - n * HOUR)
        if n % 3:
            thread.waits_since, thread.answer_by = now - 50 * HOUR, now + (n - number // 2) * HOUR
        if n % 2:
            thread.assigned_to = assigned_to
        rows.append(thread)
    return MessageThread.objects.bulk_create(rows, batch_size=500)


def shown(viewer: User, query: str = "") -> list[str]:
    """The ids of the threads on a page of the inbox."""
    page = client_of(viewer).get(f"/messages/{query}").content.decode()
    return re.findall(r'id="thread-([0-9a-f-]+)"', page)


def test_the_promise_that_ends_first_stands_first_and_what_waits_for_nothing_is_elsewhere() -> None:
    doctor, desk = make_doctor(), make_user(Role.RECEPTIONIST)
    late, later, done = make_case(), make_case(), make_case()
    for case in (later, late, done):
        ask(case)
    answer(done)
    MessageThread.objects.filter(case=late).update(answer_by=timezone.now() - HOUR)
    MessageThread.objects.filter(case=done).update(assigned_to=doctor)
    expected = [str(thread_of(late).pk), str(thread_of(later).pk)]
    for viewer in (doctor, desk):
        assert shown(viewer) == expected
    assert shown(doctor, "?show=mine") == [str(thread_of(done).pk)]
    assert shown(desk, "?show=mine") == []
    assert shown(doctor, "?show=all")[0] == str(thread_of(done).pk)
    assert len(shown(doctor, "?show=all")) == 3
    assert shown(doctor, "?show=nonsense") == expected
    lines = lines_of(inbox_page({}, WAITING, doctor).rows, doctor)
    assert [(line.is_overdue, line.is_new, line.is_open) for line in lines] == [
        (True, True, True),
        (False, True, True),
    ]
    Message.objects.filter(from_clinic=False).update(opened_at=timezone.now())
    Message.objects.filter(case=late).update(from_clinic=True, opened_at=None)  # the patient has not read it
    assert not any(line.is_new for line in lines_of(inbox_page({}, WAITING, doctor).rows, doctor))
    assert [line.is_open for line in lines_of(inbox_page({}, WAITING, desk).rows, desk)] == [False, False]


@pytest.mark.parametrize("stage", Case.Stage.values)
def test_a_line_is_for_whoever_may_open_the_file_or_the_thread(stage: str) -> None:
    run = make_run(memories=1)
    case = run.procedure.case
    technician = make_technician()
    MessageThread.objects.create(case=case, assigned_to=technician)
    Case.objects.filter(pk=case.pk).update(stage=stage)
    people = [
        *User.objects.filter(resources__bookings=run.procedure.booking),
        *(make_user(role) for role in Role.values),
        make_user(Role.AUDITOR, Role.TECHNICIAN),
        make_user(Role.DOCTOR, Role.RECEPTIONIST, name=case.read().subject_name + " Kruczynski"),
        technician,
        case.patient,
    ]
    case.write(type(case.read())(subject_name=people[-3].name))
    case.save(update_fields=["sealed"])
    seen = 0
    for person in User.objects.filter(pk__in=[one.pk for one in people]):
        opening = {
            role
            for page in LINE_PAGES
            for role in allowed(person, page, {"case": case.pk}, "GET").roles & NAMES
            if allowed(person, page, {"case": case.pk}, "GET").allowed
        }
        rows = inbox_page({}, ALL, person).rows
        assert bool(rows) == bool(opening), (stage, person.roles)
        seen += len(rows)
    assert 1 < seen < len(people)


def test_every_thread_is_on_one_page_in_either_direction() -> None:
    doctor = make_doctor()
    threads = crowd_of_threads(2 * PAGE_SIZE + 7, "few-", assigned_to=doctor)
    for chosen, wanted in (
        (WAITING, [one for one in threads if one.answer_by]),
        (MINE, [one for one in threads if one.assigned_to]),
        (ALL, threads),
    ):
        found: list[object] = []
        page = inbox_page({}, chosen, doctor)
        while True:
            found += [row.pk for row in page.rows]
            if page.after is None:
                break
            page = inbox_page({"after": str(page.after)}, chosen, doctor)
        assert len(found) == len(set(found)) == len(wanted)
        back = [row.pk for row in page.rows]
        while page.before is not None:
            page = inbox_page({"before": str(page.before)}, chosen, doctor)
            back = [row.pk for row in page.rows] + back
        assert set(back) == set(found)


def test_a_page_stays_full_where_the_reader_has_a_conflict() -> None:
    doctor = make_doctor()
    crowd_of_threads(PAGE_SIZE + 5, "many-")
    own = list(Case.objects.order_by("-message_thread__last_at")[:3])
    Case.objects.filter(pk__in=[case.pk for case in own]).update(patient=doctor, stage="closed")
    rows = inbox_page({}, ALL, doctor).rows
    assert len(rows) == PAGE_SIZE
    assert not {row.case_id for row in rows} & {case.pk for case in own}


@pytest.mark.parametrize("role", [Role.RECEPTIONIST, Role.DOCTOR, Role.TECHNICIAN])
@pytest.mark.parametrize("query", ["", "?show=mine", "?show=all"])
def test_a_thousand_threads_take_as_many_queries_as_thirty_and_no_table_is_read_as_a_whole(
    role: str, query: str
) -> None:
    viewer = make_user(role)
    client = client_of(viewer)
    crowd_of_threads(30 * 8, "few-", assigned_to=viewer)
    client.get(f"/messages/{query}")
    with CaptureQueriesContext(connection) as few:
        client.get(f"/messages/{query}")
    crowd_of_threads(1000, "many-", assigned_to=viewer)
    analyze()
    with CaptureQueriesContext(connection) as many:
        client.get(f"/messages/{query}")
    assert len(many) == len(few)
    with queries() as asked:
        client.get(f"/messages/{query}")
    about_threads = [one for one in asked if 'FROM "patients_messagethread"' in one[0] and "LIMIT" in one[0]]
    assert about_threads
    for one in about_threads:
        plan = plan_of(one)
        assert not SORTS.search(plan), plan
        scans = SCANS.findall(plan)
        indexes = {"thread_waiting", "thread_newest", "thread_assigned"}
        assert all(index in indexes for _table, index in scans), plan
