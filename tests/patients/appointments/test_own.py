"""Patients book, move and cancel their own appointments: at free times only, and not too near."""

import importlib
import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from django.apps import apps
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from patients.appointments.booking import cancel_appointment, move_appointment
from patients.appointments.models import Appointment, AppointmentTemplate
from patients.appointments.own import own_templates, times_to_book
from patients.cases.models import Case
from tests.appointments import make_appointment, make_first_templates, make_team, make_template
from tests.configuration import configure
from tests.factories import make_case, make_memory, make_signed, make_user
from tests.outgoing import queued

pytestmark = pytest.mark.django_db

NEW = "/me/appointments/new/"
DAY = timedelta(days=1)
Status = Appointment.Status


@pytest.fixture
def template() -> AppointmentTemplate:
    AppointmentTemplate.objects.all().delete()
    return make_template(patients_may_book=True, preparation_en="Please eat before.")


@pytest.fixture
def case(template: AppointmentTemplate) -> Case:
    make_team()
    return make_case()


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def text(answer: HttpResponse) -> str:
    return " ".join(unescape(answer.content.decode()).split())


def times_on(answer: HttpResponse) -> list[str]:
    """What the buttons of the offered times send."""
    return re.findall(r'name="starts"\s+value="([^"]+)"', answer.content.decode())


def seen_on(answer: HttpResponse) -> str:
    (mark,) = set(re.findall(r'name="seen"\s+value="([^"]+)"', answer.content.decode()))
    return mark


def url_of(what: str, row: Appointment) -> str:
    return reverse(f"patients:own-appointment-{what}", args=[row.pk])


def make_own(case: Case, ahead: timedelta = 10 * DAY) -> Appointment:
    """An appointment of the case, some days from now."""
    starts_at = timezone.now().replace(minute=0, second=0, microsecond=0) + ahead
    return make_appointment(case, starts_at=starts_at)


def test_a_patient_books_a_free_time(patient: Client, case: Case, template: AppointmentTemplate) -> None:
    page = patient.get(NEW)
    assert "Please eat before." in text(page)
    times = times_on(page)
    assert len(times) > 3
    assert all(datetime.fromisoformat(one) >= timezone.now() + DAY for one in times)
    answer = patient.post(NEW, {"template": template.pk, "starts": times[1]})
    assert (answer.status_code, answer["Location"]) == (302, "/me/")
    row = Appointment.objects.get()
    assert (row.status, row.case, row.template) == (Status.BOOKED, case, template)
    assert row.booking.starts_at == datetime.fromisoformat(times[1])
    assert (row.booking.resources.count(), row.made_by) == (2, case.patient)
    actors = Entry.objects.filter(action="appointment.booked").values_list("actor", flat=True)
    assert list(actors) == [f"user:{case.patient_id}"]
    assert "appointment-booked" in queued()
    assert verify_log().problems == []


def test_the_chosen_time_is_given_to_one_patient_only(
    patient: Client, case: Case, template: AppointmentTemplate
) -> None:
    other = make_case()
    starts = times_on(patient.get(NEW))[0]
    later = Client()
    later.force_login(other.patient)
    assert later.post(NEW, {"template": template.pk, "starts": starts}).status_code == 302
    answer = patient.post(NEW, {"template": template.pk, "starts": starts})
    assert answer.status_code == 409
    assert "This time is not free any more. Please choose another one." in text(answer)
    assert starts not in times_on(answer)
    assert Appointment.objects.get().case == other


@pytest.mark.parametrize(
    ("starts", "message"),
    [
        ("", "Please choose a time."),
        ("soon", "Please choose a time."),
        ("2031-02-30T10:00:00+00:00", "Please choose a time."),
        ("2031-02-13T10:00:00", "Please choose a time."),
        ("2031-02-13T03:07:00+00:00", "This time is not free any more."),
        ("2001-02-13T10:00:00+00:00", "This time is not free any more."),
        ("9999-12-31T23:30:00+00:00", "Please choose a time."),
    ],
)
def test_a_time_that_nobody_offered_is_refused(
    patient: Client, template: AppointmentTemplate, starts: str, message: str
) -> None:
    answer = patient.post(NEW, {"template": template.pk, "starts": starts})
    assert answer.status_code == 409
    assert message in text(answer)
    assert not Appointment.objects.exists()


def test_only_what_the_clinic_lets_patients_book_is_offered(
    patient: Client, case: Case, template: AppointmentTemplate
) -> None:
    desk_only = make_template("Desk only")
    retired = make_template("Retired", patients_may_book=True, in_use=False)
    mapping = make_template("Mapping", kind="mapping", patients_may_book=True)
    assert own_templates(case) == [mapping, template]
    for one in (desk_only, retired):
        starts = times_on(patient.get(f"{NEW}?template={template.pk}"))[0]
        answer = patient.post(NEW, {"template": one.pk, "starts": starts})
        assert answer.status_code == 409
        assert "This cannot be booked here any more. Please call us." in text(answer)
    make_memory(case)
    make_signed(case)
    assert own_templates(Case.objects.get(pk=case.pk)) == [template], "the map is locked"
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
    assert own_templates(Case.objects.get(pk=case.pk)) == []


def test_what_is_booked_already_is_not_booked_twice(
    patient: Client, case: Case, template: AppointmentTemplate
) -> None:
    times = times_on(patient.get(NEW))
    patient.post(NEW, {"template": template.pk, "starts": times[0]})
    answer = patient.post(NEW, {"template": template.pk, "starts": times[2]})
    assert (answer.status_code, Appointment.objects.count()) == (409, 1)
    assert "There is nothing that you can book here now." in text(patient.get(NEW))


