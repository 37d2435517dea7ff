"""The supervisor's own life: quick rounds all the time, slow ones now and then, and no error ends it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import Error, close_old_connections, connections

from clinic.audit.leaving import leave
from erasure.runs.supervisor import forget_old_tasks, tick
from patients.keepsakes.staging import discard_expired, open_upload_keys
from patients.requests.models import AppointmentRequest
from patients.vault.keys import KeyStoreDamaged
from patients.vault.sweep import Rounds

log = logging.getLogger("lacuna.supervisor")

SLOW = 60.0  # seconds between two walks through the vault
LONGEST_BACKOFF = 2.0  # seconds


def other_owners() -> set[UUID]:
    """Keys that no row of the vault accounts for: of uploads on their way in, and of visitors' requests."""
    return open_upload_keys() | set(AppointmentRequest.objects.values_list("pk", flat=True))


@dataclass
class Supervision:
    """Repeats the rounds. interval: seconds between two quick ones."""

    interval: float = 0.15
    vault: Rounds = field(default_factory=Rounds)
    slow_due: float = 0.0  # monotonic
    failures: int = 0

    def slow_round(self) -> None:
        """End abandoned uploads, sweep the vault, forget what the task engine did; checkpoints leave."""
        discard_expired()
        self.vault.walk(other_owners())
        forget_old_tasks()
        leave()

    def once(self) -> float:
        """Do what is due, whatever fails; return the seconds until the next time."""
        close_old_connections()
        if not self._attempt(tick):
            return min(LONGEST_BACKOFF, self.interval * 2**self.failures)
        if time.monotonic() >= self.slow_due:
            self.slow_due = time.monotonic() + SLOW
            self._attempt(self.slow_round)
        return self.interval

    def _attempt(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except (Error, OSError, KeyStoreDamaged):
            # Once per trouble, not five times a second.
            log.log(logging.DEBUG if self.failures else logging.ERROR, "a round failed", exc_info=True)
            self.failures = min(self.failures + 1, 10)
            connections.close_all()
            return False
        self.failures = 0
        return True

    def run(self, stopping: threading.Event) -> None:
        """Go on until `stopping` is set."""
        while not stopping.wait(self.once()):
            pass
        connections.close_all()
