"""The relations of a user to a run, and the access rules that require one."""

from uuid import UUID

from clinic.access.policy import with_relation
from clinic.access.relations import CONFLICT, Standing, relation
from clinic.accounts.models import Role, User
from erasure.runs.models import CallNotice, Handover, Run
from patients.cases.relations import case_standing

# A technician to whom responsibility for the run is offered.
OFFERED_TECHNICIAN = with_relation(Role.TECHNICIAN, "offered")
# An administrator who was told of a doctor call that nobody has answered, or of one in a run under way.
CALLED_ADMINISTRATOR = with_relation(Role.ADMINISTRATOR, "called")


@relation("run")
def to_run(user: User, value: UUID) -> Standing | None:
    row = Run.objects.filter(pk=value).select_related("procedure").first()
    standing = case_standing(user, row.procedure.case_id) if row else None
    if row is None or standing is None or CONFLICT in standing.relations:
        return standing
    # They may answer the offer, and see nothing more of the run before they have accepted.
    offered = Handover.objects.filter(run=row, offered_to=user, state=Handover.State.OFFERED).exists()
    found = {"offered"} if offered else set()
    if user.has_role(Role.ADMINISTRATOR) and _was_called(user, row):
        found.add("called")
    return Standing(standing.relations | found, standing.case)


def _was_called(user: User, run: Run) -> bool:
    told = CallNotice.objects.filter(call__run=run, user=user)
    if run.state == Run.State.FINISHED:
        told = told.filter(call__acknowledged_at__isnull=True)
    return told.exists()
