"""The pages of the intake questionnaire."""

import dataclasses

import pytest
from django.test import Client

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.drafts.models import Draft
from patients.intake.looks import record_intake_look
from patients.intake.questions import BRANCHES, STEPS, Branch, given_answers, steps_for
from patients.intake_review.models import IntakeReview
from tests.edits import edit, hidden_in
from tests.factories import make_case, make_user, review_intake

pytestmark = pytest.mark.django_db


@pytest.fixture
def case() -> Case:
    return make_case(agreed=False, subject_name="")


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def step(key: str) -> str:
    return f"/me/intake/?step={key}"


def draft(key: str) -> str:
    return f"/drafts/intake:{key}/"


def test_the_next_step_of_the_intake_depends_on_the_answers(patient: Client, case: Case) -> None:
    answer = edit(patient, step("who"), {"subject_name": "Clementine", "still": "no"})
    assert answer["Location"] == step("wish")
    assert patient.get(step("meeting")).status_code == 404
    answer = edit(patient, step("who"), {"subject_name": "Clementine", "still": "yes", "since": "May 2001"})
    assert answer["Location"] == step("meeting")
    for key, post in {
        "meeting": {"meeting": "At the bookshop."},
        "wish": {"why": "She forgot me.", "own_wish": "own"},
        "hope": {"hope": "Sleep."},
        "health": {"conditions": ["heart", "seizures"], "sedation": "no"},
        "health-more": {"heart_more": "Since May.", "seizures_more": "Years ago."},
    }.items():
        assert edit(patient, step(key), post).status_code == 302
    answer = edit(
        patient,
        step("chapters"),
        {"name_1": "Blue", "color_1": "blue", "from_1": "2003-01-01", "to_1": "2003-12-31", "name_2": ""},
    )
    assert answer["Location"] == "/me/"
    case.refresh_from_db()
    fields = case.read()
    assert fields.subject_name == "Clementine"
    assert fields.answers == {
        "still": "yes",
        "since": "May 2001",
        "meeting": "At the bookshop.",
        "why": "She forgot me.",
        "own_wish": "own",
        "hope": "Sleep.",
        "conditions": ["heart", "seizures"],
        "sedation": "no",
        "heart_more": "Since May.",
        "seizures_more": "Years ago.",
    }
    assert fields.chapters == [{"name": "Blue", "color": "blue", "from": "2003-01-01", "to": "2003-12-31"}]
    entries = Entry.objects.filter(action="intake.answered").order_by("index")
    assert [entry.details["step"] for entry in entries] == [
        "who",
        "who",
        "meeting",
        "wish",
        "hope",
        "health",
        "health-more",
        "chapters",
    ]


def test_a_draft_is_kept_though_its_date_cannot_be_read_yet(patient: Client, case: Case) -> None:
    typed = {"subject_name": "", "since": "Februry", "still": "yes"}
    kept = patient.post(draft("who"), typed)
    assert (kept.status_code, "Kept as you typed" in kept.json()["kept"]) == (200, True)
    shown = patient.get(step("who")).content.decode()
    assert 'value="Februry"' in shown
    case.refresh_from_db()
    assert case.read().subject_name == ""
    assert not Entry.objects.filter(action="intake.answered").exists()
    patient.post(draft("chapters"), {"name_1": "Blue"})
    assert 'value="Blue"' in patient.get(step("chapters")).content.decode()
    answers = {"subject_name": "Clementine", "since": "Feb 2001", "draft": kept.json()["revision"]}
    edit(patient, step("who"), answers)
    case.refresh_from_db()
    assert case.read().answers == {"since": "Feb 2001"}
    assert [row.form for row in Draft.objects.live()] == ["intake:chapters"]


def test_the_draft_of_an_earlier_release_is_shown_until_the_step_is_answered(
    patient: Client, case: Case
) -> None:
    case.write(dataclasses.replace(case.read(), answers={"drafts": {"hope": {"hope": "Sleep."}}}))
    case.save(update_fields=["sealed"])
    assert "Sleep.</textarea>" in patient.get(step("hope")).content.decode()
    edit(patient, step("hope"), {"hope": "Sleep, and quiet."})
    case.refresh_from_db()
    assert case.read().answers == {"hope": "Sleep, and quiet."}


def test_what_was_answered_can_be_taken_out_again(patient: Client, case: Case) -> None:
    edit(patient, step("hope"), {"hope": "Sleep.", "fear": "The dark."})
    edit(patient, step("hope"), {"hope": "Sleep.", "fear": ""})
    case.refresh_from_db()
    assert case.read().answers == {"hope": "Sleep."}


