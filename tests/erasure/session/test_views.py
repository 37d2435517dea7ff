"""The session page through its real view: what a person sees of a real run, and what nobody sees any more."""

import json
import re
from html import unescape

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clinic.accounts.models import Role, User
from erasure.jobs.worker import advance
from erasure.runs.models import Run
from tests.factories import make_run, make_user

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


def test_what_the_page_shows_and_what_its_script_reads_are_one() -> None:
    run = make_run(2)
    page = page_of(run, patient_of(run))
    data = re.search(r'<script id="present" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    present = json.loads(data[1])
    assert [memory["n"] for memory in present["memories"]] == list(buttons(page))
    assert present["seq"] == Run.objects.get(pk=run.pk).last_seq


def test_the_places_come_as_a_stylesheet() -> None:
    run = make_run(2)
    sheet = page_of(run, patient_of(run), "map-css")
    assert f'href="{reverse("erasure:map-css", args=[run.pk])}"' in page_of(run, patient_of(run))
    assert re.findall(r"^\.m(\d+)\{left:", sheet, re.MULTILINE) == ["1", "2"]


def test_a_memory_that_is_gone_is_named_and_pictured_nowhere() -> None:
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


def test_an_auditor_sees_what_happens_but_neither_names_nor_pictures_nor_controls() -> None:
    run = make_run(1)
    page = page_of(run, make_user(Role.AUDITOR))
    assert buttons(page)[1][0] == "Memory 1, waiting"
    for secret in ("Photo 0", "Clementine", patient_of(run).name, "/pictures/", 'data-control="'):
        assert secret not in page


def test_a_page_about_many_memories_asks_the_database_no_more_than_one_about_one() -> None:
    counted = []
    for memories in (1, 3):
        run = make_run(memories)
        page_of(run, patient_of(run))
        with CaptureQueriesContext(connection) as queries:
            page_of(run, patient_of(run))
        counted.append(len(queries))
    assert counted[0] == counted[1]


def test_somebody_can_look_at_a_waiting_memory_and_protect_it_without_a_script() -> None:
    run = make_run(2)
    memory = run.steps.get(memory__number=1).memory_id
    page = page_of(run, patient_of(run), memory=str(memory))
    assert re.search(r'data-part="title">Photo 0<', page)
    assert f'name="memory" value="{memory}">' in page
