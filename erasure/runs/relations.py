"""How a person stands to a run or a procedure, for the table of clinic/access/policy.py."""

from uuid import UUID

from clinic.access.relations import relation
from clinic.people.models import User
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from patients.cases.relations import standing_to


@relation("run")
def to_run(user: User, value: UUID) -> frozenset[str] | None:
    row = Run.objects.filter(pk=value).select_related("procedure__case").first()
    return standing_to(user, row.procedure.case) if row else None


@relation("procedure")
def to_procedure(user: User, value: UUID) -> frozenset[str] | None:
    row = Procedure.objects.filter(pk=value).select_related("case").first()
    return standing_to(user, row.case) if row else None
