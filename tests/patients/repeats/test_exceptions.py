"""Exceptions from the repeat limit: two people, each with a reason, and what is refused."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.repeats.exceptions import (
    ADMINISTRATOR,
    DOCTOR,
    ExceptionRefused,
    agree_to_exception,
    exception_mark,
    has_exception,
    take_back_exception,
    use_exception,
)
from patients.repeats.limits import Night, months_after, repeat_limit_sentences
from patients.repeats.models import RepeatException
from patients.requests.decisions import CannotDecide, decide
from tests.configuration import configure
from tests.erasure.procedures.test_limits import night_before
from tests.factories import make_case, make_request, make_user

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2024, 1, 31), 1, date(2024, 2, 29)),
        (date(2026, 11, 15), 2, date(2027, 1, 15)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(9999, 6, 1), 12, date.max),
    ],
)
def test_months_end_on_the_last_day_where_there_is_no_such_day(day: date, months: int, later: date) -> None:
    assert months_after(day, months) == later


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(0, 240))
def test_months_later_is_the_next_month_of_that_number(day: date, months: int) -> None:
    later = months_after(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day <= day.day


def test_the_limit_counts_months_before_a_night_as_well_as_after_it() -> None:
    configure(repeat_months=3)
    case = make_case()
    nights = [Night(case.pk, date(2026, 6, 15), False)]
    assert repeat_limit_sentences(nights, date(2026, 9, 14))
    assert repeat_limit_sentences(nights, date(2026, 3, 16))
    assert repeat_limit_sentences(nights, date(2026, 9, 15)) == []
    assert repeat_limit_sentences(nights, date(2026, 3, 15)) == []


def test_nobody_agrees_twice_alone_or_without_a_reason() -> None:
    case, both = make_case(), make_user(Role.DOCTOR, Role.ADMINISTRATOR)
    with pytest.raises(ExceptionRefused, match="Please say why"):
        agree_to_exception(case, role=DOCTOR, reason=" ", by=both)
    with pytest.raises(ExceptionRefused, match="not this one"):
        agree_to_exception(case, role=ADMINISTRATOR, reason="r", by=make_user(Role.DOCTOR))
    with pytest.raises(ExceptionRefused, match="not this one"):
        agree_to_exception(case, role="receptionist", reason="r", by=make_user(Role.RECEPTIONIST))
    agree_to_exception(case, role=DOCTOR, reason="r", by=both)
    with pytest.raises(ExceptionRefused, match="You have agreed already"):
        agree_to_exception(case, role=ADMINISTRATOR, reason="r", by=both)
    with pytest.raises(ExceptionRefused, match="in this role already"):
        agree_to_exception(case, role=DOCTOR, reason="r", by=make_user(Role.DOCTOR))
    assert not has_exception(case.patient_id)
    agree_to_exception(case, role=ADMINISTRATOR, reason="r", by=make_user(Role.ADMINISTRATOR))
    assert has_exception(case.patient_id)
    assert [entry.details for entry in Entry.objects.filter(action="repeat.agreed").order_by("index")] == [
        {"role": "doctor", "complete": False},
        {"role": "administrator", "complete": True},
    ]


def test_a_doctor_who_is_the_patient_does_not_agree() -> None:
    person = make_user(Role.PATIENT, Role.DOCTOR, Role.ADMINISTRATOR)
    case = make_case(person)
    with pytest.raises(ExceptionRefused, match="not available for this case"):
        agree_to_exception(case, role=DOCTOR, reason="r", by=person)
    assert signed_in(person).get(f"/files/{case.pk}/repeat/").status_code == 404


def test_what_was_taken_back_counts_no_more_and_can_be_given_again() -> None:
    case, doctor = make_case(), make_user(Role.DOCTOR)
    with pytest.raises(ExceptionRefused, match="no open exception"):
        take_back_exception(case, by=doctor)
    agree_to_exception(case, role=DOCTOR, reason="r", by=doctor)
    agree_to_exception(case, role=ADMINISTRATOR, reason="r", by=make_user(Role.ADMINISTRATOR))
    take_back_exception(case, by=doctor)
    assert not has_exception(case.patient_id)
    with transaction.atomic(), pytest.raises(LookupError):
        use_exception(case, case.pk, by=doctor)
    agree_to_exception(case, role=DOCTOR, reason="r", by=doctor)
    assert RepeatException.objects.open().count() == 1
    assert Entry.objects.get(action="repeat.taken-back").details == {"complete": True}


def test_the_database_keeps_two_people_reasons_and_one_open_exception() -> None:
    patient, doctor = make_user(Role.PATIENT), make_user(Role.DOCTOR)
    administrator = make_user(Role.ADMINISTRATOR)
    complete = {"doctor": doctor, "doctor_reason": "r"}
    complete |= {"administrator": administrator, "administrator_reason": "r"}
    now = timezone.now()
    for name, wrong in (
        ("repeat_exception_by_two_people", {"administrator": doctor}),
        ("repeat_exception_has_reasons", {"doctor_reason": ""}),
        ("repeat_exception_has_reasons", {"administrator_reason": ""}),
        ("repeat_exception_used_when_complete", {"used_at": now}),
        ("repeat_exception_used_when_complete", {"used_at": now, "used_for": patient.pk, "doctor": None}),
    ):
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            RepeatException.objects.create(patient=patient, **{**complete, **wrong})
    RepeatException.objects.create(patient=patient, **complete)
    with pytest.raises(IntegrityError), transaction.atomic():
        RepeatException.objects.create(patient=patient)


def test_a_request_of_a_former_patient_is_accepted_only_as_the_limit_allows() -> None:
    configure(repeat_months=12)
    case = make_case()
    night_before(case.patient, 30)
    request = make_request(email=case.patient.email.upper())
    desk = make_user(Role.RECEPTIONIST)
    newest = Case.objects.filter(patient=case.patient).latest("opened_at")
    arguments = {"reason": "", "by": desk, "base": "http://clinic.test/"}
    with pytest.raises(CannotDecide, match="12 months between two") as refusal:
        decide(request, "accept", **arguments)
    assert newest.reference in str(refusal.value)
    request.refresh_from_db()
    assert request.state == "new"
    decide(request, "hold", **arguments)
    agree_to_exception(case, role=DOCTOR, reason="r", by=make_user(Role.DOCTOR))
    agree_to_exception(case, role=ADMINISTRATOR, reason="r", by=make_user(Role.ADMINISTRATOR))
    assert decide(request, "accept", **arguments).state == "accepted"
    assert RepeatException.objects.get().used_at is None  # the night will use it up
    other = make_request(email="new@example.com")
    assert decide(other, "accept", **arguments).state == "accepted"


def test_the_page_leads_two_people_to_an_exception() -> None:
    configure(nights_ever=1)
    case = make_case()
    night_before(case.patient, 400)
    page = f"/files/{case.pk}/repeat/"
    doctor, administrator = (signed_in(make_user(role)) for role in (Role.DOCTOR, Role.ADMINISTRATOR))
    shown = signed_in(make_user(Role.RECEPTIONIST)).get(page).content.decode()
    assert "This patient has 1 night already. The clinic allows 1." in shown
    assert "Agree to one more night" not in shown

    seen = exception_mark(case.patient_id, None)
    answer = doctor.post(page, {"do": "agree", "role": "doctor", "reason": "", "seen": seen})
    assert (answer.status_code, RepeatException.objects.count()) == (422, 0)
    answer = doctor.post(page, {"do": "agree", "role": "administrator", "reason": "r", "seen": seen})
    assert (answer.status_code, RepeatException.objects.count()) == (422, 0)
    doctor.post(page, {"do": "agree", "role": "doctor", "reason": "She is stable.", "seen": seen})
    row = RepeatException.objects.get()
    assert row.doctor_reason == "She is stable."

    stale = {"do": "agree", "role": "administrator", "reason": "Agreed.", "seen": seen}
    assert (
        "Somebody has changed this meanwhile" in administrator.post(page, stale, follow=True).content.decode()
    )
    shown = administrator.get("/repeats/").content.decode()
    assert case.patient.name not in shown  # an administrator knows files by their number
    assert "She is stable." in shown
    administrator.post(page, stale | {"seen": exception_mark(case.patient_id, row)})
    assert has_exception(case.patient_id)
    row.refresh_from_db()
    doctor.post(page, {"do": "take-back", "seen": exception_mark(case.patient_id, row)})
    assert not has_exception(case.patient_id)
    assert "Used or taken back" in doctor.get("/repeats/").content.decode()