def test_without_a_file_there_is_nothing_to_book(client: Client, template: AppointmentTemplate) -> None:
    client.force_login(make_user(Role.PATIENT))
    answer = client.get(NEW)
    assert (answer.status_code, answer["Location"]) == (302, "/me/")


def test_a_patient_moves_an_appointment_to_a_free_time(patient: Client, case: Case) -> None:
    row = make_own(case)
    page = patient.get(url_of("move", row))
    starts = times_on(page)[-1]
    answer = patient.post(url_of("move", row), {"seen": seen_on(page), "starts": starts})
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.sequence, row.patient_moves, row.reason) == (1, 1, "patient")
    assert row.booking.starts_at == datetime.fromisoformat(starts)
    assert Entry.objects.get(action="appointment.moved").actor == f"user:{case.patient_id}"


def test_a_patient_cancels_an_appointment(patient: Client, case: Case) -> None:
    row = make_own(case)
    page = patient.get(url_of("cancel", row))
    answer = patient.post(url_of("cancel", row), {"seen": seen_on(page)})
    assert answer.status_code == 302
    row.refresh_from_db()
    assert (row.status, row.reason, row.changed_by) == (Status.CANCELLED, "patient", case.patient)
    assert row.booking.canceled_at is not None
    again = patient.post(url_of("cancel", row), {"seen": seen_on(page)})
    assert (again.status_code, "does not take place any more" in text(again)) == (409, True)


@pytest.mark.parametrize("what", ["move", "cancel"])
def test_what_is_too_near_is_left_to_the_desk(patient: Client, case: Case, what: str) -> None:
    configure(own_notice_hours=48)
    row = make_own(case, timedelta(hours=40))
    page = patient.get(url_of(what, row))
    assert "It is too near to be changed here. Please call us." in text(page)
    assert times_on(page) == []
    starts = (timezone.now() + 5 * DAY).isoformat()
    answer = patient.post(url_of(what, row), {"seen": "", "starts": starts})
    assert answer.status_code == 409
    row.refresh_from_db()
    assert (row.status, row.sequence) == (Status.BOOKED, 0)
    home = patient.get("/me/").content.decode()
    assert url_of(what, row) not in home
    configure(own_notice_hours=24)
    assert url_of(what, row) in patient.get("/me/").content.decode()


@pytest.mark.parametrize("what", ["move", "cancel"])
def test_what_was_changed_meanwhile_is_refused(patient: Client, case: Case, what: str) -> None:
    row = make_own(case)
    page = patient.get(url_of(what, row))
    seen, clerk = seen_on(page), make_user(Role.RECEPTIONIST)
    booking = row.booking
    move_appointment(
        row,
        starts_at=booking.starts_at + DAY,
        ends_at=booking.ends_at + DAY,
        expected_start=booking.starts_at,
        reason="clinic",
        by=clerk,
    )
    starts = times_on(patient.get(url_of("move", row)))[0]
    answer = patient.post(url_of(what, row), {"seen": seen, "starts": starts})
    assert (answer.status_code, "Somebody changed it meanwhile" in text(answer)) == (409, True)
    row.refresh_from_db()
    assert (row.status, row.sequence) == (Status.BOOKED, 1)
    cancel_appointment(row, reason="clinic", by=clerk)
    assert "does not take place any more" in text(patient.get(url_of(what, row)))


def test_after_many_moves_the_clinic_talks_about_it_first(patient: Client, case: Case) -> None:
    configure(moves_per_patient=1)
    row = make_own(case)
    for status in (302, 409):
        page = patient.get(url_of("move", row))
        answer = patient.post(url_of("move", row), {"seen": seen_on(page), "starts": times_on(page)[-1]})
        assert answer.status_code == status
    assert "Your appointments were moved so often" in text(answer)
    row.refresh_from_db()
    assert row.patient_moves == 1


def test_nobody_else_changes_it(client: Client, case: Case) -> None:
    row = make_own(case)
    for user in (make_user(Role.PATIENT), make_user(Role.DOCTOR), make_user(Role.RECEPTIONIST)):
        client.force_login(user)
        for what in ("move", "cancel"):
            assert client.get(url_of(what, row)).status_code in {403, 404}
            assert client.post(url_of(what, row)).status_code in {403, 404}
    row.refresh_from_db()
    assert row.status == Status.BOOKED


def test_times_are_looked_for_from_another_day(patient: Client, case: Case) -> None:
    day = timezone.localdate() + timedelta(days=30)
    times = times_on(patient.get(f"{NEW}?from={day.isoformat()}"))
    assert min(datetime.fromisoformat(one) for one in times).date() >= day
    assert times_on(patient.get(f"{NEW}?from=nonsense")) == times_on(patient.get(NEW))
    assert times_to_book(case, AppointmentTemplate.objects.get())


@pytest.mark.parametrize("people", [0, 1])
def test_only_a_new_installation_lets_patients_book_from_the_beginning(people: int) -> None:
    migration = importlib.import_module("patients.migrations.0021_patients_book_appointments")
    User.objects.all().delete()
    make_first_templates()
    for _n in range(people):
        make_user(Role.ADMINISTRATOR)
    migration.let_patients_book(apps, None)
    rows = AppointmentTemplate.objects.filter(patients_may_book=True)
    assert set(rows.values_list("kind", flat=True)) == (set() if people else {"visit", "mapping"})
