"""System checks: what this system lacks for verification and for the processes of `manage.py serve`."""

from typing import Any

from django.core.checks import CheckMessage, Warning, register

from clinic.checks import SYSTEM
from erasure.operations import process_tree
from erasure.verification import confine, machine


@register(SYSTEM)
def verifier_is_confined(**kwargs: Any) -> list[CheckMessage]:
    """Name what the verifier's process could still do, and what it cannot see."""
    found: list[CheckMessage] = []
    if confine.landlock_version() == 0:
        found.append(
            Warning(
                "This system has no Landlock (Linux has it from 5.13 on), so the process that verifies an "
                "erasure can write to no file but could rename or remove one; each verification records "
                "that it was held by rlimit alone.",
                id="erasure.W001",
            )
        )
    if not machine.processes_are_shown():
        found.append(
            Warning(
                "This system has no /proc, so a verification cannot tell whether memory was dumped or "
                "swapped; certificates say that this was not checked.",
                id="erasure.W002",
            )
        )
    return found


@register(SYSTEM)
def children_end_with_their_parent(**kwargs: Any) -> list[CheckMessage]:
    """Name what is left when `manage.py serve` is killed."""
    if process_tree.ENDS_WITH_PARENT:
        return []
    return [
        Warning(
            "This system does not end processes with their parent, so if serve is killed with SIGKILL its "
            "web server and its workers go on, and have to be ended by hand before the next start.",
            id="erasure.W003",
        )
    ]
