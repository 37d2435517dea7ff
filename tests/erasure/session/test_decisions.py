"""The doctor's decision on a copy: it is shown first, has no default, needs a reason, and is confirmed."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import User
from clinic.audit.models import Entry
from erasure.runs import control, handover
from erasure.runs.models import Hold, Run, Step
from patients.cases.view_log import latest_views
from patients.consent.models import Signature
from tests.erasure.runs.nights import actors_of, doctor_of, technician_of
from tests.erasure.runs.test_resistance import make_held
from tests.factories import make_doctor, make_run

pytestmark = pytest.mark.django_db(transaction=True)

HTMX = {"HX-Request": "true"}


def request(run: Run, user: User, name: str = "decide", *, htmx: bool = False, **data: Any) -> HttpResponse:
    """Post `data` with the id of the hold. Without data, get the page of the hold."""
    client = Client(headers=HTMX if htmx else {})
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    url, hold = reverse(f"erasure:{name}", args=[run.pk]), {"hold": str(Hold.objects.order_by("pk")[0].pk)}
    return client.post(url, hold | data) if data else client.get(url, hold)


def text_of(answer: HttpResponse) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def is_open() -> bool:
    return Hold.objects.get().state == Hold.State.OPEN


@pytest.mark.parametrize("htmx", [True, False])
def test_the_copy_is_shown_blurred_and_no_answer_is_preselected(htmx: bool) -> None:
    run = make_held()
    answer = request(run, doctor_of(run), htmx=htmx)
    page, item = answer.content.decode(), Hold.objects.select_related("keepsake", "copy").get()
    assert ("<html" in page) != htmx
    shown = re.findall(r'likeness-picture">\s*<img src="/pictures/([^"]+)"', page)
    assert shown == [f"{one.thumb_id}/blurred" for one in (item.keepsake, item.copy)]
    assert "The copy: in childhood" in page
    answers = re.findall(r'<input type="radio" name="answer" value="([^"]+)"([^>]*)>', page)
    assert [value for value, _rest in answers] == [
        "spare:not-a-copy",
        "spare:childhood",
        "spare:patient-asked",
        "spare:doubt",
        "extend:clause",
        "extend:patient-asked",
    ]
    assert {rest.strip() for _value, rest in answers} == {"required"}
    assert not Entry.objects.filter(action="keepsake.unblurred").exists()


@pytest.mark.parametrize("htmx", [True, False])
def test_a_sharp_picture_needs_a_recorded_reason(htmx: bool) -> None:
    run = make_held()
    doctor, item = doctor_of(run), Hold.objects.get()
    for why in ("", "curious"):
        refused = request(run, doctor, "look", htmx=htmx, why=why)
        assert refused.status_code == 409
        assert "Choose a reason. The patient can see it." in text_of(refused)
        assert refused.content.decode().count("/blurred") == 2
    assert not Entry.objects.filter(action="keepsake.unblurred").exists()
    sharp = request(run, doctor, "look", htmx=htmx, why="compare")
    assert sharp.status_code == 200
    assert "/blurred" not in sharp.content.decode()
    looks = Entry.objects.filter(action="keepsake.unblurred").order_by("index")
    assert [(one.subject, one.actor, one.reason) for one in looks] == [
        (f"keepsake:{pk}", f"user:{doctor.pk}", "compare") for pk in (item.keepsake_id, item.copy_id)
    ]
    assert [view.who for view in latest_views(run.procedure.case)] == [doctor.name]
    assert request(run, doctor, htmx=htmx).content.decode().count("/blurred") == 2, (
        "the pictures are sharp only in that one response"
    )


def test_without_an_answer_nothing_is_decided() -> None:
    run = make_held()
    for data in ({"answer": ""}, {"confirmed": "yes"}, {"answer": "extend", "confirmed": "yes"}):
        refused = request(run, doctor_of(run), **data)
        assert refused.status_code == 422
        assert "Please choose what shall happen, and why." in text_of(refused)
    assert is_open()


@pytest.mark.parametrize("confirmed", [{}, {"confirmed": "yes"}])
@pytest.mark.parametrize("htmx", [True, False])
def test_a_reason_that_does_not_fit_is_refused_with_a_sentence(htmx: bool, confirmed: dict[str, str]) -> None:
    run = make_held()
    refused = request(run, doctor_of(run), htmx=htmx, answer="extend:doubt", **confirmed)
    assert refused.status_code == 409
    sentence = "The reason “in doubt, nothing is erased” does not fit the decision “Put the copy on the map”."
    assert sentence in text_of(refused)
    assert is_open()


@pytest.mark.parametrize("htmx", [True, False])
def test_the_consequence_is_shown_before_the_decision(htmx: bool) -> None:
    run = make_held()
    doctor = doctor_of(run)
    first = request(run, doctor, htmx=htmx, answer="spare:doubt")
    assert first.status_code == 200
    assert "Memory 1 and the copy in childhood stay; the night is then partial." in text_of(first)
    assert is_open()
    second = request(run, doctor, htmx=htmx, answer="spare:doubt", confirmed="yes")
    assert second.status_code == (200 if htmx else 302)
    if htmx:
        assert text_of(second).strip().startswith("Decided. The procedure goes on.")
        assert second["HX-Retarget"] == "#sheet"
    decided = Hold.objects.get()
    assert (decided.state, decided.decided_by, decided.reason) == (Hold.State.SPARED, doctor, "doubt")
    assert Step.objects.get().state == Step.State.SPARED
    again = request(run, doctor, htmx=htmx, answer="extend:clause", confirmed="yes")
    assert (again.status_code, "This has been decided already." in text_of(again)) == (409, True)
    assert actors_of(run, "resistance.spared") == [f"user:{doctor.pk}"]


def test_a_decision_in_a_paused_session_says_that_it_stays_paused() -> None:
    run = make_held()
    control.safe_word(run.pk, by=run.procedure.case.patient)
    first = request(run, doctor_of(run), htmx=True, answer="extend:clause")
    assert "The session is paused: nothing is erased before it goes on." in text_of(first)
    done = request(run, doctor_of(run), htmx=True, answer="extend:clause", confirmed="yes")
    assert text_of(done).strip().startswith("Decided. The session stays paused.")
    assert Run.objects.get().state == Run.State.PAUSED


def test_without_prior_consent_extending_the_map_is_not_offered() -> None:
    run = make_held()
    Signature.objects.filter(pk=run.procedure.consent_id).update(may_extend=False)
    page = request(run, doctor_of(run))
    assert "extend:" not in page.content.decode()
    assert "The patient did not agree to this beforehand, so the copy can only be spared." in text_of(page)


def test_while_another_doctor_is_in_charge_only_they_decide() -> None:
    run = make_held()
    handover.take_over(run.pk, by=make_doctor())
    refused = request(run, doctor_of(run), answer="spare:childhood", confirmed="yes")
    assert (refused.status_code, "has taken over" in text_of(refused)) == (409, True)
    assert is_open()


@pytest.mark.parametrize("name", ["decide", "look"])
def test_only_doctors_see_the_copy_or_decide(name: str) -> None:
    run = make_held()
    for user in (technician_of(run), run.procedure.case.patient):
        assert request(run, user, name, answer="spare:doubt", why="compare").status_code in {403, 404}
    assert is_open()
    assert not Entry.objects.filter(action="keepsake.unblurred").exists()


@pytest.mark.parametrize("name", ["decide", "look"])
def test_a_copy_of_another_run_is_not_found(name: str) -> None:
    run, _other = make_run(1), make_held()
    doctor = doctor_of(run)
    assert request(run, doctor, name, answer="spare:doubt", why="compare").status_code == 404
    for hold in ("", "nonsense", str(UUID(int=1))):
        assert request(run, doctor, name, hold=hold, answer="spare:doubt").status_code == 404
    assert request(run, doctor).status_code == 404
    assert is_open()
    assert not Entry.objects.filter(action="keepsake.unblurred").exists()


def test_after_the_decision_the_copy_is_not_shown() -> None:
    run = make_held()
    request(run, doctor_of(run), answer="spare:childhood", confirmed="yes")
    refused = request(run, doctor_of(run), "look", why="compare")
    assert (refused.status_code, "This has been decided already." in text_of(refused)) == (409, True)
    assert not Entry.objects.filter(action="keepsake.unblurred").exists()
