"""How a person stands to a run, and the rules of the access policy that ask for it."""

from uuid import UUID

from clinic.access.policy import with_relation
from clinic.access.relations import relation
from clinic.accounts.models import Role, User
from erasure.runs.models import Handover, Run
from patients.cases.relations import standing_to

# Somebody who is asked to take the night over.
OFFERED_TECHNICIAN = with_relation(Role.TECHNICIAN, "offered")


@relation("run")
def to_run(user: User, value: UUID) -> frozenset[str] | None:
    row = Run.objects.filter(pk=value).select_related("procedure__case").first()
    if row is None:
        return None
    standing = standing_to(user, row.procedure.case)
    # Somebody who is asked to take the night over may answer that, and see no more before they have.
    offered = Handover.objects.filter(run=row, offered_to=user, state=Handover.State.OFFERED).exists()
    return standing | {"offered"} if offered else standing
