"""Whatever is done in whatever order: no draft survives what ends it, and none is overwritten unseen."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from clinic.accounts.models import Role, User
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.consent.signing import CannotSign, withdraw
from patients.drafts import writing
from patients.drafts.forms import NotEditable
from patients.drafts.models import Draft
from patients.drafts.writing import Changed, end_draft, keep_draft, sweep_drafts
from patients.keepsakes.removal import remove_memory
from patients.maps.locking import CannotLock, lock_map, unlock_map
from patients.memories.models import Memory
from patients.vault.configured import key_store
from tests.factories import make_case, make_memory, make_user

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Scenario:
    """One case, two pages of its patient, and the drafts that the test expects.

    known: the revision that a page has of a form. expected_drafts: the revision and words by form. typed: how
    many times something was typed.
    """

    case: Case
    doctor: User
    memory: Memory
    known: dict[tuple[int, str], UUID] = field(default_factory=dict)
    expected_drafts: dict[str, tuple[UUID, str]] = field(default_factory=dict)
    typed: int = 0

    @property
    def forms(self) -> list[str]:
        return ["letter", "memory:new", f"memory:{self.memory.pk}"]

    def is_open(self) -> bool:
        return Case.objects.get(pk=self.case.pk).map_is_open

    def type(self, page: int, form: str) -> None:
        self.typed += 1
        words, known = f"words {self.typed}", self.known.get((page, form))
        expected = self.expected_drafts.get(form, (None, ""))[0]
        changed: list[Draft | None] = []
        row = None
        try:
            row = keep_draft(form, {"story": [words]}, known=known, by=self.case.patient)
        except Changed as change:
            changed.append(change.draft)
        except NotEditable:
            assert not self.is_open() or not Memory.objects.filter(pk=self.memory.pk).exists()
        if row:
            assert self.is_open()
            assert known == expected
            self.known[page, form], self.expected_drafts[form] = row.revision, (row.revision, words)
        if changed:
            assert known != expected
            assert [draft and draft.revision for draft in changed] == [expected]
            self.known.pop((page, form), None)
            if expected:  # the refusal has shown the page the present draft
                self.known[page, form] = expected

    def end(self, page: int, form: str) -> None:
        """End a draft, as saving or discarding on a page does."""
        known = self.known.get((page, form))
        with transaction.atomic():
            ended = end_draft(self.case.patient, form, str(known or ""))
        expected = bool(known) and self.expected_drafts.get(form, (None, ""))[0] == known
        assert ended == expected
        if ended:
            del self.expected_drafts[form]

    def lock(self) -> None:
        with contextlib.suppress(CannotLock):
            lock_map(self.case, by=self.doctor)
            self.expected_drafts = {}

    def unlock(self) -> None:
        with contextlib.suppress(CannotLock):
            unlock_map(self.case, by=self.doctor)

    def remove(self) -> None:
        with contextlib.suppress(CaseLocked):
            remove_memory(self.memory, by=self.case.patient)
            self.expected_drafts.pop(f"memory:{self.memory.pk}", None)

    def withdraw(self) -> None:
        with contextlib.suppress(CannotSign):
            withdraw(self.case, by=self.case.patient)
        if not Case.objects.current().filter(pk=self.case.pk).exists():
            self.expected_drafts = {}

    def expire(self, form: str) -> None:
        Draft.objects.filter(case=self.case, form=form).update(saved_at=timezone.now() - timedelta(days=31))
        sweep_drafts()
        self.expected_drafts.pop(form, None)

    def check(self) -> None:
        rows = list(Draft.objects.filter(case=self.case))
        live = {row.form: (row.revision, row.read().values["story"][0]) for row in rows if not row.ended_at}
        assert live == self.expected_drafts
        assert not live or self.is_open()
        assert all(row.sealed == b"" for row in rows if row.ended_at)


MOVES = ("type", "type", "type", "end", "lock", "unlock", "remove", "withdraw", "expire", "sweep", "crash")
STEPS = st.lists(
    st.tuples(st.sampled_from(MOVES), st.integers(0, 1), st.integers(0, 2)), min_size=3, max_size=14
)


@hypothesis_settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_no_draft_survives_what_ends_it(steps: list[tuple[str, int, int]]) -> None:
    case = make_case()
    make_memory(case)
    scenario = Scenario(case, make_user(Role.DOCTOR), make_memory(case, "Empty"))
    ids: set[UUID] = set()
    with pytest.MonkeyPatch.context() as patch:
        for move, page, number in steps:
            form = scenario.forms[number]
            match move:
                case "type" | "end":
                    getattr(scenario, move)(page, form)
                case "expire":
                    patch.undo()
                    scenario.expire(form)
                case "sweep":
                    patch.undo()
                    sweep_drafts()
                    assert not Draft.objects.ended().filter(case=case).exists()
                case "crash":  # from now on no key is destroyed after a commit, until the next sweep
                    patch.setattr(writing, "destroy_ended", lambda ids=None: 0)
                case _:
                    getattr(scenario, move)()
            ids |= set(Draft.objects.filter(case=case).values_list("pk", flat=True))
            scenario.check()
            remaining = set(Draft.objects.filter(case=case).values_list("pk", flat=True))
            assert ids & set(key_store().ids()) == remaining
    sweep_drafts()
    assert ids & set(key_store().ids()) == set(
        Draft.objects.live().filter(case=case).values_list("pk", flat=True)
    )


def test_typing_while_the_map_is_locked_leaves_no_draft() -> None:
    """Real threads, each with a connection of its own."""
    for _round in range(3):
        case, doctor = make_case(), make_user(Role.DOCTOR)
        make_memory(case)
        together = threading.Barrier(2)

        def keep_typing(case: Case = case, together: threading.Barrier = together) -> int:
            together.wait()
            known, count = None, 0
            try:
                while True:
                    row = keep_draft("letter", {"words": [str(count)]}, known=known, by=case.patient)
                    known, count = row.revision, count + 1
                    # Nobody types without a pause; on SQLite the other thread would hardly have its turn.
                    threading.Event().wait(0.01)
            except (NotEditable, Changed):
                return count
            finally:
                connection.close()

        def lock(case: Case = case, doctor: User = doctor, together: threading.Barrier = together) -> None:
            together.wait()
            try:
                lock_map(case, by=doctor)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            typing, locking = pool.submit(keep_typing), pool.submit(lock)
            locking.result()
            typing.result()
        assert Draft.objects.count() == 0
        assert not Case.objects.get(pk=case.pk).map_is_open
