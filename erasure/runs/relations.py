"""How a person stands to a run or a procedure, for the table of clinic/access/policy.py."""

from uuid import UUID

from clinic.access.relations import relation
from clinic.people.models import User
from erasure.procedures.models import Procedure
from erasure.runs.models import Handover, Run
from patients.cases.relations import standing_to


@relation("run")
def to_run(user: User, value: UUID) -> frozenset[str] | None:
    row = Run.objects.filter(pk=value).select_related("procedure__case").first()
    if row is None:
        return None
    standing = standing_to(user, row.procedure.case)
    # Somebody who is asked to take the night over may answer that, and see no more before they have.
    offered = Handover.objects.filter(run=row, offered_to=user, state=Handover.State.OFFERED).exists()
    return standing | {"offered"} if offered else standing


@relation("procedure")
def to_procedure(user: User, value: UUID) -> frozenset[str] | None:
    row = Procedure.objects.filter(pk=value).select_related("case").first()
    return standing_to(user, row.case) if row else None
