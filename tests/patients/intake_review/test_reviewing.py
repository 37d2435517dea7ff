"""Recording reviews, whether they still hold, and what is left of them once the case's key is destroyed."""

import dataclasses
import json

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.intake.questions import given_answers
from patients.intake_review.models import IntakeReview
from patients.intake_review.reviewing import (
    MAX_CHARACTERS,
    CannotReview,
    answers_digest,
    conditions_of,
    fault_of_review,
    record_review,
    review_mark,
    reviews_of,
)
from patients.vault.configured import key_store
from tests.factories import make_case, make_user, review_intake
from tests.patients.intake_review.answering import answer

pytestmark = pytest.mark.django_db

Outcome = IntakeReview.Outcome


@pytest.fixture
def case() -> Case:
    return answer(make_case(reviewed=False), sedation="yes")


def test_a_review_is_recorded_with_its_words_sealed(case: Case) -> None:
    doctor = make_user(Role.DOCTOR)
    review = record_review(case, Outcome.CONDITIONS, "  No sedative.  ", by=doctor)
    row = IntakeReview.objects.get()
    assert (row.case, row.number, row.outcome, row.reviewed_by) == (
        case,
        1,
        "cleared_with_conditions",
        doctor,
    )
    assert row.read().words == "No sedative."
    assert row.read().answers == {"subject_name": "Clementine", "sedation": "yes"}
    assert b"No sedative" not in bytes(row.sealed)
    entry = Entry.objects.get(action="intake.reviewed")
    assert (entry.subject, entry.actor, entry.case) == (
        f"intakereview:{review.pk}",
        f"user:{doctor.pk}",
        case.pk,
    )
    assert entry.details == {"number": 1, "outcome": "cleared_with_conditions", "answers": row.digest}


@pytest.mark.parametrize(
    ("outcome", "words", "message"),
    [
        ("", "", "Choose what your review comes to."),
        ("perhaps", "", "Choose what your review comes to."),
        (Outcome.CONDITIONS, " ", "Say in a few words"),
        (Outcome.NOT_CLEARED, "", "Say in a few words"),
        (Outcome.CLEARED, "x" * (MAX_CHARACTERS + 1), "at most 2000 characters"),
    ],
)
def test_an_invalid_review_is_refused(case: Case, outcome: str, words: str, message: str) -> None:
    with pytest.raises(CannotReview, match=message):
        record_review(case, outcome, words, by=make_user(Role.DOCTOR))
    assert not IntakeReview.objects.exists()
    assert not Entry.objects.filter(action="intake.reviewed").exists()


@pytest.mark.parametrize(
    ("stage", "message"),
    [("closed", "This case is over"), ("withdrawn", "This case is over"), ("running", "The night has begun")],
)
def test_the_intake_is_reviewed_neither_during_the_night_nor_after_the_end(
    case: Case, stage: str, message: str
) -> None:
    Case.objects.filter(pk=case.pk).update(stage=stage)
    with pytest.raises(CannotReview, match=message):
        record_review(case, Outcome.CLEARED, by=make_user(Role.DOCTOR))


def test_an_intake_without_a_subject_cannot_be_reviewed() -> None:
    with pytest.raises(CannotReview, match="has not answered the intake yet"):
        review_intake(make_case(subject_name=""))


def test_a_review_of_answers_that_changed_meanwhile_is_refused(case: Case) -> None:
    doctor = make_user(Role.DOCTOR)
    seen = review_mark(case, case.read())
    changed = answer(case, despair="yes")
    with pytest.raises(CannotReview, match="were changed") as refusal:
        record_review(case, Outcome.CLEARED, seen=seen, by=doctor)
    assert refusal.value.stale
    seen = review_mark(changed, changed.read())
    record_review(case, Outcome.NOT_CLEARED, "Not now.", seen=seen, by=doctor)
    with pytest.raises(CannotReview, match="or reviewed by somebody else"):
        record_review(case, Outcome.CLEARED, seen=seen, by=doctor)
    assert [row.outcome for row in IntakeReview.objects.all()] == ["not_cleared"]


