"""The relations of a user to a note: the same as to its case."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from patients.cases.relations import case_standing
from patients.notes.models import CaseNote


@relation("note")
def relations_to_note(user: User, value: UUID) -> Standing | None:
    return case_standing(user, CaseNote.objects.filter(pk=value).values_list("case", flat=True).first())
