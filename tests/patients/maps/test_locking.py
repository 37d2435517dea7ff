"""Locking a map: obstacles, what the lock freezes, concurrent changes, and crashes."""

import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from clinic import failpoints
from clinic.accounts.models import User
from clinic.audit.models import Entry
from erasure.jobs.worker import advance
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from patients.maps import locking
from patients.maps.changes import name_chapters
from patients.maps.locking import CannotLock, lock_map, obstacles, unlock_map
from patients.memories.links import link
from patients.memories.map_content import map_body, map_digest
from patients.memories.models import LockedMap, Memory
from patients.memories.writing import write_memory
from patients.vault.models import StoredObject
from patients.vault.objects import put
from tests.factories import (
    jpeg,
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_procedure,
    make_run,
    make_signed,
)
from tests.patients.maps.describing import describe
from tests.torture.faults import in_child

pytestmark = pytest.mark.django_db(transaction=True)

LOCKED = "The map is locked already."
CHANGED = "The map has changed since you opened this page. Please look at it again."
UNPLACED = "1 keepsake is not placed in a memory."


def make_mappable() -> Case:
    case = make_case()
    for day in (1, 2):
        make_keepsake(make_memory(case, f"Day {day}", f"2003-02-{day:02d}"))
    return case


def refused(case: Case) -> list[str]:
    with pytest.raises(CannotLock) as refusal:
        lock_map(case, by=make_doctor())
    assert not LockedMap.objects.filter(case=case, unlocked_at__isnull=True).exists()
    return refusal.value.obstacles


def stage_of(case: Case) -> str:
    return Case.objects.values_list("stage", flat=True).get(pk=case.pk)


