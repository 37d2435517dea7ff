"""What was said after a safe word, for the doctor and the patient."""

from dataclasses import dataclass
from datetime import datetime

from clinic.accounts.models import Role, User
from erasure.runs.models import Run, SafeWord
from patients.vault.sealed import read_many


@dataclass(frozen=True)
class Said:
    """One safe word that a doctor lifted: who, when, and what the patient said to them."""

    said_at: datetime
    lifted_at: datetime
    lifted_by: str
    words: str


def what_was_said(run: Run, user: User) -> list[Said]:
    """Return the lifted safe words of `run` for its patient and for doctors, none for anybody else.

    There are none once the case's key is destroyed.
    """
    patient = run.procedure.case.patient_id
    if user.pk != patient and not user.has_role(Role.DOCTOR):
        return []
    lifted = list(SafeWord.objects.filter(run=run, lifted_at__isnull=False).select_related("lifted_by"))
    words = read_many(lifted)
    return [
        Said(one.said_at, one.lifted_at, one.lifted_by.short_name, words[one.pk].words)
        for one in lifted
        if one.pk in words and one.lifted_at and one.lifted_by
    ]
