"""The patient's own page."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.portal.views import tasks_of
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


def test_it_says_what_is_next_and_only_that_is_now(patient: Client, case: Case) -> None:
    shown = patient.get("/me/").content.decode()
    assert "Tell us whom it is about." in shown
    assert [state for _text, state in states(case)] == ["now", *["next"] * 6]
    assert "Take back my consent" not in shown


def test_each_thing_done_is_dated_and_the_next_is_named() -> None:
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
    assert [state for _text, state in states(case)] == ["done", "done", "done", "now", "next", "next", "next"]
    make_signed(case)
    case.refresh_from_db()
    told = tasks_of(case, status_of(case))
    assert [task.state for task in told] == ["done"] * 5 + ["next"] * 2
    today = f"{timezone.localdate():%Y}"
    assert all(today in task.when for task in told[1:5])
    assert "The night, from" in str(told[5].text)


def test_the_night_is_named_and_then_opened(client: Client) -> None:
    case = make_case()
    make_keepsake(make_memory(case))
    procedure = make_procedure(case)
    client.force_login(case.patient)
    shown = client.get("/me/").content.decode()
    assert "The night is booked:" in shown
    assert "Take back my consent" in shown
    run = make_run(1, case=make_case())
    client.force_login(run.procedure.case.patient)
    shown = client.get("/me/").content.decode()
    assert f'href="/sessions/{run.pk}/">Open the session</a>' in shown
    assert procedure.pk != run.procedure_id


def test_who_looked_is_told(client: Client) -> None:
    case = make_case()
    doctor = make_user(Role.DOCTOR, name="Dr. Ines Roth")
    client.force_login(doctor)
    client.get(f"/files/{case.pk}/")
    client.force_login(case.patient)
    assert "Dr. Ines Roth" in client.get("/me/").content.decode()


@pytest.mark.parametrize("stage", [Case.Stage.CLOSED, Case.Stage.WITHDRAWN])
def test_after_the_end_nothing_names_whom_it_was_about(client: Client, stage: str) -> None:
    case = make_case(subject_name="Clementine")
    make_keepsake(make_memory(case, "Montauk"))
    Case.objects.filter(pk=case.pk).update(stage=stage, closed_at=timezone.now())
    client.force_login(case.patient)
    shown = client.get("/me/").content.decode()
    assert "Clementine" not in shown
    for url in ("/me/intake/", "/me/keepsakes/", "/me/consent/", "/me/memories/new/"):
        assert client.get(url).status_code == 404
    withdrawal = client.get("/me/withdraw/").content.decode()
    assert "Clementine" not in withdrawal


def test_cooling_off_is_told(client: Client, settings: pytest.FixtureRequest) -> None:
    settings.LACUNA_COOLING_OFF_HOURS = 72  # type: ignore[attr-defined]
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    client.force_login(case.patient)
    first = timezone.localtime() + timedelta(hours=72)
    assert f"The night, from {first.day} {first:%b %Y} on" in client.get("/me/").content.decode()
