"""The patient's own page, and the intake."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clinic.audit.models import Entry
from clinic.people.models import Role
from patients.cases.intake import STEPS
from patients.cases.models import Case
from patients.cases.portal import tasks_of
from patients.keepsakes.models import Keepsake
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
    return [(str(task.text), task.state) for task in tasks_of(case)]


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
    told = tasks_of(Case.objects.get(pk=case.pk))
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


def test_the_intake_branches(patient: Client, case: Case) -> None:
    answer = patient.post(step("who"), {"subject_name": "Clementine", "still": "no"})
    assert answer["Location"] == step("hope")
    assert patient.get(step("meeting")).status_code == 404
    answer = patient.post(step("who"), {"subject_name": "Clementine", "still": "yes", "since": "May 2001"})
    assert answer["Location"] == step("meeting")
    for key, post in {
        "meeting": {"meeting": "At the bookshop."},
        "hope": {"hope": "Sleep."},
        "health": {"conditions": ["heart", "seizures"], "sedation": "no"},
    }.items():
        assert patient.post(step(key), post).status_code == 302
    answer = patient.post(
        step("chapters"),
        {"name_1": "Blue", "color_1": "blue", "from_1": "2003-01-01", "to_1": "2003-12-31", "name_2": ""},
    )
    assert answer["Location"] == "/me/"
    case.refresh_from_db()
    paper = case.read()
    assert paper.subject_name == "Clementine"
    assert paper.answers == {
        "still": "yes",
        "since": "May 2001",
        "meeting": "At the bookshop.",
        "hope": "Sleep.",
        "conditions": ["heart", "seizures"],
        "sedation": "no",
    }
    assert paper.chapters == [{"name": "Blue", "color": "blue", "from": "2003-01-01", "to": "2003-12-31"}]
    told = Entry.objects.filter(action="intake.answered").order_by("index")
    assert [entry.details["step"] for entry in told] == [
        "who",
        "who",
        "meeting",
        "hope",
        "health",
        "chapters",
    ]


def test_typing_is_kept_though_it_cannot_be_read_yet(patient: Client, case: Case) -> None:
    typed = {"subject_name": "", "since": "Februry", "still": "yes"}
    answer = patient.post(step("who"), typed, headers=HTMX)
    assert (answer.status_code, "Kept as you typed" in answer.content.decode()) == (200, True)
    shown = patient.get(step("who")).content.decode()
    assert 'value="Februry"' in shown
    case.refresh_from_db()
    assert case.read().subject_name == ""
    assert not Entry.objects.filter(action="intake.answered").exists()
    patient.post(step("chapters"), {"name_1": "Blue"}, headers=HTMX)
    assert 'value="Blue"' in patient.get(step("chapters")).content.decode()
    patient.post(step("who"), {"subject_name": "Clementine", "since": "Feb 2001"})
    case.refresh_from_db()
    assert case.read().answers == {"since": "Feb 2001", "drafts": {"chapters": draft_of_chapters("Blue")}}


def draft_of_chapters(name: str) -> dict[str, str]:
    blank = {f"{part}_{n}": "" for n in range(1, 5) for part in ("name", "color", "from", "to")}
    return blank | {"name_1": name}


def test_what_was_answered_can_be_taken_out_again(patient: Client, case: Case) -> None:
    patient.post(step("hope"), {"hope": "Sleep.", "fear": "The dark."})
    patient.post(step("hope"), {"hope": "Sleep.", "fear": ""})
    case.refresh_from_db()
    assert case.read().answers == {"hope": "Sleep."}


@pytest.mark.parametrize(
    ("key", "post", "told"),
    [
        ("who", {"subject_name": ""}, "required"),
        ("who", {"subject_name": "C", "since": "3/4/2003"}, "That could be"),
        ("who", {"subject_name": "x" * 200}, "at most 120"),
        ("health", {"conditions": "nonsense"}, "nonsense"),
        ("chapters", {"name_1": "Blue"}, "a first and a last day"),
        ("chapters", {"name_1": "B", "from_1": "2004-01-01", "to_1": "2003-01-01"}, "in this order"),
        ("chapters", {"name_1": "B", "from_1": "2004-01-01"}, "a first and a last day"),
        ("chapters", {"name_1": "B", "to_1": "2004-01-01"}, "a first and a last day"),
        ("chapters", {"from_2": "2004-01-01"}, "give this chapter a name"),
        ("chapters", {"to_2": "2004-01-01"}, "give this chapter a name"),
        ("chapters", {"name_1": "B", "from_1": "01.01.2004", "to_1": "x"}, "valid date"),
    ],
)
def test_what_cannot_be_taken_is_said(
    patient: Client, case: Case, key: str, post: dict[str, str], told: str
) -> None:
    answer = patient.post(step(key), post)
    assert answer.status_code == 422
    assert told in answer.content.decode()
    case.refresh_from_db()
    assert (case.read().subject_name, case.read().chapters) == ("", [])


@pytest.mark.parametrize("key", [item.key for item in STEPS if item.key != "meeting"])
def test_odd_typing_is_no_trouble(patient: Client, key: str) -> None:
    post = dict.fromkeys(
        ("subject_name", "hope", "name_1", "medicines", "conditions"), "\x00<b>" + "x" * 9000
    )
    assert patient.post(step(key), post, headers=HTMX).status_code == 200
    assert patient.get(step(key)).status_code == 200
    assert patient.get("/me/intake/?step=%00").status_code == 404


def test_a_locked_map_takes_no_answers(patient: Client, case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    answer = patient.post(step("who"), {"subject_name": "Other"}, headers=HTMX)
    assert (answer.status_code, "locked" in answer.content.decode()) == (409, True)
    assert patient.post(step("who"), {"subject_name": "Other"}).status_code == 422
    assert "<textarea" not in patient.get(step("hope")).content.decode()
    case.refresh_from_db()
    assert case.read().subject_name == ""


def test_cooling_off_is_told(client: Client, settings: pytest.FixtureRequest) -> None:
    settings.LACUNA_COOLING_OFF_HOURS = 72  # type: ignore[attr-defined]
    case = make_case()
    make_keepsake(make_memory(case))
    make_signed(case)
    client.force_login(case.patient)
    first = timezone.localtime() + timedelta(hours=72)
    assert f"The night, from {first.day} {first:%b %Y} on" in client.get("/me/").content.decode()
