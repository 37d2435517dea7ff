"""E5: in whatever order people and machines act, nothing unconsented goes and nothing consented stays.

Hypothesis makes up the orders; a small model says what must be true after each step.
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
from tests.torture.ground import Ground

pytestmark = pytest.mark.django_db(transaction=True)

NO = (
    control.NotNow,
    CannotBook,
    CannotStart,
    CannotSign,
    CaseLocked,
    CannotReview,
    CannotLock,
)
PLACES = ("frames-made", "before-commit", "after-commit", "key-destroyed", "file-unlinked", "before-close")


MOST_BACKUPS = 3
# Orders to each of the four parts. On PostgreSQL a database is made for each order and each restore.
ORDERS = {"sqlite": 40, "postgresql": 20}


@dataclass(frozen=True)
class Past:
    """A backup, and what the model knew when it was made."""

    directory: Path
    brought: dict[UUID, bytes] = field(repr=False)
    may_go: set[UUID]


class Clinic(RuleBasedStateMachine):
    """One patient's case. The model: what was brought, what may go, and what stood still since when.

    And what no restore may change: a key that is gone is gone, whatever database is brought back.
    """

    ground: Ground

    @initialize(brought=st.integers(0, 3), night=st.booleans(), backup=st.booleans())
    def opens(self, brought: int, night: bool, backup: bool) -> None:
        self.place = self.ground.open()
        self.case = make_case()
        self.doctor, self.technician, self.room = make_doctor(), make_technician(), make_room()
        self.hours = itertools.count()
        self.brought: dict[UUID, bytes] = {}  # keepsake -> the file, while it must be whole
        self.may_go: set[UUID] = set()  # keepsakes that a consented run was started for
        self.still: dict[UUID, tuple[int, UUID | None]] = {}  # level and picture of what may not move now
        self.levels: dict[UUID, int] = {}
        self.signed = False  # whether a consent could be in force
        self.originals: dict[UUID, UUID] = {}  # keepsake -> the key of its file; never forgotten
        self.keys: set[UUID] = set()  # every key that was ever seen
        self.gone: set[UUID] = set()  # and those of them that were seen to be gone
        self.backups: list[Past] = []
        self.beyond: set[UUID] = set()  # keys of files that the restored database does not know
        self.rounds = Sweeper()
        for number in range(brought):
            self.brings(kept=number == 2, off=False)
        if backup:
            self.is_backed_up()
        # Chance alone would seldom find the one order that leads to a night.
        if brought and night:
            for step in (
                self.all_is_accepted,
                self.map_is_locked,
                self.is_signed,
                self.is_booked,
                self.begins,
            ):
                step()

    # --- What people do ---
    @rule(kept=st.booleans(), off=st.booleans())
    def brings(self, kept: bool, off: bool) -> None:
        numbers = {
            "intensity": 5,
            "zone": Memory.Zone.CHILDHOOD if off else Memory.Zone.MAP,
            "fate": Memory.Fate.PROTECTED if kept or off else Memory.Fate.TARGET,
        }
        file = jpeg()
        original = put(file, case_id=self.case.pk, role=StoredObject.Role.ORIGINAL)
        try:
            memory = write_memory(
                self.case, {"title": "A day", "day": "2003-02-01"}, numbers, by=self.case.patient
            )
            keepsake = create_keepsake(original, by=self.case.patient, memory=memory)
        except NO:
            rows = StoredObject.objects.filter(pk=original.pk)
            rows.update(made_at=timezone.now() - timedelta(hours=1))
            Sweeper().sweep(set())  # as the supervisor sweeps what nobody took
            return
        self.brought[keepsake.pk] = file
        self.originals[keepsake.pk] = original.pk

    @rule(good=st.booleans(), data=st.data())
    @precondition(lambda self: self.brought)
    def is_reviewed(self, good: bool, data: st.DataObject) -> None:
        keepsake = Keepsake.objects.get(pk=data.draw(st.sampled_from(sorted(self.brought))))
        self.refusable(
            lambda: (
                accept(keepsake, by=self.doctor)
                if good
                else return_keepsake(keepsake, "It is too dark.", by=self.doctor)
            )
        )

    @rule()
    def all_is_accepted(self) -> None:
        for keepsake in Keepsake.objects.filter(case=self.case, gone_at__isnull=True):
            self.refusable(lambda keepsake=keepsake: accept(keepsake, by=self.doctor))

    @rule(data=st.data())
    @precondition(lambda self: self.brought)
    def is_taken_back(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.brought)))
        if self.refusable(lambda: remove_keepsake(Keepsake.objects.get(pk=key), by=self.case.patient)):
            del self.brought[key]
            self.still.pop(key, None)

    @rule()
    def map_is_locked(self) -> None:
        self.refusable(lambda: lock_map(self.case, by=self.doctor))

    @rule()
    def map_is_opened(self) -> None:
        self.refusable(lambda: unlock_map(self.case, by=self.doctor))

    @rule()
    def is_signed(self) -> None:
        text = make_text(ConsentText.Kind.PROCEDURE)
        mapped = self.case.maps.filter(unlocked_at__isnull=True).first()
        self.signed |= self.refusable(
            lambda: sign(
                self.case,
                by=self.case.patient,
                kind=ConsentText.Kind.PROCEDURE,
                text_seen=text.digest,
                map_seen=mapped.digest if mapped else "",
            )
        )

    @rule()
    def is_booked(self) -> None:
        people = list(Resource.objects.filter(user__in=[self.doctor, self.technician]))
        starts_at = timezone.now() + timedelta(days=next(self.hours))
        self.refusable(
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
    def is_moved(self, cancel: bool) -> None:
        procedure = Procedure.objects.filter(case=self.case).order_by("-booking__starts_at").first()
        if procedure is None:
            return
        if cancel:
            self.refusable(lambda: cancel_procedure(procedure, by=self.doctor))
            return
        starts_at = timezone.now() + timedelta(days=next(self.hours))
        self.refusable(
            lambda: move_procedure(
                procedure,
                starts_at=starts_at,
                ends_at=starts_at + timedelta(hours=8),
                expected_start=procedure.booking.starts_at,
                by=self.doctor,
            )
        )

    @rule()
    def begins(self) -> None:
        procedure = Procedure.objects.filter(case=self.case, state=Procedure.State.BOOKED).first()
        if procedure is None:
            return
        consented = Signature.objects.in_force().filter(pk=procedure.consent_id).exists()
        if self.refusable(lambda: start_run(procedure.pk, by=self.doctor)):
            assert consented
            assert self.signed
            targets = Memory.objects.targets().filter(case=self.case)
            chosen = set(Keepsake.objects.filter(memory__in=targets).values_list("pk", flat=True))
            self.may_go |= chosen
            self.still = {key: value for key, value in self.still.items() if key not in chosen}

    @rule()
    @precondition(lambda self: self.run())
    def is_paused(self) -> None:
        if self.refusable(lambda: control.pause(self.run().pk, by=self.technician)):
            self.freeze(self.may_go)

    @rule()
    @precondition(lambda self: self.run())
    def goes_on(self) -> None:
        if self.refusable(lambda: control.resume(self.run().pk, by=self.technician)):
            kept = Memory.objects.filter(case=self.case, fate=Memory.Fate.PROTECTED)
            spared = set(Keepsake.objects.filter(memory__in=kept).values_list("pk", flat=True))
            self.still = {key: value for key, value in self.still.items() if key in spared}

    @rule(data=st.data())
    @precondition(lambda self: self.run())
    def is_protected(self, data: st.DataObject) -> None:
        steps = sorted(Step.objects.filter(run=self.run()).values_list("memory_id", flat=True))
        memory = data.draw(st.sampled_from(steps))
        if self.refusable(lambda: control.protect(self.run().pk, memory, by=self.case.patient)):
            self.freeze(Keepsake.objects.filter(memory=memory).values_list("pk", flat=True))

    @rule()
    def is_withdrawn(self) -> None:
        if self.refusable(lambda: withdraw(self.case, by=self.case.patient)):
            self.signed = False
            self.freeze(self.may_go)

    @rule()
    @precondition(lambda self: self.run())
    def is_aborted(self) -> None:
        if self.refusable(lambda: control.abort(self.run().pk, by=self.doctor, reason="doubt")):
            self.freeze(self.may_go)

    # --- What machines do ---
    @rule(turns=st.integers(1, 9))
    @precondition(lambda self: self.run())
    def works(self, turns: int) -> None:
        fence = claim(self.run().pk, "worker")
        if fence is None:
            return
        for _turn in range(turns):
            if not take_turn(fence):
                break
        free_holder("worker")

    @rule(place=st.sampled_from(PLACES), after=st.integers(0, 8))
    @precondition(lambda self: self.run())
    def is_killed(self, place: str, after: int) -> None:
        run = self.run().pk

        def dies() -> None:
            failpoints._label, failpoints._countdown = place, iter(range(after, -1, -1))
            failpoints._signal = signal.SIGKILL
            advance(run, holder="worker")

        assert in_child(dies) in {0, -signal.SIGKILL}
        free_holder("worker")
        free_holder(HOLDER)  # under which the end of a night is settled

    @rule()
    def is_restarted(self) -> None:
        configured.reset()
        free_holder("worker")

    @rule(hours=st.sampled_from([0, 1, 2]))
    def is_swept(self, hours: int) -> None:
        for later in (0, hours):  # what has nobody's row ends when it is seen twice
            self.rounds.sweep(set(), timezone.now() + timedelta(hours=later))

    @rule()
    def is_supervised(self) -> None:
        supervisor.end_stopped()
        supervisor.certify_finished()

    @rule()
    def the_log_is_signed(self) -> None:
        checkpoint("daily")

    @rule()
    @precondition(lambda self: len(self.backups) < MOST_BACKUPS)
    def is_backed_up(self) -> None:
        directory = self.place / f"backup-{len(self.backups)}"
        make_backup(directory)
        self.backups.append(Past(directory, dict(self.brought), set(self.may_go)))

    @rule(data=st.data(), elsewhere=st.booleans())
    @precondition(lambda self: self.backups)
    def is_restored(self, data: st.DataObject, elsewhere: bool) -> None:
        past = data.draw(st.sampled_from(self.backups))
        living = set(key_store().ids())
        if elsewhere:
            self.ground.another_vault(self.place)
        self.ground.empty_database()
        restore(past.directory)
        check_migrations()
        check_log()
        check_keys()
        reconcile_with_keys()
        since = self.originals.keys() - past.brought.keys()
        self.beyond = {self.originals[key] for key in since} & living
        kept = {key: file for key, file in past.brought.items() if self.originals[key] in living}
        originals = StoredObject.objects.live().filter(role=StoredObject.Role.ORIGINAL)
        whole = set(originals.values_list("keepsake_id", flat=True))
        # What a pass had doomed before the backup was made ends now. All else that has its key is back.
        self.may_go = past.may_go - whole
        self.brought = kept
        self.still, self.levels, self.signed, self.rounds = {}, {}, False, Sweeper()
        self.freeze(Keepsake.objects.filter(case=self.case).values_list("pk", flat=True))
        assert (
            not Signature.objects.in_force()
            .filter(text__kind=ConsentText.Kind.PROCEDURE)
            .filter(procedures__run__isnull=True)
        )
        assert not Run.objects.exclude(state__in=[Run.State.FINISHED, Run.State.STOPPING]).exists()

    @rule()
    @precondition(lambda self: HeldKey.objects.exists())
    def the_backup_was_the_right_one(self) -> None:
        held = set(HeldKey.objects.values_list("pk", flat=True))
        assert destroy_held_keys(len(held), by="system:operator") == len(held)
        assert not held & set(key_store().ids())
        self.beyond = set()

    # --- What must be true ---
    @invariant()
    def what_is_gone_does_not_come_back(self) -> None:
        if not hasattr(self, "gone"):
            return
        living = set(key_store().ids())
        self.gone |= self.keys - living
        self.keys |= living
        assert not self.gone & living
        assert keyless() == set()

    @invariant()
    def what_a_restore_does_not_know_waits(self) -> None:
        assert getattr(self, "beyond", set()) <= set(key_store().ids() if hasattr(self, "beyond") else ())

    @invariant()
    def what_nobody_agreed_to_is_whole(self) -> None:
        for key in getattr(self, "brought", {}).keys() - getattr(self, "may_go", set()):
            original = StoredObject.objects.get(keepsake=key, role=StoredObject.Role.ORIGINAL)
            assert read(original) == self.brought[key]

    @invariant()
    def what_must_not_move_stands_still(self) -> None:
        for key, was in getattr(self, "still", {}).items():
            row = Keepsake.objects.select_related("picture").get(pk=key)
            assert (row.level, row.picture_id) == was
            if row.picture:
                read(row.picture)

    @invariant()
    def levels_only_rise_and_what_is_gone_is_gone(self) -> None:
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
        """Let it end: what was agreed to and not taken back is gone, all else is there."""
        try:
            if hasattr(self, "case") and (run := self.run()) is not None:
                self.ends(run)
        finally:
            self.ground.close()

    def ends(self, run: Run) -> None:
        if run.state == Run.State.PAUSED:
            self.goes_on()
        for _round in range(3):
            advance(run.pk, holder="worker")
            supervisor.end_stopped()
            supervisor.certify_finished()
        run.refresh_from_db()
        assert run.state == Run.State.FINISHED
        assert run.certificate
        for step in Step.objects.filter(run=run).select_related("memory"):
            mine = StoredObject.objects.filter(keepsake__memory=step.memory)
            if step.state == Step.State.DESTROYED:
                assert step.level == PASS_COUNT
            if step.state == Step.State.DESTROYED or step.memory_id in self.gone:
                assert not mine.remaining().exists()
                assert not set(mine.values_list("pk", flat=True)) & set(key_store().ids())
            else:
                assert run.outcome != Run.Outcome.COMPLETE
                for left in Keepsake.objects.filter(memory=step.memory, gone_at__isnull=True):
                    assert mine.live().filter(keepsake=left).exists()
        self.what_nobody_agreed_to_is_whole()
        self.what_must_not_move_stands_still()
        self.the_log_verifies()

    # --- Helpers ---
    def run(self) -> Run | None:
        """The run of this case that began last."""
        return Run.objects.filter(procedure__case=self.case).order_by("-started_at").first()

    def refusable(self, act: Callable[[], object]) -> bool:
        """Do it; False where the house refuses it in words."""
        self.case.refresh_from_db()
        try:
            act()
        except NO:
            return False
        return True

    def freeze(self, keepsakes: object) -> None:
        rows = Keepsake.objects.filter(pk__in=list(keepsakes))  # type: ignore[call-overload]
        self.still |= {row.pk: (row.level, row.picture_id) for row in rows}


@pytest.fixture(autouse=True)
def long_slices(settings: django_settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        certifying, "verify_in_subprocess", verify_here
    )  # a process of its own is not what is asked
    settings.LACUNA_SLICE_SECONDS = settings.LACUNA_LEASE_SECONDS = 600


def explore(orders: int, directory: Path) -> None:
    class Here(Clinic):
        ground = Ground(directory)

    run_machine(
        Here,
        settings=settings(
            max_examples=orders,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            # Making a failure smaller takes longer than finding it; the order as found can be read too.
            phases=(Phase.explicit, Phase.generate),
            print_blob=True,
        ),
    )


def test_a_few_orders(tmp_path: Path) -> None:
    explore(6, tmp_path)


@pytest.mark.torture
@pytest.mark.parametrize("part", range(4))
def test_many_orders(part: int, tmp_path: Path) -> None:
    explore(int(os.environ.get("LACUNA_TORTURE_ORDERS", ORDERS[connection.vendor])), tmp_path)
