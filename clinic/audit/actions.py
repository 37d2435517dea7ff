"""Every action the log may name, with the phrase a person reads and its tone on the page."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Tone: TypeAlias = Literal["plain", "teal", "alarm", "destroyed"]


class Phrase(NamedTuple):
    """How an action is told: its words and its tone."""

    words: str | Promise
    tone: Tone = "plain"


ACTIONS: dict[str, Phrase] = {}


def register(actions: Mapping[str, tuple[str | Promise, Tone]]) -> None:
    """Add the actions of a room: `register({"memory.destroyed": (_("Memory destroyed"), "destroyed")})`.

    Call it at import time of a module that is always loaded (the room's models or its AppConfig.ready).
    Errors: ValueError where an action is already there with other words or another tone.
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
        # details: size and root (hex) of the newest checkpoint of the log before a backup was restored, or of
        # an end that an earlier restore had begun and a later one gave up
        "audit.restored": (_("Backup restored, the log's end lost"), "alarm"),
    }
)
