"""A run is stopped while a copy waits for the doctor. Then no page asks for a decision any more."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.calendar.board import Board, board_of
from erasure.jobs.supervisor import end_stopped
from erasure.runs import control
from erasure.runs.models import DoctorCall, Hold, Run
from erasure.runs.resistance import decide
from erasure.runs.run_actions import NotNow
from erasure.session.replay import replay, snapshot_at
from erasure.session.snapshot import snapshot
from tests.erasure.runs.nights import doctor_of
from tests.erasure.runs.test_resistance import make_held
from tests.erasure.session.viewing import viewer
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)


def make_aborted() -> Run:
    run = make_held()
    control.abort(run.pk, by=doctor_of(run), reason="medical")
    return run


def text_of(client: Client, person: User, url: str) -> str:
    client.force_login(person)
    answer = client.get(url)
    assert answer.status_code == 200
    main = answer.content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<script.*?</script>|<[^>]+>", " ", main, flags=re.DOTALL).split())


@pytest.mark.parametrize("finished", [False, True], ids=["stopping", "finished"])
def test_the_session_asks_for_no_decision(client: Client, finished: bool) -> None:
    run = make_aborted()
    if finished:
        assert end_stopped() == 1
    run.refresh_from_db()
    doctor = doctor_of(run)
    state = snapshot(run.pk, viewer(run, doctor))
    assert (state["alarms"], state["counts"]["off"]) == ([], 0)
    assert "held until the doctor decides" not in text_of(client, doctor, f"/sessions/{run.pk}/")
    item = Hold.objects.get(step__run=run)
    with pytest.raises((NotNow, ValueError), match=r"decided already|being stopped"):
        decide(run.pk, item.pk, extend=False, reason="doubt", by=doctor)


def test_the_day_board_shows_no_alarm_although_the_call_is_open() -> None:
    run = make_aborted()
    assert DoctorCall.objects.get(run=run).acknowledged_at is None
    for _state in ("stopping", "finished"):
        (night,) = board_of_today().progress
        assert not night.alarm
        end_stopped()
    assert board_of_today().progress[0].state == "Stopped"


def board_of_today() -> Board:
    return board_of(timezone.localdate(), make_user(Role.DOCTOR))


def test_the_pages_of_staff_and_patient_agree(client: Client) -> None:
    run = make_aborted()
    end_stopped()
    case = run.procedure.case
    file = text_of(client, doctor_of(run), f"/files/{case.pk}/")
    assert "night stopped." in file
    assert "no longer in force" in file
    assert "Map locked, consent unsigned." in file
    assert "Map locked, consent unsigned." in text_of(client, doctor_of(run), "/today/")
    patient = text_of(client, case.patient, "/me/")
    assert "Nothing is asked of you now" not in patient
    assert "Read and sign for exactly your map." in patient
    assert "Your night was stopped" in patient
    assert "Your signature" in text_of(client, case.patient, "/me/consent/")


def test_the_replay_shows_no_alarm_after_the_stop() -> None:
    run = make_aborted()
    end_stopped()
    run.refresh_from_db()
    shown = replay(run)
    stopping = next(moment for moment in shown.moments if moment.kind == "aborting")
    assert snapshot_at(shown, stopping)["alarms"] == []
