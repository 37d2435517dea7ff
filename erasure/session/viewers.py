"""What a person may see and do in a session. Who may open a session at all is in the policy table."""

from clinic.access.policy import TABLE, Decision, Who, allowed
from clinic.accounts.models import User
from erasure.runs.models import Run
from erasure.session.snapshot import Viewer
from patients.cases.relations import may_read_content

CONTROLS = (
    "pause",
    "resume",
    "protect",
    "call-doctor",
    "acknowledge",
    "abort",
    "abort-finish",
    "decide",
    "decide-damaged",
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


def viewer_of(user: User, run: Run, decision: Decision) -> Viewer:
    """Return what `user` may see and do in `run`.

    decision: what opened the page or the stream to them. An auditor sees events, but neither names nor
    pictures, also one who is a technician of other nights; so does a doctor after a withdrawal.
    """
    content = may_read_content(decision)
    return Viewer(
        user=user,
        names=content,
        pictures=content,
        roles=decision.roles,
        may=_allowed_controls(user, run),
        certificate=allowed(user, "erasure:certificate", {"work": run.pk}, "GET").allowed,
    )


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
