"""The page on which a doctor reads the intake and reviews it."""

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.calendar.board import board_of
from patients.cases.models import Case
from patients.drafts.models import Draft
from patients.intake_review import views
from patients.intake_review.models import IntakeReview
from patients.intake_review.reviewing import record_review
from patients.maps.locking import lock_map
from patients.vault.configured import key_store
from tests.edits import hidden_in
from tests.factories import make_case, make_keepsake, make_memory, make_technician, make_user, review_intake
from tests.patients.intake_review.answering import answer

pytestmark = pytest.mark.django_db

CONDITIONS = {"outcome": "cleared_with_conditions", "words": "Wake her gently."}


@pytest.fixture
def case() -> Case:
    return answer(
        make_case(reviewed=False),
        hope="Sleep.",
        conditions=["heart"],
        heart_more="Since May.",
        must_not="My mother.",
    )


@pytest.fixture
def doctor() -> User:
    return make_user(Role.DOCTOR, name="Howard Mierzwiak")


@pytest.fixture
def doctors_client(client: Client, doctor: User) -> Client:
    client.force_login(doctor)
    return client


def url(case: Case) -> str:
    return f"/files/{case.pk}/intake/"


def text(response: object) -> str:
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def send(doctors_client: Client, case: Case, post: dict[str, str]) -> object:
    """Post a review from a page opened now."""
    return doctors_client.post(url(case), {**hidden_in(doctors_client.get(url(case)), url(case)), **post})


def test_what_is_alarming_comes_first_and_the_reading_is_on_record(
    doctors_client: Client, case: Case, doctor: User
) -> None:
    shown = text(doctors_client.get(url(case)))
    first, _all, rest = shown.partition("All answers")
    assert "My heart, or my blood pressure, is being treated" in first
    assert "Since May." in first
    assert "My mother." in first
    assert "Sleep." not in first
    assert "Sleep." in rest
    assert "Which medicines do you take?" in first.partition("Not answered:")[2]
    entry = Entry.objects.get(action="intake.read")
    assert (entry.actor, entry.case) == (f"user:{doctor.pk}", case.pk)
    patient = Client()
    patient.force_login(case.patient)
    for path in ("/me/", "/me/looks/", "/me/intake/"):
        assert "Howard Mierzwiak" in patient.get(path).content.decode()


def test_a_review_is_recorded(doctors_client: Client, case: Case) -> None:
    response = send(doctors_client, case, CONDITIONS)
    assert (response.status_code, response["Location"]) == (302, f"/files/{case.pk}/")  # type: ignore[attr-defined,index]
    review = IntakeReview.objects.get()
    assert (review.outcome, review.read().words) == ("cleared_with_conditions", "Wake her gently.")
    file = text(doctors_client.get(f"/files/{case.pk}/"))
    assert "Wake her gently." in file
    assert "Intake reviewed by a doctor." in file
    assert "Wake her gently." in text(doctors_client.get(url(case)))


@pytest.mark.parametrize(
    ("post", "message"),
    [
        ({"words": "Yes"}, "required"),
        ({"outcome": "perhaps"}, "perhaps is not one"),
        ({"outcome": "not_cleared", "words": " "}, "Say in a few words"),
        ({"outcome": "cleared", "words": "x" * 2001}, "at most 2000"),
    ],
)
def test_an_invalid_review_is_refused_with_a_reason(
    doctors_client: Client, case: Case, post: dict[str, str], message: str
) -> None:
    response = send(doctors_client, case, post)
    assert response.status_code == 422  # type: ignore[attr-defined]
    assert message in text(response)
    assert not IntakeReview.objects.exists()
    assert Entry.objects.filter(action="intake.read").count() == 1


def test_a_review_of_changed_answers_is_refused_and_both_are_shown(
    doctors_client: Client, case: Case
) -> None:
    hidden = hidden_in(doctors_client.get(url(case)), url(case))
    answer(case, despair="yes")
    refused = doctors_client.post(url(case), {**hidden, **CONDITIONS})
    assert refused.status_code == 409
    shown = text(refused)
    changed = shown.partition("These answers are not what your page showed")[2].partition("What you wrote")[0]
    assert "Are there days on which you would rather not be alive?" in changed
    assert "Does any of this concern you?" not in changed
    assert "Wake her gently.</textarea>" in shown
    assert not IntakeReview.objects.exists()
    again = doctors_client.post(url(case), {**hidden_in(refused, url(case)), **CONDITIONS})
    assert again.status_code == 302
    assert IntakeReview.objects.get().read().answers["despair"] == "yes"


def test_two_doctors_do_not_overwrite_each_other(doctors_client: Client, case: Case) -> None:
    hidden = hidden_in(doctors_client.get(url(case)), url(case))
    review_intake(case, "not_cleared", "Not now.")
    refused = doctors_client.post(url(case), {**hidden, **CONDITIONS})
    assert refused.status_code == 409
    assert "Not now." in text(refused)
    assert "Wake her gently.</textarea>" in text(refused)
    assert IntakeReview.objects.count() == 1


