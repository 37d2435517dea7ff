"""System checks: what this operating system lacks for verification and for `manage.py serve`."""

from typing import Any

from django.core.checks import CheckMessage, Warning, register

from clinic.checks import SYSTEM
from erasure.operations import process_tree
from erasure.verification import confine, machine


@register(SYSTEM)
def verifier_is_confined(**kwargs: Any) -> list[CheckMessage]:
    """Warn about what the verifier's process could still change, and what it cannot check."""
    found: list[CheckMessage] = []
    if confine.landlock_version() == 0:
        found.append(
            Warning(
                "This system has no Landlock (Linux has it from 5.13 on), so the process that verifies an "
                "erasure can write to no file but could rename or remove one. Each verification records "
                "that only rlimit confined it.",
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
    """Warn if children of `manage.py serve` survive it when it is killed."""
    if process_tree.ENDS_WITH_PARENT:
        return []
    return [
        Warning(
            "This system does not end processes with their parent, so if serve is killed with SIGKILL its "
            "web server and its workers keep running. Stop them before the next start.",
            id="erasure.W003",
        )
    ]
