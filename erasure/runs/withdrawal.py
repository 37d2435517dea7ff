"""Stop the run and cancel the booking of a case whose consent is withdrawn."""

from clinic.accounts.models import User
from erasure.procedures.booking import cancel_procedure
from erasure.procedures.models import Procedure
from erasure.runs.control import stop_unconsented
from erasure.runs.models import Run
from patients.cases.models import Case


def stop_case(case: Case, *, by: User) -> None:
    """Stop the case's run and cancel its booked procedure.

    patients/consent calls this in the withdrawal's transaction, before it changes the signature's row. All
    code locks the run row first; otherwise two transactions could wait for each other.
    """
    under_way = Run.objects.filter(procedure__case=case).exclude(state=Run.State.FINISHED)
    for run_id in under_way.values_list("pk", flat=True):
        stop_unconsented(run_id, by=by)
    for procedure in Procedure.objects.filter(case=case, state=Procedure.State.BOOKED):
        cancel_procedure(procedure, by=by)
