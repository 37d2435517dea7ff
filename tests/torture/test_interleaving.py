"""E5: in any order of actions, nothing is erased without consent, and everything consented to is erased.

Hypothesis generates sequences of actions. A small model states what must be true after each action.
"""

import itertools
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from clinic import failpoints
from clinic.audit.checkpoints import checkpoint
from clinic.audit.verify import verify_log
from clinic.calendar.models import Resource
from erasure.backups.create import make_backup
from erasure.backups.restoring import restore
from erasure.jobs import certifying, supervisor
from erasure.jobs.worker import advance, take_turn
from erasure.operations.reconcile import keyless, reconcile_with_keys
from erasure.operations.startup import check_keys, check_log, check_migrations
from erasure.procedures.booking import CannotBook, book_procedure, cancel_procedure, move_procedure
from erasure.procedures.models import Procedure
from erasure.runs import control
from erasure.runs.lease import HOLDER, claim, free_holder
from erasure.runs.models import Run, Step
from erasure.runs.passes import PASS_COUNT
from erasure.runs.planning import CannotStart, start_run
from patients.cases.editing import CaseLocked
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import CannotSign, sign, withdraw
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from patients.keepsakes.review import CannotReview, accept, return_keepsake
from patients.maps.locking import CannotLock, lock_map, unlock_map
from patients.memories.models import Memory
from patients.memories.writing import write_memory
from patients.vault import configured
from patients.vault.configured import key_store
from patients.vault.models import HeldKey, StoredObject
from patients.vault.objects import put, read
from patients.vault.sweep import Sweeper
from patients.vault.unknown_keys import destroy_held_keys
from tests.erasure.verification.ended import verify_here
from tests.factories import jpeg, make_case, make_doctor, make_room, make_technician, make_text
from tests.torture.faults import in_child
from tests.torture.installations import Installations

pytestmark = pytest.mark.django_db(transaction=True)

REFUSALS = (
    control.NotNow,
    CannotBook,
    CannotStart,
    CannotSign,
    CaseLocked,
    CannotReview,
    CannotLock,
)
FAILPOINTS = (
    "frames-made",
    "before-commit",
    "after-commit",
    "key-destroyed",
    "file-unlinked",
    "before-close",
)


MOST_BACKUPS = 3
# Sequences in each of the four parts. PostgreSQL creates a database for each sequence and each restore.
SEQUENCES = {"sqlite": 40, "postgresql": 20}


@dataclass(frozen=True)
class BackupState:
    """A backup, and the model's state when it was made."""

    directory: Path
    uploaded: dict[UUID, bytes] = field(repr=False)
    erasable: set[UUID]


