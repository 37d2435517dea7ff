"""The pages of the intake."""

import pytest
from django.test import Client

from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.intake.steps import STEPS
from tests.factories import (
    make_case,
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


def step(key: str) -> str:
    return f"/me/intake/?step={key}"


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
