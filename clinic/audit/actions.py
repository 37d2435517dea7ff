"""The registry of audit actions: each has the words that the audit page shows, and a tone (style)."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Tone: TypeAlias = Literal["plain", "teal", "alarm", "destroyed"]


class Phrase(NamedTuple):
    """How the audit page shows an action."""

    words: str | Promise
    tone: Tone = "plain"


ACTIONS: dict[str, Phrase] = {}


def register(actions: Mapping[str, tuple[str | Promise, Tone]]) -> None:
    """Add the actions of a package: `register({"memory.destroyed": (_("Memory destroyed"), "destroyed")})`.

    Call it at import time of a module that is always loaded, such as the package's actions.py
    (clinic/registration.py). Errors: ValueError if an action is already registered with other words or
    another tone.
    """
    for action, phrase in actions.items():
        if ACTIONS.setdefault(action, Phrase(*phrase)) != Phrase(*phrase):
            raise ValueError(f"the action {action} is registered twice")


register(
    {
        "audit.verified": (_("Log verified"), "teal"),
        "audit.broken": (_("Log found broken"), "alarm"),
        "audit.compared": (_("Checkpoints compared"), "plain"),
        "audit.exported": (_("Log exported"), "plain"),
        # details: both public keys (hex) and the signatures of both, as clinic/audit/keyring.py writes them
        "audit.key-rotated": (_("Signing key replaced"), "alarm"),
        # details: size and root (hex) of the newest checkpoint over entries that were lost; how many such
        # checkpoints (heads); whether a restore note declares them (signed)
        "audit.restored": (_("Backup restored, the log's end lost"), "alarm"),
        "audit.restore-signed": (_("Restore declared afterwards"), "alarm"),
    }
)
