"""The page after a safe word: the doctor says that they spoke with the patient, and writes what was said."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import User
from erasure.runs import control
from erasure.runs.models import Run, SafeWord
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.erasure.session.test_views import page_of
from tests.factories import make_run

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "She said: go on, but slower."


def ask(run: Run, user: User, *, htmx: bool = False, **data: Any) -> tuple[int, str]:
    client = Client(headers={"HX-Request": "true"} if htmx else {})
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    url = reverse("erasure:lift-safe-word", args=[run.pk])
    answer: HttpResponse = client.post(url, data) if data else client.get(url)
    return answer.status_code, re.sub(r"\s+", " ", answer.content.decode())


def said() -> Run:
    run = make_run(1)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    return run


@pytest.mark.parametrize("htmx", [True, False])
def test_the_doctor_is_asked_and_what_they_wrote_is_kept_when_something_is_missing(htmx: bool) -> None:
    run = said()
    status, page = ask(run, doctor_of(run), htmx=htmx)
    assert (status, 'name="words"' in page, 'name="spoken"' in page) == (200, True, True)
    assert ("<html" in page) != htmx
    status, page = ask(run, doctor_of(run), htmx=htmx, words=WORDS)
    assert (status, WORDS in page) == (422, True)
    assert "Speak with the patient first. Otherwise the night ends." in page
    status, page = ask(run, doctor_of(run), htmx=htmx, words="  ", spoken="on")
    assert (status, "Write what the patient said." in page) == (422, True)
    assert Run.objects.get().state == Run.State.PAUSED
    status, page = ask(run, doctor_of(run), htmx=htmx, words=WORDS, spoken="on")
    assert status == (200 if htmx else 302)
    assert Run.objects.get().state == Run.State.RUNNING
    assert SafeWord.objects.get().read().words == WORDS


@pytest.mark.parametrize("htmx", [True, False])
def test_what_cannot_be_lifted_now_is_said_and_nothing_typed_is_lost(htmx: bool) -> None:
    run = said()
    Run.objects.update(responsible=None)
    status, page = ask(run, doctor_of(run), htmx=htmx, words=WORDS, spoken="on")
    assert (status, "Nobody answers for this night." in page, WORDS in page) == (409, True, True)


def test_who_is_no_doctor_does_not_get_there() -> None:
    run = said()
    for user in (technician_of(run), run.procedure.case.patient):
        assert ask(run, user)[0] in {403, 404}
        assert ask(run, user, words=WORDS, spoken="on")[0] in {403, 404}
    assert Run.objects.get().state == Run.State.PAUSED


def test_where_no_safe_word_stands_there_is_no_form() -> None:
    run = make_run(1)
    status, page = ask(run, doctor_of(run))
    assert (status, 'name="words"' in page, "No safe word stands." in page) == (200, False, True)


def test_what_was_said_is_read_by_the_patient_and_the_doctor() -> None:
    run = said()
    assert WORDS not in page_of(run, doctor_of(run))
    ask(run, doctor_of(run), words=WORDS, spoken="on")
    for user in (doctor_of(run), run.procedure.case.patient):
        assert WORDS in page_of(run, user)
    assert WORDS not in page_of(run, technician_of(run))
