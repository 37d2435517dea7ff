"""The page that lifts a safe word: the doctor confirms a talk with the patient, and writes what was said."""

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
from patients.consent.signing import withdraw
from tests.erasure.runs.nights import doctor_of, technician_of
from tests.erasure.session.test_views import page_of
from tests.factories import make_doctor, make_run

pytestmark = pytest.mark.django_db(transaction=True)

WORDS = "She said: go on, but slower."


def request(run: Run, user: User, *, htmx: bool = False, **data: Any) -> tuple[int, str]:
    client = Client(headers={"HX-Request": "true"} if htmx else {})
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    url = reverse("erasure:lift-safe-word", args=[run.pk])
    answer: HttpResponse = client.post(url, data) if data else client.get(url)
    return answer.status_code, re.sub(r"\s+", " ", answer.content.decode())


def run_with_safe_word() -> Run:
    run = make_run(1)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    return run


@pytest.mark.parametrize("htmx", [True, False])
def test_the_form_keeps_its_text_when_something_is_missing(htmx: bool) -> None:
    run = run_with_safe_word()
    status, page = request(run, doctor_of(run), htmx=htmx)
    assert (status, 'name="words"' in page, 'name="spoken"' in page) == (200, True, True)
    assert ("<html" in page) != htmx
    status, page = request(run, doctor_of(run), htmx=htmx, words=WORDS)
    assert (status, WORDS in page) == (422, True)
    assert "Speak with the patient first. Otherwise the night ends." in page
    status, page = request(run, doctor_of(run), htmx=htmx, words="  ", spoken="on")
    assert (status, "Write what the patient said." in page) == (422, True)
    assert Run.objects.get().state == Run.State.PAUSED
    status, page = request(run, doctor_of(run), htmx=htmx, words=WORDS, spoken="on")
    assert status == (200 if htmx else 302)
    assert Run.objects.get().state == Run.State.RUNNING
    assert SafeWord.objects.get().read().words == WORDS


@pytest.mark.parametrize("htmx", [True, False])
def test_a_refusal_is_shown_and_the_text_is_kept(htmx: bool) -> None:
    run = run_with_safe_word()
    Run.objects.update(responsible=None)
    status, page = request(run, doctor_of(run), htmx=htmx, words=WORDS, spoken="on")
    assert (status, "Nobody answers for this night." in page, WORDS in page) == (409, True, True)


def test_only_doctors_may_open_the_form() -> None:
    run = run_with_safe_word()
    for user in (technician_of(run), run.procedure.case.patient):
        assert request(run, user)[0] in {403, 404}
        assert request(run, user, words=WORDS, spoken="on")[0] in {403, 404}
    assert Run.objects.get().state == Run.State.PAUSED


def test_without_a_safe_word_there_is_no_form() -> None:
    run = make_run(1)
    status, page = request(run, doctor_of(run))
    assert (status, 'name="words"' in page, "No safe word stands." in page) == (200, False, True)


def test_only_the_patient_and_the_doctor_read_what_was_said() -> None:
    run = run_with_safe_word()
    assert WORDS not in page_of(run, doctor_of(run))
    request(run, doctor_of(run), words=WORDS, spoken="on")
    for user in (doctor_of(run), run.procedure.case.patient):
        assert WORDS in page_of(run, user)
    assert WORDS not in page_of(run, technician_of(run))


def test_a_doctor_who_is_not_booked_does_not_read_what_was_said_after_a_withdrawal() -> None:
    run, other = run_with_safe_word(), make_doctor()
    request(run, doctor_of(run), words=WORDS, spoken="on")
    assert WORDS in page_of(run, other)
    withdraw(run.procedure.case, by=run.procedure.case.patient)
    assert WORDS not in page_of(run, other)
    assert WORDS in page_of(run, run.procedure.case.patient)
