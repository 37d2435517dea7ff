"""What a person may see and do in a session. Who may open a session at all is in the policy table."""

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
    "lift-safe-word",
    "presence",
    "here",
    "handover-offer",
    "handover-accept",
    "handover-decline",
    "take-over",
    "hand-back",
)


def viewer_of(user: User, run: Run) -> Viewer:
    """Return what `user` may see and do in `run`. Auditors see events, but neither names nor pictures."""
    own = run.procedure.case.patient_id == user.pk
    sees = own or user.has_role(Role.DOCTOR, Role.TECHNICIAN)
    return Viewer(user=user, names=sees, pictures=sees, may=_allowed_controls(user, run))


def _allowed_controls(user: User, run: Run) -> frozenset[str]:
    """Return the controls the policy table opens to `user`.

    Controls with the same rule are asked for only once.
    """
    answers: dict[Who, bool] = {}
    for name in CONTROLS:
        who = TABLE[f"erasure:{name}"].write
        if who not in answers:
            answers[who] = allowed(user, f"erasure:{name}", {"run": run.pk}, "POST").allowed
    return frozenset(name for name in CONTROLS if answers[TABLE[f"erasure:{name}"].write])
