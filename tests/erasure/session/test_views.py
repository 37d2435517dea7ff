"""The session page of real runs through its view: what each person sees, and what is gone."""

import json
import re
from html import unescape

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role, User
from erasure.certificates.models import Certificate
from erasure.jobs.worker import advance
from erasure.runs.models import Run
from patients.consent.signing import withdraw
from tests.factories import make_doctor, make_run, make_user

pytestmark = pytest.mark.django_db(transaction=True)

BUTTON = re.compile(r"<button[^>]*\bdata-n=\"(\d+)\"[^>]*>(.*?)</button>", re.DOTALL)


def page_of(run: Run, user: User, name: str = "session", **query: str) -> str:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.get(reverse(f"erasure:{name}", args=[run.pk]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def patient_of(run: Run) -> User:
    return run.procedure.case.patient


def buttons(page: str) -> dict[int, tuple[str, str]]:
    """Accessible name and content of each memory's button, by number."""
    found = {}
    for match in BUTTON.finditer(page):
        label = re.search(r'aria-label="([^"]*)"', match[0])
        assert label is not None
        found[int(match[1])] = (unescape(label[1]), match[2])
    return found


def test_the_patient_sees_their_map_and_the_controls_they_may_use() -> None:
    run = make_run(3)
    page = page_of(run, patient_of(run))
    shown = buttons(page)
    assert list(shown) == [1, 2, 3]
    assert shown[1][0] == "Memory 1, Photo 0, 1 February 2003, waiting"
    assert all("<img" in content for _name, content in shown.values())
    forms = dict(re.findall(r'<form method="post" action="([^"]+)" data-control="(\w+)"', page))
    assert set(forms.values()) == {"pause", "protect", "doctor", "safe_word"}
    assert forms[reverse("erasure:pause", args=[run.pk])] == "pause"


def test_the_page_and_the_data_of_its_script_agree() -> None:
    run = make_run(2)
    page = page_of(run, patient_of(run))
    data = re.search(r'<script id="present" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    present = json.loads(data[1])
    assert [memory["n"] for memory in present["memories"]] == list(buttons(page))
    assert present["seq"] == Run.objects.get(pk=run.pk).last_seq


def test_the_positions_of_memories_are_in_a_stylesheet() -> None:
    run = make_run(2)
    sheet = page_of(run, patient_of(run), "map-css")
    assert f'href="{reverse("erasure:map-css", args=[run.pk])}"' in page_of(run, patient_of(run))
    assert re.findall(r"^\.m(\d+)\{left:", sheet, re.MULTILINE) == ["1", "2"]


def test_a_destroyed_memory_has_no_title_and_no_picture_on_the_page() -> None:
    run = make_run(1)
    assert "Photo 0" in page_of(run, patient_of(run))
    while Run.objects.get(pk=run.pk).state != Run.State.FINISHED:
        advance(run.pk)
    page = page_of(run, patient_of(run))
    name, content = buttons(page)[1]
    assert name == "Memory 1, destroyed"
    assert "<img" not in content
    assert "Photo 0" not in page
    assert "/pictures/" not in page
    assert "Nothing left." in page


def test_an_auditor_sees_no_names_no_pictures_and_no_controls() -> None:
    run = make_run(1)
    page = page_of(run, make_user(Role.AUDITOR))
    assert buttons(page)[1][0] == "Memory 1, waiting"
    for secret in ("Photo 0", "Clementine", patient_of(run).name, "/pictures/", 'data-control="'):
        assert secret not in page


def test_after_a_withdrawal_only_the_team_of_the_night_and_the_patient_read_what_it_is_about() -> None:
    run = make_run(2)
    booked = User.objects.get(grants__role=Role.DOCTOR, resources__bookings=run.procedure.booking)
    other = make_doctor()
    secrets = ("Photo 0", "Clementine", "/pictures/")
    assert all(secret in page_of(run, other) for secret in secrets)
    withdraw(run.procedure.case, by=patient_of(run))
    assert [secret for secret in secrets if secret in page_of(run, other)] == []
    for person in (patient_of(run), booked):
        assert all(secret in page_of(run, person) for secret in secrets)
    Certificate.objects.create(run=run, body="{}", digest="0" * 64, signature="", issued_at=timezone.now())
    assert [secret for secret in secrets if secret in page_of(run, booked)] == []


def test_the_page_needs_as_many_queries_for_three_memories_as_for_one() -> None:
    counted = []
    for memories in (1, 3):
        run = make_run(memories)
        page_of(run, patient_of(run))
        with CaptureQueriesContext(connection) as queries:
            page_of(run, patient_of(run))
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_a_waiting_memory_can_be_chosen_and_protected_without_a_script() -> None:
    run = make_run(2)
    memory = run.steps.get(memory__number=1).memory_id
    page = page_of(run, patient_of(run), memory=str(memory))
    assert re.search(r'data-part="title">Photo 0<', page)
    assert f'name="memory" value="{memory}">' in page
