"""What patients said to the doctor after a safe word, for the doctors and the patient."""

from dataclasses import dataclass
from datetime import datetime

from clinic.accounts.models import Role, User
from erasure.runs.models import Run, SafeWord
from patients.vault.sealed import read_many


@dataclass(frozen=True)
class Said:
    """One safe word after which a doctor resumed the run. words: what the patient said to the doctor."""

    said_at: datetime
    lifted_at: datetime
    lifted_by: str
    words: str


def what_was_said(run: Run, user: User) -> list[Said]:
    """Return what was said after each lifted safe word of `run`. Only its patient and doctors get any.

    After the case's key is destroyed, nobody does.
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