def test_only_the_newest_review_counts_and_only_for_the_answers_it_was_made_of(case: Case) -> None:
    assert fault_of_review(case) == "unreviewed"
    review_intake(case, Outcome.NOT_CLEARED, "Not now.")
    assert fault_of_review(case) == "not-cleared"
    review_intake(case)
    assert fault_of_review(case) == ""
    case = answer(case, medication="Lithium")
    assert fault_of_review(case) == "outdated"
    assert fault_of_review(answer(case, medication="")) == ""
    case = answer(case, heart_more="kept, but not asked any more")
    assert fault_of_review(case) == ""
    fields = case.read()
    case.write(dataclasses.replace(fields, chapters=[{"name": "Red", "color": "red", "from": "", "to": ""}]))
    assert fault_of_review(case) == ""
    case.write(dataclasses.replace(fields, subject_name="Somebody Else"))
    assert fault_of_review(case) == "outdated"


def test_conditions_hold_until_the_next_review(case: Case) -> None:
    assert conditions_of(case) == ""
    review_intake(case, Outcome.CONDITIONS, "No sedative.")
    assert conditions_of(answer(case, allergy="yes")) == "No sedative."
    review_intake(case, Outcome.CLEARED, "All is well.")
    assert conditions_of(case) == ""
    review_intake(case, Outcome.NOT_CLEARED, "Not now.")
    assert conditions_of(case) == ""


def test_nothing_of_a_review_lets_answers_be_guessed_after_the_case_s_key_is_destroyed(case: Case) -> None:
    review = review_intake(case, Outcome.CONDITIONS, "No sedative.")
    guess = given_answers(case.read())
    key = key_store().get(case.pk)
    assert answers_digest(key, guess) == review.digest
    assert answers_digest(key, {**guess, "sedation": "no"}) != review.digest
    other = answer(make_case(reviewed=False), sedation="yes")
    assert review_intake(other).digest != review.digest  # the same answers, the key of another case
    key_store().destroy(case.pk)
    assert conditions_of(case) == ""
    assert not reviews_of([case])[case.pk].current
    # Somebody who guesses the answers right has every key but the destroyed one.
    stored = json.dumps(
        [review.digest, *Entry.objects.filter(case=case.pk).values_list("details", flat=True)]
    )
    for other_key in (b"", bytes(32), case.pk.bytes, key_store().get(other.pk)):
        assert answers_digest(other_key, guess) not in stored


def test_the_database_refuses_an_outcome_or_a_number_that_cannot_be(case: Case) -> None:
    review_intake(case)
    row = IntakeReview.objects.get()
    with pytest.raises(IntegrityError, match="intake_review_outcome_known"), transaction.atomic():
        IntakeReview.objects.filter(pk=row.pk).update(outcome="perhaps")
    review_intake(case)
    with pytest.raises(IntegrityError), transaction.atomic():
        IntakeReview.objects.update(number=1)


def test_the_log_tells_of_a_review_that_was_changed(case: Case) -> None:
    review = review_intake(case, Outcome.NOT_CLEARED, "Not now.")
    assert verify_log().problems == []
    IntakeReview.objects.update(outcome="cleared")
    entry = Entry.objects.get(action="intake.reviewed")
    assert verify_log().problems == [
        f"Intakereview {review.pk} is not as the log says (entry {entry.index}): outcome."
    ]


def test_many_cases_cost_as_many_queries_as_one() -> None:
    one = [make_case()]
    three = [*one, make_case(), make_case(reviewed=False)]
    with CaptureQueriesContext(connection) as few:
        reviews_of(one)
    with CaptureQueriesContext(connection) as many:
        found = reviews_of(three)
    assert len(many) == len(few)
    assert set(found) == {three[0].pk, three[1].pk}
    assert status_of(three[2]).facts.review is None
