"""The relations of a user to a run, and the access rules that require one."""

from uuid import UUID

from clinic.access.policy import with_relation
from clinic.access.relations import relation
from clinic.accounts.models import Role, User
from erasure.runs.models import Handover, Run
from patients.cases.relations import standing_to

# A technician to whom responsibility for the run is offered.
OFFERED_TECHNICIAN = with_relation(Role.TECHNICIAN, "offered")


@relation("run")
def to_run(user: User, value: UUID) -> frozenset[str] | None:
    row = Run.objects.filter(pk=value).select_related("procedure__case").first()
    if row is None:
        return None
    relations = standing_to(user, row.procedure.case)
    # They may answer the offer, and see nothing more of the run before they have accepted.
    offered = Handover.objects.filter(run=row, offered_to=user, state=Handover.State.OFFERED).exists()
    return relations | {"offered"} if offered else relations
