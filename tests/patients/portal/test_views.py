"""The patient's start page (/me/)."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.portal.views import tasks_of
from tests.configuration import configure
from tests.factories import (
    make_case,
    make_keepsake,
    make_memory,
    make_procedure,
    make_run,
    make_signed,
    make_user,
)

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def case() -> Case:
    return make_case(agreed=False, subject_name="")


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def states(case: Case) -> list[tuple[str, str]]:
    case.refresh_from_db()
    return [(str(task.text), task.state) for task in tasks_of(case, status_of(case))]


def step(key: str) -> str:
    return f"/me/intake/?step={key}"


def test_the_first_task_is_now_and_the_others_are_next(patient: Client, case: Case) -> None:
    shown = patient.get("/me/").content.decode()
    assert "Tell us whom it is about." in shown
    assert [state for _text, state in states(case)] == ["now", *["next"] * 7]
    assert "Take back my consent" not in shown


def test_done_tasks_have_a_date_and_the_next_ones_are_listed() -> None:
    case = make_case()
    memory = make_memory(case)
    placed = make_keepsake(memory)
    lone = make_keepsake(memory)
    Keepsake.objects.filter(pk=lone.pk).update(memory=None)
    assert states(case)[:4] == [
        ("Tell us whom it is about", "done"),
        ("Agree that we keep what you bring", "done"),
        ("Bring your keepsakes: 2 so far", "now"),
        ("Place 1 keepsake in a memory", "now"),
    ]
    Keepsake.objects.filter(pk=lone.pk).update(memory=memory)
    Keepsake.objects.filter(pk=placed.pk).update(review=Keepsake.Review.RETURNED)
    assert ("Look again at 1 that we returned", "alarm") in states(case)
    Keepsake.objects.filter(pk=placed.pk).update(review=Keepsake.Review.ACCEPTED)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.REVIEW)
    assert [state for _text, state in states(case)] == [*["done"] * 4, "now", *["next"] * 3]
    make_signed(case)
    case.refresh_from_db()
    tasks = tasks_of(case, status_of(case))
    assert [task.state for task in tasks] == ["done"] * 6 + ["next"] * 2
    year = f"{timezone.localdate():%Y}"
    assert all(year in task.when for task in tasks[1:6])
    assert "The night, from" in str(tasks[6].text)


def test_the_booked_night_and_then_the_running_session_are_shown(client: Client) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    make_procedure(case)
    client.force_login(case.patient)
    shown = client.get("/me/").content.decode()
    assert "The night is booked:" in shown
    assert "Take back my consent" in shown
    run = make_run(1, case=make_case())
    client.force_login(run.procedure.case.patient)
    shown = client.get("/me/").content.decode()
    assert f'href="/sessions/{run.pk}/">Open the session</a>' in shown


def test_the_page_shows_who_viewed_the_case(client: Client) -> None:
    case = make_case()
    doctor = make_user(Role.DOCTOR, name="Dr. Ines Roth")
    client.force_login(doctor)
    client.get(f"/files/{case.pk}/")
    client.force_login(case.patient)
    assert "Dr. Ines Roth" in client.get("/me/").content.decode()


@pytest.mark.parametrize("stage", [Case.Stage.CLOSED, Case.Stage.WITHDRAWN])
def test_after_the_end_no_page_names_the_subject(client: Client, stage: str) -> None:
    case = make_case(subject_name="Clementine")
    make_keepsake(make_memory(case, "Montauk"))
    Case.objects.filter(pk=case.pk).update(stage=stage, closed_at=timezone.now())
    client.force_login(case.patient)
    shown = client.get("/me/").content.decode()
    assert "Clementine" not in shown
    for url in ("/me/intake/", "/me/keepsakes/", "/me/consent/", "/me/memories/new/"):
        assert client.get(url).url == "/me/"
    withdrawal = client.get("/me/withdraw/").content.decode()
    assert "Clementine" not in withdrawal


def test_the_end_of_the_cooling_off_period_is_shown(client: Client) -> None:
    configure(cooling_off_hours=72)
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    client.force_login(case.patient)
    first = timezone.localtime() + timedelta(hours=72)
    assert f"The night, from {first.day} {first:%b %Y} on" in client.get("/me/").content.decode()
