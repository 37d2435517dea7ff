"""The supervisor's own life: quick rounds all the time, slow ones now and then, and no error ends it.

What may take long has a thread of its own, so that it holds up no night: a mail server that does not answer,
the verification of a run in a large house, a walk through its vault.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from django.db import Error, close_old_connections, connections

from clinic.audit.checkpoint_mail import send_newest, sign_daily
from clinic.expiry import remove_expired
from clinic.unavailable import ServiceUnavailable
from erasure.certificates.issuing import sign_unsigned
from erasure.jobs.supervisor import certify_finished, forget_old_tasks, tick
from erasure.runs.calls import send_due
from patients.keepsakes.staging import discard_expired, open_upload_keys
from patients.requests.models import AppointmentRequest
from patients.vault.keys import KeyStoreDamaged
from patients.vault.sweep import Sweeper

log = logging.getLogger("lacuna.supervisor")

SLOW = 60.0  # seconds between two walks through the vault
LONGEST_BACKOFF = 2.0  # seconds
POST = 0.5  # seconds between two looks whether a message waits


def other_owners() -> set[UUID]:
    """Keys that no row of the vault accounts for: of uploads on their way in, and of visitors' requests."""
    return open_upload_keys() | set(AppointmentRequest.objects.values_list("pk", flat=True))


@dataclass
class Supervision:
    """Repeats the rounds. interval: seconds between two quick ones."""

    interval: float = 0.15
    slow_due: float = 0.0  # monotonic
    failures: Counter[str] = field(default_factory=Counter)  # in a row, of each kind of round

    def quick_round(self) -> object:
        return tick()

    def slow_round(self) -> None:
        """Remove old task rows and expired sessions, sign what is to be signed."""
        forget_old_tasks()
        remove_expired()
        sign_unsigned()
        sign_daily()

    def once(self) -> float:
        """Do what is due, whatever fails; return the seconds until the next time."""
        close_old_connections()
        failures = self._attempt("quick", self.quick_round)
        if time.monotonic() >= self.slow_due:
            self.slow_due = time.monotonic() + SLOW
            self._attempt("slow", self.slow_round)
        return min(LONGEST_BACKOFF, self.interval * 2**failures) if failures else self.interval

    def _attempt(self, name: str, work: Callable[[], object]) -> int:
        """Do `work`; return how often in a row it has failed."""
        failed = self.failures[name]
        level = logging.DEBUG if failed else logging.ERROR  # once per trouble, not five times a second
        try:
            work()
        except ServiceUnavailable as away:
            log.log(level, "%s", away)
        except (Error, OSError, KeyStoreDamaged):
            log.log(level, "a round failed", exc_info=True)
        else:
            self.failures[name] = 0
            return 0
        self.failures[name] = min(failed + 1, 10)
        connections.close_all()
        return self.failures[name]

    def run(self, stopping: threading.Event) -> None:
        """Go on until `stopping` is set."""
        try:
            while not stopping.wait(self.once()):
                pass
        finally:
            # Also where it ends by an error of the code: the process then begins anew, with every thread.
            stopping.set()
            connections.close_all()


@dataclass
class Upkeep(Supervision):
    """Brings finished runs to their certificates; ends abandoned uploads and sweeps the vault."""

    vault: Sweeper = field(default_factory=Sweeper)

    def quick_round(self) -> object:
        return certify_finished()

    def slow_round(self) -> None:
        discard_expired()
        self.vault.sweep(other_owners())


@dataclass
class Post(Supervision):
    """Hands over mail: calls for a doctor at once, checkpoints that leave in the slow rounds."""

    interval: float = POST

    def quick_round(self) -> object:
        return send_due()

    def slow_round(self) -> None:
        send_newest()


def supervise(interval: float, stopping: threading.Event) -> None:
    """Go round, with upkeep and mail beside it, until `stopping` is set and upkeep has done what it is at."""
    threading.Thread(target=Post().run, args=[stopping], daemon=True).start()
    upkeep = threading.Thread(target=Upkeep(interval=interval).run, args=[stopping], daemon=True)
    upkeep.start()
    Supervision(interval=interval).run(stopping)
    upkeep.join()
