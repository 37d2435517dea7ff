"""What a verification of the log compares of reviews: the outcome, and the digest of the reviewed answers."""

from collections.abc import Mapping

from clinic.audit.comparisons import Rows, Said, register
from clinic.audit.models import Entry
from patients.intake_review.models import IntakeReview


def stored(review_id: str | None) -> Mapping[str, Said]:
    """Return the values of each review by its id, or of one review, under the names that `logged` uses."""
    rows = IntakeReview.objects.filter(pk=review_id) if review_id else IntakeReview.objects.all()
    return {
        str(row.pk): {
            "case": row.case_id,
            "reviewed by": f"user:{row.reviewed_by_id}",
            "number": row.number,
            "outcome": row.outcome,
            "answers": row.digest,
        }
        for row in rows.defer("sealed")
    }


def logged(entries: list[Entry]) -> Said:
    """Return the values that the newest entry about a review gives it."""
    entry = entries[-1]
    return {
        "case": entry.case,
        "reviewed by": entry.actor,
        **{name: entry.details[name] for name in ("number", "outcome", "answers")},
    }


register("intake reviews", Rows("intakereview", ("intake.reviewed",), stored, logged))
