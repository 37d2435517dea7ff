"""The supervisor: four loops, each with frequent quick rounds and rare slow ones.

Errors of the database, the disk or another service do not end a loop.

Work that may take long has its own thread, so that it delays no run: mail, if the mail server does not
answer; whatever waits for the storage; the verification of a run in an installation with many files; sweeping
its vault.
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
from clinic.outgoing.delivery import deliver_due
from clinic.unavailable import ServiceUnavailable
from erasure.certificates.issuing import sign_unsigned
from erasure.destructions.keeping import end_keeping
from erasure.jobs.supervisor import (
    certify_finished,
    destroy_due,
    end_stopped,
    forget_old_tasks,
    recover,
    tick,
)
from erasure.renewal.parent import tell_parent
from erasure.renewal.processes import record_life
from erasure.renewal.renewals import pids_to_replace
from patients.drafts.models import Draft
from patients.drafts.writing import sweep_drafts
from patients.keepsakes.staging import discard_expired, finish_arrived, open_upload_keys
from patients.requests.models import AppointmentRequest
from patients.vault.keys import KeyStoreDamaged
from patients.vault.sweep import Sweeper
from patients.waitlist.supervisor_work import process_changed_spans, take_back_unbookable

log = logging.getLogger("lacuna.supervisor")

SLOW_INTERVAL = 60.0  # seconds between two slow rounds
LONGEST_BACKOFF = 2.0  # seconds
MAIL_INTERVAL = 0.5  # seconds between two checks for queued messages


def keys_used_elsewhere() -> set[UUID]:
    """Return the ids of keys in use without a stored object: of uploads, appointment requests and drafts.

    Nothing is sealed in a request whose person has closed their account, so its key is not in use.
    """
    others = (AppointmentRequest.objects.exclude(sealed=b""), Draft.objects.all())
    return open_upload_keys().union(*(rows.values_list("pk", flat=True) for rows in others))


@dataclass
class Supervision:
    """The main loop of quick and slow rounds, and the base of the others.

    interval: seconds between two quick rounds.
    """

    interval: float = 0.15
    slow_due: float = 0.0  # monotonic time of the next slow round
    failures: Counter[str] = field(default_factory=Counter)  # consecutive failures, by kind of round

    def quick_round(self) -> object:
        return tick()

    def slow_round(self) -> None:
        """Delete old task rows and expired sessions, sign the checkpoints that are due."""
        forget_old_tasks()
        remove_expired()
        sign_unsigned()
        sign_daily()

    def once(self) -> float:
        """Run the rounds that are due and return the seconds until the next call. Failures are logged."""
        close_old_connections()
        failures = self._attempt("quick", self.quick_round)
        if time.monotonic() >= self.slow_due:
            self.slow_due = time.monotonic() + SLOW_INTERVAL
            self._attempt("slow", self.slow_round)
        return min(LONGEST_BACKOFF, self.interval * 2**failures) if failures else self.interval

    def _attempt(self, name: str, work: Callable[[], object]) -> int:
        """Call `work`; return its number of consecutive failures, at most 10."""
        failed = self.failures[name]
        level = logging.DEBUG if failed else logging.ERROR  # one error line, not five in a second
        try:
            work()
        except ServiceUnavailable as error:
            log.log(level, "%s", error)
        except (Error, OSError, KeyStoreDamaged):
            log.log(level, "a round failed", exc_info=True)
        else:
            self.failures[name] = 0
            return 0
        self.failures[name] = min(failed + 1, 10)
        connections.close_all()
        return self.failures[name]

    def run(self, stopping: threading.Event) -> None:
        """Repeat the rounds until `stopping` is set."""
        try:
            while not stopping.wait(self.once()):
                pass
        finally:
            # After an unexpected exception the other threads stop too, and the parent restarts the process.
            stopping.set()
            connections.close_all()


@dataclass
class StorageLoop(Supervision):
    """Ends stopped runs, sees when a storage that was away answers again, and offers what became free.

    The storage may take long, also that of the keys: who may be booked for a patient is sealed in their file.
    """

    def quick_round(self) -> object:
        # A run whose storage is away for good must not keep the others from going on.
        try:
            return end_stopped()
        finally:
            try:
                recover()
            finally:
                process_changed_spans()

    def slow_round(self) -> None:
        """Take back the offers of the waitlist that have become untrue in other ways than by the calendar."""
        take_back_unbookable()


@dataclass
class UpkeepLoop(Supervision):
    """Verifies and certifies what is finished, and does the slow work on the vault.

    It destroys what patients ordered, ends uploads and drafts, and sweeps the vault.

    Before a certificate it asks the parent to replace the processes of this machine that may have seen the
    run, this one included.
    """

    vault: Sweeper = field(default_factory=Sweeper)
    asked: set[int] = field(default_factory=set)  # processes that the parent was asked to replace

    def quick_round(self) -> object:
        # A certificate that cannot be issued must not keep what was ordered from being destroyed.
        try:
            return certify_finished()
        finally:
            try:
                destroy_due()
            finally:
                self._renew()

    def _renew(self) -> None:
        for pid in pids_to_replace():
            if pid not in self.asked:
                self.asked.add(pid)
                tell_parent("renew", pid)

    def slow_round(self) -> None:
        record_life()
        try:
            finish_arrived()
        finally:
            discard_expired()
            sweep_drafts()
        self.vault.sweep(keys_used_elsewhere())
        end_keeping()  # last: the vault is swept also where this fails


@dataclass
class MailLoop(Supervision):
    """Sends mail: queued messages in quick rounds, checkpoints of the log in slow rounds."""

    interval: float = MAIL_INTERVAL

    def quick_round(self) -> object:
        return deliver_due()

    def slow_round(self) -> None:
        send_newest()


def supervise(interval: float, stopping: threading.Event) -> None:
    """Run the four loops until `stopping` is set; then wait for the round of those that use the storage.

    interval: seconds between two quick rounds of all loops but that for mail.
    """
    threading.Thread(target=MailLoop().run, args=[stopping], daemon=True).start()
    with_storage = [
        threading.Thread(target=loop.run, args=[stopping], daemon=True)
        for loop in (StorageLoop(interval=interval), UpkeepLoop(interval=interval))
    ]
    for thread in with_storage:
        thread.start()
    Supervision(interval=interval).run(stopping)
    for thread in with_storage:
        thread.join()
