"""The relations of a user to a procedure: the same as to its case."""

from uuid import UUID

from clinic.access.relations import relation
from clinic.accounts.models import User
from erasure.procedures.models import Procedure
from patients.cases.relations import standing_to


@relation("procedure")
def to_procedure(user: User, value: UUID) -> frozenset[str] | None:
    row = Procedure.objects.filter(pk=value).select_related("case").first()
    return standing_to(user, row.case) if row else None
