"""The relations of a user to a run, and the access rules that require one."""

from uuid import UUID

from clinic.access.policy import with_relation
from clinic.access.relations import CONFLICT, Standing, relation
from clinic.accounts.models import Role, User
from erasure.runs.models import Handover, Run
from patients.cases.relations import case_standing

# A technician to whom responsibility for the run is offered.
OFFERED_TECHNICIAN = with_relation(Role.TECHNICIAN, "offered")


@relation("run")
def to_run(user: User, value: UUID) -> Standing | None:
    row = Run.objects.filter(pk=value).select_related("procedure").first()
    standing = case_standing(user, row.procedure.case_id) if row else None
    if row is None or standing is None or CONFLICT in standing.relations:
        return standing
    # They may answer the offer, and see nothing more of the run before they have accepted.
    offered = Handover.objects.filter(run=row, offered_to=user, state=Handover.State.OFFERED).exists()
    return Standing(standing.relations | {"offered"}, standing.case) if offered else standing
