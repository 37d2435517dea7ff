"""The views of the controls: pressing twice has one effect, and the answer says what happened."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from clinic.accounts.models import Role, User
from erasure.jobs.supervisor import end_stopped
from erasure.jobs.worker import next_step
from erasure.runs import calls, control, handover, presence
from erasure.runs.lease import claim
from erasure.runs.models import Attendance, DoctorCall, Run
from erasure.runs.passes import make_pass
from erasure.runs.run_actions import after
from erasure.session.snapshot import snapshot
from tests.configuration import configure
from tests.erasure.runs.nights import doctor_of, event_kinds, leave_unattended, make_call_due, technician_of
from tests.erasure.session.test_views import page_of
from tests.erasure.session.viewing import viewer
from tests.factories import PASSPHRASE, make_doctor, make_run, make_technician, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def press(run: Run, user: User, name: str, **data: Any) -> HttpResponse:
    client = Client(headers={"Accept": "application/json"})
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client.post(reverse(f"erasure:{name}", args=[run.pk]), data)


def press_and_read(run: Run, user: User, name: str, **data: Any) -> tuple[int, bool | None, str]:
    """Press a control. Returns status code, whether something changed, and the text of the answer."""
    answer = press(run, user, name, **data)
    content = answer.json()
    return answer.status_code, content.get("changed"), content["text"]


def controls_of(run: Run, user: User) -> set[str]:
    row = Run.objects.get(pk=run.pk)
    return {key for key, url in snapshot(run.pk, viewer(row, user))["controls"].items() if url}


def one_pass(run: Run) -> None:
    fence, step = claim(run.pk), next_step(run.pk)
    assert fence
    assert step
    make_pass(fence, step, due=run.next_due_at)
    Run.objects.filter(pk=run.pk).update(lease_until=None)


def test_a_pause_says_after_which_pass_it_took_effect() -> None:
    run = make_run(1)
    one_pass(run)
    one_pass(run)
    status, changed, text = press_and_read(run, technician_of(run), "pause")
    assert (status, changed) == (200, True)
    assert re.fullmatch(r"Paused after pass 2 of 13 at \d\d:\d\d:\d\d\.", text)
    status, changed, again = press_and_read(run, doctor_of(run), "pause")
    assert (status, changed) == (200, False)
    assert again == text.replace("Paused after", "It was paused already: after")
    assert event_kinds(run).count("paused") == 1


def test_the_answer_contains_the_number_of_its_event() -> None:
    run = make_run(1)
    answer = press(run, technician_of(run), "pause").json()
    assert answer["seq"] == Run.objects.get().last_seq


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("pause", "Paused between two memories", "It was paused already"),
        ("protect", "Protected, as it is now.", "It was kept already."),
        ("call-doctor", "The doctor has been called.", "The doctor was called already"),
        ("safe-word", "Stopped. The doctor has been called.", "Everything had stopped already"),
        ("take-over", "You have taken over.", "You have taken over already."),
        ("resume", "Resumed.", "It goes on already."),
    ],
)
def test_a_second_press_changes_nothing_and_says_so(name: str, first: str, second: str) -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    if name == "resume":
        control.pause(run.pk, by=doctor)
    data = {"memory": str(run.steps.get().memory_id)} if name == "protect" else {}
    first_status, first_changed, first_text = press_and_read(run, doctor, name, **data)
    before = Run.objects.get().last_seq
    second_status, second_changed, second_text = press_and_read(run, doctor, name, **data)
    assert (first_status, first_changed) == (200, True)
    assert (second_status, second_changed) == (200, False)
    assert first_text.startswith(first)
    assert second_text.startswith(second)
    assert Run.objects.get().last_seq == before


def test_a_second_doctor_is_told_who_answered() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=None)
    press_and_read(run, doctor_of(run), "acknowledge")
    _status, changed, text = press_and_read(run, make_doctor(), "acknowledge")
    assert not changed
    assert text.startswith(f"{doctor_of(run).short_name} answered already, at ")


def test_an_abort_needs_the_passphrase_and_happens_once() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    assert press_and_read(run, doctor, "abort")[2].startswith("Paused")
    wrong = press_and_read(run, doctor, "abort-finish", reason="doubt", passphrase="guess")
    assert (wrong[0], Run.objects.get().state) == (400, Run.State.PAUSED)
    assert press_and_read(run, doctor, "abort-finish", reason="", passphrase=PASSPHRASE)[0] == 400
    right = press_and_read(run, doctor, "abort-finish", reason="doubt", passphrase=PASSPHRASE)
    twice = press_and_read(run, technician_of(run), "abort-finish", reason="medical", passphrase=PASSPHRASE)
    assert (right[:2], twice[:2]) == ((200, True), (200, False))
    assert twice[2] == "The session was being ended already."
    assert event_kinds(run).count("aborting") == 1


def test_guessing_the_passphrase_is_throttled_and_leaves_the_session_paused() -> None:
    run = make_run(1)
    doctor = doctor_of(run)
    press_and_read(run, doctor, "abort")
    answers = [
        press_and_read(run, doctor, "abort-finish", reason="doubt", passphrase="guess") for _ in range(11)
    ]
    assert {status for status, _changed, _text in answers} == {400}
    assert answers[-1][2] != answers[0][2]
    right = press_and_read(run, doctor, "abort-finish", reason="doubt", passphrase=PASSPHRASE)
    assert (right[0], right[2]) == (400, answers[-1][2]), "the right passphrase is refused too, for a while"
    assert Run.objects.get().state == Run.State.PAUSED


def test_the_alarm_of_a_call_says_since_when_and_who_was_notified() -> None:
    run = make_run(1)
    control.call_doctor(run.pk, by=technician_of(run))
    make_call_due(run, remind=True)
    calls.remind_due()
    page = page_of(run, technician_of(run))
    assert re.search(r"Nobody has answered since \d\d:\d\d:\d\d\.", page)
    doctors_name = doctor_of(run).short_name
    assert re.findall(rf"</time> {re.escape(doctors_name)}, ([a-z ]+)</li>", page) == ["called", "told again"]
    nameless = page_of(run, make_user(Role.AUDITOR))
    assert "Nobody has answered since" in nameless
    assert doctors_name not in nameless


def test_presence_is_asked_for_on_the_page_with_one_button() -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    leave_unattended(run)
    presence.ask_due()
    assert "Are you there?" in page_of(run, technician_of(run))
    assert 'data-control="presence"' in page_of(run, technician_of(run))
    for other in (doctor_of(run), run.procedure.case.patient):
        assert 'data-control="presence"' not in page_of(run, other)
    assert press(run, run.procedure.case.patient, "presence").status_code in {403, 404}
    assert press_and_read(run, doctor_of(run), "presence")[0] == 409
    assert press_and_read(run, technician_of(run), "presence")[:2] == (200, True)
    assert press_and_read(run, technician_of(run), "presence") == (200, False, "Somebody answered already.")


def test_the_controls_of_each_person_while_a_doctor_has_taken_over() -> None:
    run = make_run(1)
    technician, doctor, patient = technician_of(run), doctor_of(run), run.procedure.case.patient
    before = controls_of(run, technician)
    assert {"resume", "protect", "abort", "abort_finish", "handover"} <= before
    handover.take_over(run.pk, by=doctor)
    lost = {"resume", "protect", "abort", "abort_finish", "handover"}
    assert before - controls_of(run, technician) == lost
    assert {"pause", "doctor", "safe_word"} <= controls_of(run, technician)
    assert "protect" in controls_of(run, patient)
    assert {"resume", "hand_back", "decide"} <= controls_of(run, doctor)
    assert "take_over" not in controls_of(run, doctor)
    assert controls_of(run, make_doctor()) & {"take_over", "resume", "hand_back"} == {"take_over"}
    assert "Taken over by" in page_of(run, technician)


def test_a_technician_sees_only_the_offer_until_they_accept() -> None:
    run, other = make_run(1), make_technician()
    client = Client()
    client.force_login(other, backend=settings.AUTHENTICATION_BACKENDS[0])
    offer_page, session = (reverse(f"erasure:{name}", args=[run.pk]) for name in ("handover", "session"))
    assert client.get(offer_page).status_code == 404
    assert client.post(reverse("erasure:handover-accept", args=[run.pk])).status_code == 404
    press_and_read(run, technician_of(run), "handover-offer", to=str(other.pk))
    page = client.get(offer_page)
    assert page.status_code == 200
    for secret in (run.procedure.case.patient.name, "Clementine", "Photo 0"):
        assert secret not in page.content.decode()
    assert client.get(session).status_code == 404
    answer = client.post(reverse("erasure:handover-accept", args=[run.pk]))
    assert answer["Location"] == session
    assert client.get(session).status_code == 200
    assert Run.objects.get().responsible_id == other.pk


def test_declining_an_offer_leads_to_the_day_board() -> None:
    run, other = make_run(1), make_technician()
    handover.offer(run.pk, other.pk, by=technician_of(run))
    client = Client()
    client.force_login(other, backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.post(reverse("erasure:handover-decline", args=[run.pk]))
    assert answer["Location"] == reverse("today")
    assert client.get(reverse("erasure:handover", args=[run.pk])).status_code == 404


@pytest.mark.parametrize("to", ["", "nonsense", "2b0c8a4e-0000-4000-8000-000000000000"])
def test_an_offer_to_an_unknown_person_is_refused_in_words(to: str) -> None:
    run = make_run(1)
    status, _changed, text = press_and_read(run, technician_of(run), "handover-offer", to=to)
    assert status in {400, 409}
    assert text


def test_people_with_the_page_open_are_listed() -> None:
    run = make_run(1)
    technician = technician_of(run)
    people = press(run, run.procedure.case.patient, "here").json()["people"]
    assert people["here"] == [run.procedure.case.patient.short_name]
    assert people["responsible"] == technician.short_name
    press(run, technician, "here")
    assert len(press(run, technician, "here").json()["people"]["here"]) == 2
    assert Attendance.objects.count() == 2
    Attendance.objects.filter(user=technician).update(seen_at=after(-60))
    assert press(run, doctor_of(run), "here").json()["people"]["here"] == [
        run.procedure.case.patient.short_name,
        doctor_of(run).short_name,
    ]
    assert press(run, make_technician(), "here").status_code == 404


def test_the_technician_sees_how_much_is_untouched_and_how_much_is_stored() -> None:
    run = make_run(3)
    one_pass(run)
    page = page_of(run, technician_of(run))
    figures = dict(re.findall(r'data-night="(\w+)">([^<]*)</dd>', page))
    assert (figures["untouched"], figures["partly"], figures["gone"]) == ("2", "1", "0")
    bits = sum(memory["bits"] for memory in snapshot(run.pk, viewer(run, technician_of(run)))["memories"])
    assert figures["bits"] == f"at most {bits:,} bits"
    assert 'id="night"' not in page_of(run, run.procedure.case.patient)


def test_a_call_can_be_answered_after_the_end_of_the_run() -> None:
    run = make_run(1)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    assert controls_of(run, doctor_of(run)) == {"acknowledge", "doctor", "here"}
    assert end_stopped() == 1
    assert controls_of(run, doctor_of(run)) == {"acknowledge", "here"}
    assert press_and_read(run, doctor_of(run), "acknowledge")[:2] == (200, True)
    assert not DoctorCall.objects.filter(acknowledged_at__isnull=True).exists()


def test_controls_of_an_unknown_session_are_refused() -> None:
    unknown = Run(pk=UUID(int=1))
    for name in ("presence", "here", "handover-accept", "take-over"):
        assert press(unknown, make_doctor(), name).status_code in {403, 404}


@pytest.mark.parametrize("htmx", [True, False])
@pytest.mark.parametrize("who", [technician_of, doctor_of])
def test_after_a_safe_word_a_resume_request_is_refused(who: Callable[[Run], User], htmx: bool) -> None:
    run = make_run(1)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    status, _changed, text = press_and_read(run, who(run), "resume")
    assert (status, text.split(".")[0]) == (409, "The safe word was said")
    client = Client(headers={"HX-Request": "true"} if htmx else {})
    client.force_login(who(run), backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.post(reverse("erasure:resume", args=[run.pk]), {"patient_agrees": "yes"}, follow=True)
    assert "Only a doctor lets the night go on" in answer.content.decode()
    assert Run.objects.get().state == Run.State.PAUSED
    assert "resume" not in controls_of(run, who(run))
    assert ("lift" in controls_of(run, who(run))) == (who is doctor_of)


def test_a_pause_of_the_patient_ends_if_the_patient_agrees() -> None:
    run = make_run(1)
    assert press_and_read(run, run.procedure.case.patient, "pause")[1]
    assert press_and_read(run, technician_of(run), "resume")[0] == 409
    assert press_and_read(run, technician_of(run), "resume", patient_agrees="yes")[:2] == (200, True)


def test_an_answer_to_the_presence_check_says_that_the_session_stays_paused() -> None:
    configure(presence_minutes=20)
    run = make_run(1)
    leave_unattended(run)
    presence.ask_due()
    control.safe_word(run.pk, by=run.procedure.case.patient)
    assert press_and_read(run, technician_of(run), "presence")[2] == "Thank you. The session stays paused."


def test_an_abort_without_a_script_opens_its_dialog_after_a_safe_word() -> None:
    run = make_run(1)
    control.safe_word(run.pk, by=run.procedure.case.patient)
    client = Client()
    client.force_login(technician_of(run), backend=settings.AUTHENTICATION_BACKENDS[0])
    answer = client.post(reverse("erasure:abort", args=[run.pk]), follow=True)
    assert re.search(r'<dialog class="ending"[^>]* open>', answer.content.decode())
