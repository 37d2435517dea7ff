"""The relations of a user to a procedure: the same as to its case."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from erasure.procedures.models import Procedure
from patients.cases.relations import case_standing


@relation("procedure")
def relations_to_procedure(user: User, value: UUID) -> Standing | None:
    return case_standing(user, Procedure.objects.filter(pk=value).values_list("case_id", flat=True).first())