@pytest.mark.parametrize(
    ("key", "post", "message"),
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
def test_an_invalid_answer_is_refused_with_a_reason(
    patient: Client, case: Case, key: str, post: dict[str, str], message: str
) -> None:
    answer = edit(patient, step(key), post)
    assert answer.status_code == 422
    assert message in answer.content.decode()
    case.refresh_from_db()
    assert (case.read().subject_name, case.read().chapters) == ("", [])


@pytest.mark.parametrize("key", [item.key for item in steps_for({})])
def test_odd_text_breaks_neither_the_draft_nor_the_page(patient: Client, key: str) -> None:
    post = dict.fromkeys(
        ("subject_name", "hope", "name_1", "medicines", "conditions"), "\x00<b>" + "x" * 9000
    )
    assert patient.post(draft(key), post).status_code == 200
    assert patient.get(step(key)).status_code == 200
    assert patient.get("/me/intake/?step=%00").status_code == 404


def test_a_locked_map_takes_no_answers(patient: Client, case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    answer = patient.post(draft("who"), {"subject_name": "Other"})
    assert (answer.status_code, "locked" in answer.json()["text"]) == (409, True)
    assert edit(patient, step("who"), {"subject_name": "Other"}).status_code == 409
    assert "<textarea" not in patient.get(step("hope")).content.decode()
    case.refresh_from_db()
    assert case.read().subject_name == ""


@pytest.mark.parametrize("branch", [branch for branch in BRANCHES if branch.more])
def test_an_alarming_answer_asks_more(patient: Client, case: Case, branch: Branch) -> None:
    asked = next(one for one in STEPS if branch.question in one.form.base_fields)
    further = next(one for one in STEPS if branch.more in one.form.base_fields)
    assert patient.get(step(further.key)).status_code == 404
    given = {"subject_name": "Clementine", branch.question: branch.answer}
    answer = edit(patient, step(asked.key), given)
    assert answer["Location"] == step(further.key)
    page = patient.get(step(further.key)).content.decode()
    assert [name for name in further.form.base_fields if f'name="{name}"' in page] == [branch.more]
    edit(patient, step(further.key), {branch.more: "A few words."})
    case.refresh_from_db()
    assert given_answers(case.read())[branch.more] == "A few words."


def test_an_answer_to_a_question_that_is_not_asked_any_more_is_kept_and_shown_to_nobody(
    patient: Client, case: Case
) -> None:
    who, more = {"subject_name": "C"}, step("health-more")
    edit(patient, step("who"), who)
    edit(patient, step("health"), {"conditions": ["heart"]})
    open_page = hidden_in(patient.get(more))
    edit(patient, step("health"), {"conditions": []})
    assert patient.get(more).status_code == 404
    answer = patient.post(more, {**open_page, "heart_more": "Since May."})
    assert answer["Location"] == step("circle")
    case.refresh_from_db()
    assert case.read().answers == {"heart_more": "Since May."}
    assert given_answers(case.read()) == {"subject_name": "C"}
    edit(patient, step("health"), {"conditions": ["heart"]})
    assert "Since May.</textarea>" in patient.get(more).content.decode()


def test_a_refused_answer_on_a_step_that_is_not_asked_any_more_is_shown_again(
    patient: Client, case: Case
) -> None:
    edit(patient, step("who"), {"subject_name": "C"})
    answer = patient.post(step("meeting"), {"meeting": "x" * 1001})
    assert (answer.status_code, "x" * 1001 in answer.content.decode()) == (409, True)


def test_what_an_earlier_release_asked_in_one_field_is_shown_with_the_medicines(
    patient: Client, case: Case
) -> None:
    case.write(dataclasses.replace(case.read(), subject_name="C", answers={"medicines": "Penicillin: no!"}))
    case.save(update_fields=["sealed"])
    assert given_answers(case.read()) == {"subject_name": "C", "medication": "Penicillin: no!"}
    assert "Penicillin: no!</textarea>" in patient.get(step("health")).content.decode()
    edit(patient, step("health"), {"medication": "Penicillin: no!", "sedation": "no"})
    case.refresh_from_db()
    assert case.read().answers == {"medication": "Penicillin: no!", "sedation": "no"}


def test_the_patient_reads_who_has_read_the_answers_and_until_when_they_can_change_them(
    patient: Client, case: Case
) -> None:
    edit(patient, step("who"), {"subject_name": "Clementine"})
    page = patient.get(step("who")).content.decode()
    assert "Nobody has read it yet." in page
    assert "You can change every answer until your map is locked." in page
    assert "A doctor has read your answers" not in page
    record_intake_look(case, by=make_user(Role.DOCTOR, name="Howard Mierzwiak"))
    case.refresh_from_db()
    review_intake(case, IntakeReview.Outcome.CLEARED)
    page = patient.get(step("who")).content.decode()
    assert "Howard Mierzwiak" in page
    assert "A doctor has read your answers" in page
    edit(patient, step("hope"), {"hope": "Sleep."})
    assert "A doctor has read your answers" not in patient.get(step("who")).content.decode()


def test_a_locked_intake_shows_the_answers(patient: Client, case: Case) -> None:
    edit(patient, step("who"), {"subject_name": "Clementine", "still": "yes"})
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    page = patient.get(step("who")).content.decode()
    assert "<form method" not in page.partition("<main")[2].partition("</main>")[0]
    assert "Clementine" in page
