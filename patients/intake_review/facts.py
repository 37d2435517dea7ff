"""Tells the status of a case about the review of its intake (patients/cases/status.py)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from patients.cases.facts import facts
from patients.cases.models import Case
from patients.cases.status import OVER, Review
from patients.intake_review.reviewing import reviews_of


@facts("review")
def review_of_each(cases: Sequence[Case]) -> Mapping[UUID, Review]:
    """Return the newest review of each case that is not over."""
    return reviews_of([case for case in cases if case.stage not in OVER])
