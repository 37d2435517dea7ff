"""The fact of a case's status that partly erased memories give (patients/cases/status.py)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from erasure.remainders.decisions import damaged_steps
from patients.cases.facts import facts
from patients.cases.models import Case
from patients.cases.status import Remainders


@facts("remainders")
def remainders_of(cases: Sequence[Case]) -> Mapping[UUID, Remainders]:
    """Return how many memories are partly erased, and how many of them wait for the patient's decision."""
    found: dict[UUID, Remainders] = {}
    for step in damaged_steps(run__procedure__case__in=cases):
        before = found.get(step.memory.case_id, Remainders())
        undecided = before.undecided + (not hasattr(step, "remainder"))
        found[step.memory.case_id] = Remainders(before.left + 1, undecided)
    return found
