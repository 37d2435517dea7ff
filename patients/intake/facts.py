"""The facts of a case's status that the intake gives (patients/cases/status.py)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from patients.cases.facts import facts
from patients.cases.models import Case
from patients.intake.questions import alarms_in, given_answers
from patients.vault.sealed import read_many


@facts("subject_named")
def subjects_named(cases: Sequence[Case]) -> Mapping[UUID, bool]:
    """Return of which cases the patient has said whom they are about. False once the case's key is gone."""
    return {pk: bool(fields.subject_name) for pk, fields in read_many(cases).items()}


@facts("alarming")
def alarming_answers(cases: Sequence[Case]) -> Mapping[UUID, bool]:
    """Return in which cases an answer of the intake is alarming, also before the intake is complete."""
    return {pk: bool(alarms_in(given_answers(fields))) for pk, fields in read_many(cases).items()}