def test_changed_answers_are_shown_beside_those_that_were_reviewed(
    doctors_client: Client, case: Case
) -> None:
    review_intake(case)
    assert "When it was reviewed" not in text(doctors_client.get(url(case)))
    answer(case, hope="Nothing.", fear="The dark.")
    shown = text(doctors_client.get(url(case)))
    assert "When it was reviewed: Sleep." in shown
    assert "When it was reviewed: not answered" in shown
    assert "so it does not count any more" in shown


def test_a_draft_is_kept_and_the_page_shows_answers_that_changed_since(
    doctors_client: Client, case: Case
) -> None:
    hidden = hidden_in(doctors_client.get(url(case)), url(case))
    kept = doctors_client.post(f"/drafts/intake-review:{case.pk}/", {**hidden, **CONDITIONS})
    assert kept.status_code == 200
    assert "These answers are not" not in text(doctors_client.get(url(case)))
    answer(case, despair="yes")
    shown = text(doctors_client.get(url(case)))
    assert "Wake her gently.</textarea>" in shown
    assert "These answers are not what your page showed" in shown
    hidden = hidden_in(doctors_client.get(url(case)), url(case))
    doctors_client.post(url(case), {**hidden, **CONDITIONS, "draft": kept.json()["revision"]})
    assert not Draft.objects.live().exists()


def test_the_lock_of_the_map_ends_no_draft_of_a_review(
    doctors_client: Client, case: Case, doctor: User
) -> None:
    review_intake(case)
    make_keepsake(make_memory(case))
    doctors_client.post(f"/drafts/intake-review:{case.pk}/", CONDITIONS)
    lock_map(Case.objects.get(pk=case.pk), by=doctor)
    assert "Wake her gently.</textarea>" in text(doctors_client.get(url(case)))
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.RUNNING)
    refused = doctors_client.post(f"/drafts/intake-review:{case.pk}/", CONDITIONS)
    assert (refused.status_code, "The night has begun" in refused.json()["text"]) == (409, True)
    late = doctors_client.post(url(case), CONDITIONS)
    assert late.status_code == 409
    assert "The night has begun" in text(late)
    assert "Wake her gently." in text(late)


def test_with_destroyed_answers_the_page_is_gone_and_keeps_what_was_typed(
    doctors_client: Client, case: Case
) -> None:
    hidden = hidden_in(doctors_client.get(url(case)), url(case))
    key_store().destroy(case.pk)
    assert doctors_client.get(url(case)).status_code == 410
    late = doctors_client.post(url(case), {**hidden, **CONDITIONS})
    assert (late.status_code, "Wake her gently." in text(late)) == (410, True)


def test_answers_destroyed_while_a_review_is_posted_leave_what_was_typed(
    doctors_client: Client, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The case ends between the check of the form and the lock of the case."""

    def end_case_first(*args: object, **kwargs: object) -> IntakeReview:
        Case.objects.filter(pk=case.pk).update(stage=Case.Stage.WITHDRAWN)
        key_store().destroy(case.pk)
        return record_review(*args, **kwargs)  # type: ignore[arg-type]

    hidden = hidden_in(doctors_client.get(url(case)), url(case))
    monkeypatch.setattr(views, "record_review", end_case_first)
    late = doctors_client.post(url(case), {**hidden, **CONDITIONS})
    assert (late.status_code, "Wake her gently." in text(late)) == (410, True)
    assert not IntakeReview.objects.exists()


def test_only_doctors_read_the_intake_and_no_doctor_their_own(client: Client, case: Case) -> None:
    for person in (make_technician(), make_user(Role.RECEPTIONIST), make_user(Role.AUDITOR), case.patient):
        client.force_login(person)
        assert client.get(url(case)).status_code in {403, 404}
    own = make_case(make_user(Role.PATIENT, Role.DOCTOR))
    client.force_login(own.patient)
    assert client.get(url(own)).status_code in {403, 404}
    assert not Entry.objects.filter(action="intake.read").exists()


def test_the_board_tells_everybody_and_leads_doctors_to_the_page(case: Case, doctor: User) -> None:
    technician = make_technician()

    def needs(person: User) -> dict[str, str]:
        board = board_of(timezone.localdate(), person)
        return {str(need.text): need.url for need in board.needs}

    assert needs(doctor)["A doctor has to review the intake."] == url(case)
    assert needs(technician)["A doctor has to review the intake."] == f"/files/{case.pk}/"
    review_intake(case)
    assert "A doctor has to review the intake." not in needs(doctor)
    answer(case, hope="Nothing.")
    assert needs(doctor)["Answers were changed. A doctor has to review the intake again."] == url(case)
    review_intake(Case.objects.get(pk=case.pk), "not_cleared", "Not now.")
    assert needs(doctor)["The doctor has not cleared the patient."] == url(case)
