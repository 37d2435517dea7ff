"""What a person may see and do in a session; the policy table says who may at all."""

from clinic.access.policy import TABLE, Who, allowed
from clinic.accounts.models import Role, User
from erasure.runs.models import Run
from erasure.session.snapshot import Viewer

CONTROLS = (
    "pause",
    "resume",
    "protect",
    "call-doctor",
    "acknowledge",
    "abort",
    "abort-finish",
    "decide",
    "safe-word",
    "presence",
    "here",
    "handover-offer",
    "handover-accept",
    "handover-decline",
    "take-over",
    "hand-back",
)


def viewer_of(user: User, run: Run) -> Viewer:
    """Return how `user` sees `run`. Auditors see what happened, and neither names nor pictures."""
    own = run.procedure.case.patient_id == user.pk
    sees = own or user.has_role(Role.DOCTOR, Role.TECHNICIAN)
    return Viewer(user=user, names=sees, pictures=sees, may=_may(user, run))


def _may(user: User, run: Run) -> frozenset[str]:
    """The controls the table opens to `user`; rows with the same rules have the same answer."""
    answers: dict[Who, bool] = {}
    for name in CONTROLS:
        who = TABLE[f"erasure:{name}"].write
        if who not in answers:
            answers[who] = allowed(user, f"erasure:{name}", {"run": run.pk}, "POST").allowed
    return frozenset(name for name in CONTROLS if answers[TABLE[f"erasure:{name}"].write])
