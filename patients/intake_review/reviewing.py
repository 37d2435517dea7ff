"""Records a doctor's review of the intake, and says whether a case has one that lets it go on.

A review is valid only for the answers that were reviewed. It stores their digest, an HMAC under a key that is
derived from the case's key. While the case's key exists, whoever has it can read the answers anyway. Once it
is destroyed, nobody can compute the digest of guessed answers and compare it. So the digests in the row, in
the log and in backups reveal nothing.
"""

import hmac
import json
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from patients.cases.models import Case, CaseFields
from patients.cases.status import Review, review_fault
from patients.intake.questions import given_answers
from patients.intake_review.models import IntakeReview, ReviewFields
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many

MAX_CHARACTERS = 2000  # of the words of a review

# Why a case cannot go on, by the code that `review_fault` returns: for staff, and for the patient.
FAULTS_FOR_STAFF: dict[str, str | Promise] = {
    "unreviewed": gettext_lazy("A doctor has not reviewed the intake yet."),
    "outdated": gettext_lazy("The patient has changed answers since a doctor reviewed the intake."),
    "not-cleared": gettext_lazy("The doctor has not cleared the patient."),
}
FAULTS_FOR_PATIENT: dict[str, str | Promise] = {
    "unreviewed": gettext_lazy("A doctor reads your answers first. Then you can sign."),
    "outdated": gettext_lazy("You have changed an answer. A doctor reads it first. Then you can sign."),
    "not-cleared": gettext_lazy("Our doctor would like to talk to you before you sign."),
}


class CannotReview(Exception):
    """The review is not recorded. The message is shown to the doctor.

    stale: the answers have changed, or another review was recorded, since the page was made.
    """

    def __init__(self, message: str, *, stale: bool = False) -> None:
        super().__init__(message)
        self.stale = stale


def answers_digest(key: bytes, answers: Mapping[str, Any]) -> str:
    """Return the digest of answers as `given_answers` returns them: HMAC-SHA256, 64 hexadecimal digits.

    key: the case's key, 32 bytes.
    """
    derived_key = hmac.digest(key, b"lacuna intake review", "sha256")
    return hmac.digest(derived_key, json.dumps(answers, sort_keys=True).encode(), "sha256").hex()


def _latest(cases: Collection[UUID]) -> dict[UUID, IntakeReview]:
    """Return the newest review of each case that has one, by the case's id."""
    rows = IntakeReview.objects.filter(case__in=cases).order_by("number")
    return {row.case_id: row for row in rows}


def reviews_of(cases: Collection[Case]) -> dict[UUID, Review]:
    """Return the newest review of each case that has one, and whether its answers are the current ones.

    The answers of the given rows count; they are not loaded again. Once a case's key is destroyed its review
    is never current. The number of queries does not depend on the number of cases.
    """
    latest = _latest([case.pk for case in cases])
    reviewed = [case for case in cases if case.pk in latest]
    keys = key_store().get_many({case.pk for case in reviewed}) if reviewed else {}
    fields = read_many(reviewed)
    return {
        pk: Review(
            outcome=row.outcome,
            reviewed_at=row.reviewed_at,
            current=pk in keys
            and pk in fields
            and hmac.compare_digest(row.digest, answers_digest(keys[pk], given_answers(fields[pk]))),
        )
        for pk, row in latest.items()
    }


def fault_of_review(case: Case, *, needed: bool = True) -> str:
    """Return a code: why the review of the intake does not let a case go on; "" if it does.

    The caller holds the lock of the case's row. needed: see `review_fault`.
    """
    return review_fault(reviews_of([case]).get(case.pk), needed=needed)


def review_mark(case: Case, fields: CaseFields) -> str:
    """Return the mark of what the doctor's page shows: the answers, and which review is the newest."""
    return seen_mark(f"intake-review:{case.pk}", *_marked_values(case, fields))


def _marked_values(case: Case, fields: CaseFields) -> list[object]:
    return [given_answers(fields), IntakeReview.objects.filter(case=case).count()]


def lock_reviewable(case: UUID) -> Case:
    """Lock a case's row and return it. Call inside a transaction. Errors: CannotReview."""
    locked = Case.objects.select_for_update().get(pk=case)
    if locked.is_over:
        raise CannotReview(_("This case is over, so nothing is reviewed any more."))
    if locked.stage == Case.Stage.RUNNING:
        raise CannotReview(_("The night has begun. Whoever is in it decides on its page."))
    return locked


@transaction.atomic
def record_review(
    case: Case, outcome: str, words: str = "", *, seen: str | None = None, by: User
) -> IntakeReview:
    """Record a review of the present answers. From now on it counts, and the earlier reviews do not.

    words: sealed, and never logged. seen: the `review_mark` on the page; None if no page was shown.
    Errors: CannotReview, also if words are missing that the outcome needs, or with `stale` if the answers are
    not what the page showed; KeyGone.
    """
    locked = lock_reviewable(case.pk)
    words = words.strip()
    if outcome not in IntakeReview.Outcome.values:
        raise CannotReview(_("Choose what your review comes to."))
    if len(words) > MAX_CHARACTERS:
        raise CannotReview(_("Please say it in at most %(n)d characters.") % {"n": MAX_CHARACTERS})
    if not words and outcome != IntakeReview.Outcome.CLEARED:
        raise CannotReview(_("Say in a few words what has to be observed, or why not. The patient reads it."))
    fields: CaseFields = locked.read()
    if seen is not None and not is_seen(seen, f"intake-review:{locked.pk}", *_marked_values(locked, fields)):
        raise CannotReview(
            _("The answers were changed, or reviewed by somebody else, while your page was open."), stale=True
        )
    if not fields.subject_name:
        raise CannotReview(_("The patient has not answered the intake yet."))
    answers = given_answers(fields)
    review = IntakeReview(
        case=locked,
        number=IntakeReview.objects.filter(case=locked).count() + 1,
        digest=answers_digest(key_store().get(locked.pk), answers),
        outcome=outcome,
        reviewed_by=by,
    )
    review.write(ReviewFields(words=words, answers=answers))
    review.save()
    record(
        Act(
            "intake.reviewed",
            f"intakereview:{review.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={"number": review.number, "outcome": str(review.outcome), "answers": review.digest},
        )
    )
    return review


def conditions_of(case: Case) -> str:
    """Return the conditions under which the patient is cleared, in the doctor's words; "" if there are none.

    They hold until a newer review, also while changed answers wait for it.
    """
    row = _latest([case.pk]).get(case.pk)
    if row is None or row.outcome != IntakeReview.Outcome.CONDITIONS:
        return ""
    try:
        fields: ReviewFields = row.read()
    except KeyGone:
        return ""
    return fields.words