def during_the_layout(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Call `happens` between the computation of the layout and the lock, which can be seconds apart."""
    real = locking._number_and_place

    def layout(case: Case, memories: list[Memory]) -> list[Memory]:
        placed = real(case, memories)
        happens()
        return placed

    monkeypatch.setattr(locking, "_number_and_place", layout)


def finish_an_upload(case: Case) -> Keepsake:
    """Create a keepsake, as the end of an upload does."""
    original = put(jpeg(), case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    return create_keepsake(original, by=case.patient, filename="photo.jpg")


def test_an_erased_map_cannot_be_locked_again() -> None:
    run = make_run(memories=1)
    advance(run.pk)
    with pytest.raises(CannotLock) as refusal:
        lock_map(run.procedure.case, by=make_doctor())
    assert refusal.value.obstacles == [LOCKED]


def test_a_map_can_be_locked_once() -> None:
    case = make_mappable()
    mapped = lock_map(case, by=make_doctor())
    case.refresh_from_db()
    with pytest.raises(CannotLock) as refusal:
        lock_map(case, by=make_doctor())
    assert refusal.value.obstacles == [LOCKED]
    assert LockedMap.objects.get() == mapped
    assert mapped.digest == map_digest(map_body(case))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"fate": Memory.Fate.PROTECTED}, ["There is no memory to erase on the map yet."]),
        ({"zone": Memory.Zone.CHILDHOOD}, ["There is no memory to erase on the map yet."]),
        ({"intensity": None}, ["2 memories have no intensity."]),
    ],
)
def test_a_map_needs_a_target_and_intensities(change: dict[str, object], expected: list[str]) -> None:
    case = make_mappable()
    make_mappable()
    Memory.objects.filter(case=case).update(**change)
    assert refused(case) == expected


def test_a_map_needs_every_keepsake_placed_and_reviewed() -> None:
    case, other = make_mappable(), make_mappable()
    Keepsake.objects.filter(case=other).update(memory=None, review=Keepsake.Review.WAITING)
    assert obstacles(case) == []
    first, second = Keepsake.objects.filter(case=case)
    Keepsake.objects.filter(pk=first.pk).update(memory=None)
    Keepsake.objects.filter(pk=second.pk).update(review=Keepsake.Review.WAITING)
    assert refused(case) == [UNPLACED, "1 keepsake is not reviewed yet."]
    for keepsake in (first, second):
        remove_keepsake(keepsake, by=case.patient)
    assert obstacles(case) == [], "what was taken back is no obstacle"


def test_a_memory_on_the_map_needs_a_date_and_one_off_it_does_not() -> None:
    case = make_mappable()
    make_memory(case, "Childhood", day="", zone=Memory.Zone.CHILDHOOD)
    assert obstacles(case) == []
    make_memory(case, "Some day", day="")
    assert refused(case) == ["1 memory has no date, not even a rough one."]


@pytest.mark.parametrize("stage", ["intake", "bringing", "review"])
def test_a_map_can_be_locked_in_these_stages(stage: str) -> None:
    case = make_mappable()
    Case.objects.update(stage=stage)
    case.refresh_from_db()
    assert lock_map(case, by=make_doctor()).version == 1


def test_locking_a_map_numbers_the_memories_of_this_case_from_the_oldest() -> None:
    case, other = make_mappable(), make_mappable()
    make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD)
    for number, memory in enumerate(Memory.objects.filter(case=other), start=8):
        Memory.objects.filter(pk=memory.pk).update(number=number)
    mapped = lock_map(case, by=make_doctor())
    listed = {memory["id"] for memory in mapped.body["memories"]}
    assert listed == {str(pk) for pk in Memory.objects.filter(case=case).values_list("pk", flat=True)}
    titles = {memory.read().title: memory.number for memory in Memory.objects.filter(case=case)}
    assert titles == {"Day 1": 1, "Day 2": 2, "Childhood": None}
    assert set(Memory.objects.filter(case=other).values_list("number", flat=True)) == {8, 9}
    assert (stage_of(case), stage_of(other)) == (Case.Stage.MAPPED, Case.Stage.BRINGING)


def test_a_locked_map_lists_its_keepsakes() -> None:
    case = make_mappable()
    gone = Keepsake.objects.filter(case=case)[0]
    remove_keepsake(gone, by=case.patient)
    mapped = lock_map(case, by=make_doctor())
    listed = [key for memory in mapped.body["memories"] for key in memory["keepsakes"]]
    assert listed == [str(Keepsake.objects.get(case=case, gone_at__isnull=True).pk)]


def test_a_map_is_not_locked_if_an_upload_finished_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_mappable()
    during_the_layout(monkeypatch, partial(finish_an_upload, case))
    assert refused(case) == ["1 keepsake is not placed in a memory.", "1 keepsake is not reviewed yet."]
    assert stage_of(case) == Case.Stage.BRINGING


def test_an_upload_that_finishes_after_the_lock_is_refused_and_destroyed() -> None:
    case = make_mappable()
    original = put(jpeg(), case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    mapped = lock_map(case, by=make_doctor())
    with pytest.raises(CaseLocked):
        create_keepsake(original, by=case.patient, filename="photo.jpg")
    assert StoredObject.objects.get(pk=original.pk).state == StoredObject.State.DESTROYED
    assert Keepsake.objects.filter(case=case).count() == 2
    assert map_digest(map_body(case)) == mapped.digest


def change_date(case: Case) -> None:
    describe(Memory.objects.filter(case=case)[0], {"day": "2009-01-01"}, {}, by=case.patient)


def change_intensity(case: Case) -> None:
    describe(Memory.objects.filter(case=case)[0], {}, {"intensity": 9}, by=case.patient)


def link_both(case: Case) -> None:
    link(case, *Memory.objects.filter(case=case).values_list("pk", flat=True), by=case.patient)


def name_a_chapter(case: Case) -> None:
    span = {"name": "We", "color": "red", "from": "2003-01-01", "to": "2003-12-31"}
    name_chapters(case, [span], by=case.patient)


def bring_one_more(case: Case) -> None:
    make_keepsake(Memory.objects.filter(case=case)[0])


def remember_one_more(case: Case) -> None:
    make_memory(case, "Since")


@pytest.mark.parametrize(
    "change",
    [change_date, change_intensity, link_both, name_a_chapter, bring_one_more, remember_one_more],
)
def test_a_map_is_not_locked_if_it_was_changed_during_the_layout(
    change: Callable[[Case], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make_mappable()
    during_the_layout(monkeypatch, partial(change, case))
    assert refused(case) == [CHANGED]
    assert set(Memory.objects.values_list("number", flat=True)) == {None}


def test_changes_in_another_case_do_not_prevent_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    case, other = make_mappable(), make_mappable()

    def change_all() -> None:
        for change in (link_both, change_date, bring_one_more, remember_one_more):
            change(other)
        make_memory(case, "Childhood", zone=Memory.Zone.CHILDHOOD)

    during_the_layout(monkeypatch, change_all)
    assert lock_map(case, by=make_doctor()).version == 1


def test_a_second_lock_changes_nothing_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    case = make_mappable()
    real = locking._number_and_place

    def lock_first() -> None:
        monkeypatch.setattr(locking, "_number_and_place", real)
        lock_map(case, by=make_doctor())

    during_the_layout(monkeypatch, lock_first)
    with pytest.raises(CannotLock) as refusal:
        lock_map(case, by=make_doctor())
    assert refusal.value.obstacles == [LOCKED]
    assert map_digest(map_body(case)) == LockedMap.objects.get().digest


def test_unlocking_a_map_ends_the_consent_to_it() -> None:
    case, other = make_mappable(), make_mappable()
    make_signed(other)
    mapped, signature = make_signed(case)
    unlock_map(case, by=make_doctor())
    signature.refresh_from_db()
    mapped.refresh_from_db()
    assert (signature.in_force, mapped.unlocked_at is None) == (False, False)
    assert stage_of(case) == Case.Stage.REVIEW
    assert Signature.objects.in_force().filter(case=case).count() == 1, "storage is still agreed to"
    assert Signature.objects.in_force().filter(case=other).count() == 2
    assert LockedMap.objects.get(case=other).unlocked_at is None
    assert stage_of(other) == Case.Stage.CONSENTED
    case.refresh_from_db()
    again = lock_map(case, by=make_doctor())
    case.refresh_from_db()
    unlock_map(case, by=make_doctor())
    again.refresh_from_db()
    assert (again.version, again.unlocked_at is None) == (2, False)


def test_memories_are_renumbered_when_an_unlocked_map_was_changed() -> None:
    """Two memories swap their days, and one is moved off the map, which frees its number."""
    case = make_mappable()
    make_keepsake(make_memory(case, "Day 3", "2003-02-03"))
    lock_map(case, by=make_doctor())
    unlock_map(case, by=make_doctor())
    first, second, third = Memory.objects.filter(case=case).order_by("number")
    describe(first, {}, {"zone": Memory.Zone.CHILDHOOD}, by=case.patient)
    describe(second, {"day": "2003-02-04"}, {}, by=case.patient)
    describe(third, {"day": "2003-02-02"}, {}, by=case.patient)
    lock_map(case, by=make_doctor())
    titles = {memory.read().title: memory.number for memory in Memory.objects.filter(case=case)}
    assert titles == {"Day 1": None, "Day 2": 2, "Day 3": 1}


@pytest.mark.parametrize("stage", ["bringing", "booked", "running", "closed"])
def test_only_a_locked_map_without_a_booked_procedure_can_be_unlocked(stage: str) -> None:
    case = make_mappable()
    if stage != "bringing":
        make_procedure(case)
        Case.objects.filter(pk=case.pk).update(stage=stage)
    with pytest.raises(CannotLock) as refusal:
        unlock_map(case, by=make_doctor())
    assert refusal.value.obstacles == ["Only a locked map without a booked night can be opened again."]
    assert not LockedMap.objects.filter(unlocked_at__isnull=False).exists()
    assert not Entry.objects.filter(action="map.unlocked").exists()


def check_startable(case: Case) -> None:
    """Assert what a run needs: the digest matches the map, and its memories are numbered from 1."""
    mapped = LockedMap.objects.get(case=case, unlocked_at__isnull=True)
    assert map_digest(map_body(case)) == mapped.digest
    on_map = Memory.objects.filter(case=case, zone=Memory.Zone.MAP)
    assert sorted(on_map.values_list("number", flat=True)) == list(range(1, on_map.count() + 1))


POINTS = ["map-laid-out", "places-saved", "map-written", "map-recorded", "map-locked"]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_process_has_locked_the_map_completely_or_not_at_all(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, doctor = make_mappable(), make_doctor()

    def work() -> None:
        monkeypatch.setattr(failpoints, "_label", point)
        lock_map(case, by=doctor)

    assert in_child(work) == -signal.SIGKILL
    case.refresh_from_db()
    if point == "map-locked":
        assert case.stage == Case.Stage.MAPPED
    else:
        assert case.stage == Case.Stage.BRINGING
        assert set(Memory.objects.values_list("number", flat=True)) == {None}
        assert not LockedMap.objects.exists()
        lock_map(case, by=doctor)
    check_startable(case)


@pytest.mark.parametrize("point", [*POINTS, "never"])
def test_a_second_click_that_dies_does_not_change_the_locked_map(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first click locks the map while the second computes the layout. The second dies or is refused."""
    case, doctor = make_mappable(), make_doctor()
    real = locking._number_and_place

    def lock_first() -> None:
        monkeypatch.setattr(locking, "_number_and_place", real)
        lock_map(case, by=doctor)
        monkeypatch.setattr(failpoints, "_label", point)

    def work() -> None:
        during_the_layout(monkeypatch, lock_first)
        lock_map(case, by=doctor)

    assert in_child(work) == (-signal.SIGKILL if point == "map-laid-out" else 1)
    check_startable(case)


def try_to_lock(case: Case, doctor: User, start: threading.Barrier) -> str:
    start.wait(60)
    try:
        lock_map(case, by=doctor)
    except CannotLock as refusal:
        return refusal.obstacles[0]
    finally:
        connection.close()
    return "locked"


def try_to_write(case: Case, start: threading.Barrier) -> str:
    numbers = {"intensity": 5, "zone": Memory.Zone.MAP, "fate": Memory.Fate.TARGET}
    start.wait(60)
    try:
        write_memory(case, {"title": "One more", "day": "2003-02-09"}, numbers, by=case.patient)
    except CaseLocked:
        return "refused"
    finally:
        connection.close()
    return "written"


def test_a_memory_written_during_the_lock_is_on_the_map_or_refused() -> None:
    """Two threads lock the map at the same moment, and two others write memories."""
    doctor = make_doctor()
    for _round in range(4):
        case, start = make_mappable(), threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(try_to_lock, case, doctor, start) for _click in range(2)]
            asked += [pool.submit(try_to_write, case, start) for _memory in range(2)]
            results = [one.result() for one in asked]
        locks, writes = results[:2], results[2:]
        assert set(locks) <= {"locked", LOCKED, CHANGED}
        assert locks.count("locked") <= 1
        if "locked" not in locks:
            assert writes == ["written", "written"]
            lock_map(case, by=doctor)
        assert Memory.objects.filter(case=case).count() == 2 + writes.count("written")
        check_startable(case)