class Clinic(RuleBasedStateMachine):
    """One patient's case. The model: what was uploaded, what may be erased, and what must not change now.

    Also what no restore may change: a destroyed key stays destroyed, whichever database is restored.
    """

    installations: Installations

    @initialize(uploads=st.integers(0, 3), start=st.booleans(), backup=st.booleans())
    def clinic_opens(self, uploads: int, start: bool, backup: bool) -> None:
        self.place = self.installations.open()
        self.case = make_case()
        self.doctor, self.technician, self.room = make_doctor(), make_technician(), make_room()
        self.days = itertools.count()
        self.uploaded: dict[UUID, bytes] = {}  # keepsake -> its file, while it must be complete
        self.erasable: set[UUID] = set()  # keepsakes for which a run with consent was started
        # Keepsake -> level and picture that must not change now
        self.frozen: dict[UUID, tuple[int, UUID | None]] = {}
        self.levels: dict[UUID, int] = {}
        self.signed = False  # whether a consent could be in force
        self.originals: dict[UUID, UUID] = {}  # keepsake -> the key of its file; nothing is ever removed
        self.keys: set[UUID] = set()  # every key that was seen in the key store
        self.gone_keys: set[UUID] = set()  # those of them that were later missing there
        self.backups: list[BackupState] = []
        self.unknown_keys: set[UUID] = set()  # keys of files that the restored database does not know
        self.sweeper = Sweeper()
        for number in range(uploads):
            self.keepsake_is_uploaded(kept=number == 2, off_map=False)
        if backup:
            self.backup_is_made()
        # Chance alone would seldom find the one sequence that starts a run.
        if uploads and start:
            for step in (
                self.all_keepsakes_are_accepted,
                self.map_is_locked,
                self.consent_is_signed,
                self.procedure_is_booked,
                self.run_starts,
            ):
                step()

    # --- Actions of people ---
    @rule(kept=st.booleans(), off_map=st.booleans())
    def keepsake_is_uploaded(self, kept: bool, off_map: bool) -> None:
        numbers = {
            "intensity": 5,
            "zone": Memory.Zone.CHILDHOOD if off_map else Memory.Zone.MAP,
            "fate": Memory.Fate.PROTECTED if kept or off_map else Memory.Fate.TARGET,
        }
        file = jpeg()
        original = put(file, case_id=self.case.pk, role=StoredObject.Role.ORIGINAL)
        try:
            memory = write_memory(
                self.case, {"title": "A day", "day": "2003-02-01"}, numbers, by=self.case.patient
            )
            keepsake = create_keepsake(original, by=self.case.patient, memory=memory)
        except REFUSALS:
            rows = StoredObject.objects.filter(pk=original.pk)
            rows.update(made_at=timezone.now() - timedelta(hours=1))
            Sweeper().sweep(set())  # the supervisor sweeps an upload without a keepsake
            return
        self.uploaded[keepsake.pk] = file
        self.originals[keepsake.pk] = original.pk

    @rule(accepted=st.booleans(), data=st.data())
    @precondition(lambda self: self.uploaded)
    def keepsake_is_reviewed(self, accepted: bool, data: st.DataObject) -> None:
        keepsake = Keepsake.objects.get(pk=data.draw(st.sampled_from(sorted(self.uploaded))))
        self.is_accepted(
            lambda: (
                accept(keepsake, by=self.doctor)
                if accepted
                else return_keepsake(keepsake, "It is too dark.", by=self.doctor)
            )
        )

    @rule()
    def all_keepsakes_are_accepted(self) -> None:
        for keepsake in Keepsake.objects.filter(case=self.case, gone_at__isnull=True):
            self.is_accepted(lambda keepsake=keepsake: accept(keepsake, by=self.doctor))

    @rule(data=st.data())
    @precondition(lambda self: self.uploaded)
    def keepsake_is_removed(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.uploaded)))
        if self.is_accepted(lambda: remove_keepsake(Keepsake.objects.get(pk=key), by=self.case.patient)):
            del self.uploaded[key]
            self.frozen.pop(key, None)

    @rule()
    def map_is_locked(self) -> None:
        self.is_accepted(lambda: lock_map(self.case, by=self.doctor))

    @rule()
    def map_is_opened(self) -> None:
        self.is_accepted(lambda: unlock_map(self.case, by=self.doctor))

    @rule()
    def consent_is_signed(self) -> None:
        text = make_text(ConsentText.Kind.PROCEDURE)
        mapped = self.case.maps.filter(unlocked_at__isnull=True).first()
        self.signed |= self.is_accepted(
            lambda: sign(
                self.case,
                by=self.case.patient,
                kind=ConsentText.Kind.PROCEDURE,
                text_seen=text.digest,
                map_seen=mapped.digest if mapped else "",
            )
        )

    @rule()
    def procedure_is_booked(self) -> None:
        people = list(Resource.objects.filter(user__in=[self.doctor, self.technician]))
        starts_at = timezone.now() + timedelta(days=next(self.days))
        self.is_accepted(
            lambda: book_procedure(
                self.case,
                place=Procedure.Place.CLINIC,
                resources=[*people, self.room],
                starts_at=starts_at,
                ends_at=starts_at + timedelta(hours=8),
                pace_seconds=0,
                by=self.doctor,
            )
        )

    @rule(cancel=st.booleans())
    def procedure_is_moved_or_cancelled(self, cancel: bool) -> None:
        procedure = Procedure.objects.filter(case=self.case).order_by("-booking__starts_at").first()
        if procedure is None:
            return
        if cancel:
            self.is_accepted(lambda: cancel_procedure(procedure, by=self.doctor))
            return
        starts_at = timezone.now() + timedelta(days=next(self.days))
        self.is_accepted(
            lambda: move_procedure(
                procedure,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(hours=8),
                expected_start=procedure.booking.starts_at,
                by=self.doctor,
            )
        )

    @rule()
    def run_starts(self) -> None:
        procedure = Procedure.objects.filter(case=self.case, state=Procedure.State.BOOKED).first()
        if procedure is None:
            return
        consented = Signature.objects.in_force().filter(pk=procedure.consent_id).exists()
        if self.is_accepted(lambda: start_run(procedure.pk, by=self.doctor)):
            assert consented
            assert self.signed
            targets = Memory.objects.targets().filter(case=self.case)
            chosen = set(Keepsake.objects.filter(memory__in=targets).values_list("pk", flat=True))
            self.erasable |= chosen
            self.frozen = {key: value for key, value in self.frozen.items() if key not in chosen}

    @rule()
    @precondition(lambda self: self.run())
    def run_is_paused(self) -> None:
        if self.is_accepted(lambda: control.pause(self.run().pk, by=self.technician)):
            self.freeze(self.erasable)

    @rule()
    @precondition(lambda self: self.run())
    def run_is_resumed(self) -> None:
        if self.is_accepted(lambda: control.resume(self.run().pk, by=self.technician)):
            kept = Memory.objects.filter(case=self.case, fate=Memory.Fate.PROTECTED)
            spared = set(Keepsake.objects.filter(memory__in=kept).values_list("pk", flat=True))
            self.frozen = {key: value for key, value in self.frozen.items() if key in spared}

    @rule(data=st.data())
    @precondition(lambda self: self.run())
    def memory_is_protected(self, data: st.DataObject) -> None:
        steps = sorted(Step.objects.filter(run=self.run()).values_list("memory_id", flat=True))
        memory = data.draw(st.sampled_from(steps))
        if self.is_accepted(lambda: control.protect(self.run().pk, memory, by=self.case.patient)):
            self.freeze(Keepsake.objects.filter(memory=memory).values_list("pk", flat=True))

    @rule()
    def consent_is_withdrawn(self) -> None:
        if self.is_accepted(lambda: withdraw(self.case, by=self.case.patient)):
            self.signed = False
            self.freeze(self.erasable)

    @rule()
    @precondition(lambda self: self.run())
    def run_is_aborted(self) -> None:
        if self.is_accepted(lambda: control.abort(self.run().pk, by=self.doctor, reason="doubt")):
            self.freeze(self.erasable)

    # --- Actions of machines ---
    @rule(turns=st.integers(1, 9))
    @precondition(lambda self: self.run())
    def worker_takes_turns(self, turns: int) -> None:
        fence = claim(self.run().pk, "worker")
        if fence is None:
            return
        for _turn in range(turns):
            if not take_turn(fence):
                break
        free_holder("worker")

    @rule(failpoint=st.sampled_from(FAILPOINTS), after=st.integers(0, 8))
    @precondition(lambda self: self.run())
    def worker_is_killed(self, failpoint: str, after: int) -> None:
        run = self.run().pk

        def work_until_killed() -> None:
            failpoints._label, failpoints._countdown = failpoint, iter(range(after, -1, -1))
            failpoints._signal = signal.SIGKILL
            advance(run, holder="worker")

        assert in_child(work_until_killed) in {0, -signal.SIGKILL}
        free_holder("worker")
        free_holder(HOLDER)  # the holder that completes the end of a run

    @rule()
    def worker_is_restarted(self) -> None:
        configured.reset()
        free_holder("worker")

    @rule(hours=st.sampled_from([0, 1, 2]))
    def vault_is_swept(self, hours: int) -> None:
        for later in (0, hours):  # a key without a row is destroyed when the sweep sees it twice
            self.sweeper.sweep(set(), timezone.now() + timedelta(hours=later))

    @rule()
    def supervisor_works(self) -> None:
        supervisor.end_stopped()
        supervisor.certify_finished()

    @rule()
    def the_log_is_signed(self) -> None:
        checkpoint("daily")

    @rule()
    @precondition(lambda self: len(self.backups) < MOST_BACKUPS)
    def backup_is_made(self) -> None:
        directory = self.place / f"backup-{len(self.backups)}"
        make_backup(directory)
        self.backups.append(BackupState(directory, dict(self.uploaded), set(self.erasable)))

    @rule(data=st.data(), new_vault=st.booleans())
    @precondition(lambda self: self.backups)
    def backup_is_restored(self, data: st.DataObject, new_vault: bool) -> None:
        past = data.draw(st.sampled_from(self.backups))
        living = set(key_store().ids())
        if new_vault:
            self.installations.use_new_vault(self.place)
        self.installations.use_empty_database()
        restore(past.directory)
        check_migrations()
        check_log()
        check_keys()
        reconcile_with_keys()
        since = self.originals.keys() - past.uploaded.keys()
        self.unknown_keys = {self.originals[key] for key in since} & living
        kept = {key: file for key, file in past.uploaded.items() if self.originals[key] in living}
        originals = StoredObject.objects.live().filter(role=StoredObject.Role.ORIGINAL)
        live_keepsakes = set(originals.values_list("keepsake_id", flat=True))
        # Objects that a pass had doomed before the backup are destroyed now. All others with a key are back.
        self.erasable = past.erasable - live_keepsakes
        self.uploaded = kept
        self.frozen, self.levels, self.signed, self.sweeper = {}, {}, False, Sweeper()
        self.freeze(Keepsake.objects.filter(case=self.case).values_list("pk", flat=True))
        assert (
            not Signature.objects.in_force()
            .filter(text__kind=ConsentText.Kind.PROCEDURE)
            .filter(procedures__run__isnull=True)
        )
        assert not Run.objects.exclude(state__in=[Run.State.FINISHED, Run.State.STOPPING]).exists()

    @rule()
    @precondition(lambda self: HeldKey.objects.exists())
    def operator_destroys_held_keys(self) -> None:
        held = set(HeldKey.objects.values_list("pk", flat=True))
        assert destroy_held_keys(len(held), by="system:operator") == len(held)
        assert not held & set(key_store().ids())
        self.unknown_keys = set()

    # --- What must be true after each action ---
    @invariant()
    def gone_keys_do_not_come_back(self) -> None:
        if not hasattr(self, "gone_keys"):
            return
        living = set(key_store().ids())
        self.gone_keys |= self.keys - living
        self.keys |= living
        assert not self.gone_keys & living
        assert keyless() == set()

    @invariant()
    def keys_unknown_to_a_restore_are_not_destroyed(self) -> None:
        if hasattr(self, "unknown_keys"):
            assert self.unknown_keys <= set(key_store().ids())

    @invariant()
    def nothing_is_erased_without_consent(self) -> None:
        for key in getattr(self, "uploaded", {}).keys() - getattr(self, "erasable", set()):
            original = StoredObject.objects.get(keepsake=key, role=StoredObject.Role.ORIGINAL)
            assert read(original) == self.uploaded[key]

    @invariant()
    def frozen_keepsakes_do_not_change(self) -> None:
        for key, expected in getattr(self, "frozen", {}).items():
            row = Keepsake.objects.select_related("picture").get(pk=key)
            assert (row.level, row.picture_id) == expected
            if row.picture:
                read(row.picture)

    @invariant()
    def levels_only_rise_and_destroyed_steps_leave_nothing(self) -> None:
        rows = Keepsake.objects.filter(case=self.case) if hasattr(self, "case") else []
        for row in rows:
            assert row.level >= self.levels.get(row.pk, 0)
            self.levels[row.pk] = row.level
        for step in Step.objects.filter(memory__case=self.case, state=Step.State.DESTROYED):
            assert not StoredObject.objects.filter(doomed_by=f"step:{step.pk}").remaining().exists()

    @invariant()
    def the_log_verifies(self) -> None:
        assert verify_log().problems == []

    def teardown(self) -> None:
        """Complete the run: what was consented to and not withdrawn is erased, all else is there."""
        try:
            if hasattr(self, "case") and (run := self.run()) is not None:
                self.complete(run)
        finally:
            self.installations.close()

    def complete(self, run: Run) -> None:
        if run.state == Run.State.PAUSED:
            self.run_is_resumed()
        for _round in range(3):
            advance(run.pk, holder="worker")
            supervisor.end_stopped()
            supervisor.certify_finished()
        run.refresh_from_db()
        assert run.state == Run.State.FINISHED
        assert run.certificate
        for step in Step.objects.filter(run=run).select_related("memory"):
            memory_objects = StoredObject.objects.filter(keepsake__memory=step.memory)
            if step.state == Step.State.DESTROYED:
                assert step.level == PASS_COUNT
            if step.state == Step.State.DESTROYED or step.memory_id in self.gone_keys:
                assert not memory_objects.remaining().exists()
                assert not set(memory_objects.values_list("pk", flat=True)) & set(key_store().ids())
            else:
                assert run.outcome != Run.Outcome.COMPLETE
                for left in Keepsake.objects.filter(memory=step.memory, gone_at__isnull=True):
                    assert memory_objects.live().filter(keepsake=left).exists()
        self.nothing_is_erased_without_consent()
        self.frozen_keepsakes_do_not_change()
        self.the_log_verifies()

    # --- Helpers ---
    def run(self) -> Run | None:
        """The latest run of this case."""
        return Run.objects.filter(procedure__case=self.case).order_by("-started_at").first()

    def is_accepted(self, action: Callable[[], object]) -> bool:
        """Call `action`. Returns False if it is refused with one of REFUSALS."""
        self.case.refresh_from_db()
        try:
            action()
        except REFUSALS:
            return False
        return True

    def freeze(self, keepsakes: object) -> None:
        """Require from now on that these keepsakes keep their level and picture."""
        rows = Keepsake.objects.filter(pk__in=list(keepsakes))  # type: ignore[call-overload]
        self.frozen |= {row.pk: (row.level, row.picture_id) for row in rows}


@pytest.fixture(autouse=True)
def long_slices(settings: django_settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # A separate process is not what this tests.
    monkeypatch.setattr(certifying, "verify_in_subprocess", verify_here)
    settings.LACUNA_SLICE_SECONDS = settings.LACUNA_LEASE_SECONDS = 600


def explore_sequences(sequences: int, directory: Path) -> None:
    class ClinicInDirectory(Clinic):
        installations = Installations(directory)

    run_machine(
        ClinicInDirectory,
        settings=settings(
            max_examples=sequences,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            # No shrinking: it takes longer than finding a failure, and the sequence found is readable enough.
            phases=(Phase.explicit, Phase.generate),
            print_blob=True,
        ),
    )


def test_consent_decides_what_is_erased_in_a_few_sequences(tmp_path: Path) -> None:
    explore_sequences(6, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("part", range(4))
def test_consent_decides_what_is_erased_in_many_sequences(part: int, tmp_path: Path) -> None:
    explore_sequences(int(os.environ.get("LACUNA_TORTURE_ORDERS", SEQUENCES[connection.vendor])), tmp_path)
