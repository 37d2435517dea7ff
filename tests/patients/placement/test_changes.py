"""Many keepsakes are changed in one action, all or none, and given back as they were."""

import dataclasses
from uuid import UUID, uuid4

import pytest

from clinic.audit.models import Entry
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.keepsakes.editing import change_keepsake
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.keepsakes.removal import remove_keepsake, remove_memory
from patients.maps.locking import lock_map
from patients.memories.models import Memory
from patients.memories.when import When
from patients.placement import changes
from patients.placement.changes import CannotPlace, Placing, place_keepsakes, undo
from patients.placement.sheet import read_ticks
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from tests.factories import make_case, make_doctor, make_keepsake, make_memory
from tests.patients.placement.bringing import bring, bring_evening, keepsakes_of, ticks_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def case() -> Case:
    return make_case()


def place(case: Case, keepsakes: list[Keepsake], **placing: object) -> UUID:
    """Place these keepsakes as the patient, with the marks as they are now; return the action's id."""
    ticks = read_ticks(ticks_of(case, keepsakes))
    return place_keepsakes(case, ticks, Placing(**placing), by=case.patient)  # type: ignore[arg-type]


def fields_of(keepsake: Keepsake) -> KeepsakeFields:
    found: KeepsakeFields = Keepsake.objects.get(pk=keepsake.pk).read()
    return found


def state(case: Case) -> list[tuple[object, ...]]:
    """The words and memories of all keepsakes, without how to undo the last action."""
    rows = Keepsake.objects.filter(case=case).order_by("pk")
    return [
        (row.pk, row.memory_id, row.review, dataclasses.replace(row.read(), undo={}))
        for row in rows
        if not row.gone_at
    ]


def test_many_come_into_a_new_memory_with_what_is_known(case: Case) -> None:
    keepsakes = bring_evening(case, 3)
    action = place(case, keepsakes, new=True)
    memory = Memory.objects.get(case=case)
    fields = memory.read()
    assert (fields.title, fields.day, fields.when) == (
        "3 photographs, 14 February 2004, evening",
        "2004-02-14",
        "",
    )
    assert memory.intensity is None
    assert {row.memory_id for row in Keepsake.objects.filter(case=case)} == {memory.pk}
    assert set(StoredObject.objects.filter(keepsake__in=keepsakes).values_list("memory", flat=True)) == {
        memory.pk
    }
    entries = list(Entry.objects.filter(case=case.pk).order_by("index"))[-4:]
    assert [entry.action for entry in entries] == ["memory.made", *["keepsake.changed"] * 3]
    assert {entry.subject for entry in entries[1:]} == {f"keepsake:{row.pk}" for row in keepsakes}
    assert {entry.details["together"] for entry in entries[1:]} == {str(action)}


def test_words_dates_and_names_are_written_into_all(case: Case) -> None:
    memory = make_memory(case, "The ice")
    one, other = bring(case, others="Naomi"), bring(case, "2004-02-14T19:00:00", caption="Old")
    place(
        case,
        [one, other],
        memory=memory.pk,
        when=When("2003-07-15", "summer 2003"),
        caption="On the river",
        others=["naomi", "Clem"],
    )
    for keepsake, others in ((one, "Naomi, Clem"), (other, "naomi, Clem")):
        fields = fields_of(keepsake)
        assert (fields.caption, fields.others) == ("On the river", others)
        assert (fields.when, fields.day, fields.known_date) == ("summer 2003", "2003-07-15", "summer 2003")
        assert Keepsake.objects.get(pk=keepsake.pk).memory_id == memory.pk
    assert fields_of(other).taken == "2004-02-14T19:00:00"


def test_a_returned_one_waits_for_review_again_and_is_returned_again_when_undone(case: Case) -> None:
    keepsake = bring(case)
    Keepsake.objects.filter(pk=keepsake.pk).update(review=Keepsake.Review.RETURNED)
    action = place(case, [keepsake], caption="A wall")
    assert Keepsake.objects.get(pk=keepsake.pk).review == Keepsake.Review.WAITING
    undo(case, action, by=case.patient)
    assert Keepsake.objects.get(pk=keepsake.pk).review == Keepsake.Review.RETURNED


def change_one(case: Case, keepsake: Keepsake) -> None:
    change_keepsake(keepsake, {"caption": "Changed"}, memory=None, by=case.patient)


def take_one_back(case: Case, keepsake: Keepsake) -> None:
    remove_keepsake(keepsake, by=case.patient)


@pytest.mark.parametrize(("meanwhile", "found"), [(change_one, 1), (take_one_back, 0)])
def test_all_or_none_if_one_was_changed_or_taken_back(case: Case, meanwhile: object, found: int) -> None:
    keepsakes = bring_evening(case, 3)
    ticks = read_ticks(ticks_of(case, keepsakes))
    meanwhile(case, keepsakes[1])  # type: ignore[operator]
    before, entries = state(case), Entry.objects.count()
    with pytest.raises(CannotPlace) as refusal:
        place_keepsakes(case, ticks, Placing(new=True, caption="X"), by=case.patient)
    assert refusal.value.changed == ({keepsakes[1].pk} if found else set())
    assert (state(case), Entry.objects.count(), Memory.objects.count()) == (before, entries, 0)


def test_nobody_elses_keepsake_and_no_foreign_memory(case: Case) -> None:
    stranger = make_case()
    theirs, mine = bring(stranger), bring(case)
    ticks = read_ticks(ticks_of(stranger, [theirs]))
    with pytest.raises(CannotPlace):
        place_keepsakes(case, ticks, Placing(caption="X"), by=case.patient)
    with pytest.raises(CannotPlace, match="memory was taken off"):
        place(case, [mine], memory=make_memory(stranger).pk)
    erased = make_memory(case, fate=Memory.Fate.ERASED)
    with pytest.raises(CannotPlace, match="memory was taken off"):
        place(case, [mine], memory=erased.pk)
    with pytest.raises(CannotPlace, match="Choose one"):
        place_keepsakes(case, {}, Placing(caption="X"), by=case.patient)
    assert fields_of(theirs).caption == fields_of(mine).caption == ""


def test_too_many_names_for_one_change_none(case: Case) -> None:
    short, full = bring(case), bring(case, others="N" * 295)
    before = state(case)
    with pytest.raises(CannotPlace, match="too many names"):
        place(case, [short, full], others=["Somebody"])
    assert state(case) == before


def test_nothing_is_placed_on_a_locked_map(case: Case) -> None:
    make_keepsake(memory := make_memory(case))
    loose = make_keepsake(memory)
    ticks = read_ticks(ticks_of(case, [loose]))
    lock_map(case, by=make_doctor())
    with pytest.raises(CaseLocked):
        place_keepsakes(case, ticks, Placing(caption="X"), by=case.patient)
    with pytest.raises(CaseLocked):
        undo(case, uuid4(), by=case.patient)
    with pytest.raises(CaseLocked):
        changes.dismiss(case, [loose.pk], by=case.patient)
    with pytest.raises(CaseLocked):
        changes.recall_dismissed(case, by=case.patient)


def test_undo_gives_everything_back_and_removes_the_new_memory(case: Case) -> None:
    old = make_memory(case, "Old")
    keepsakes = [bring(case, caption="A", others="Naomi"), make_keepsake(old, caption="B")]
    before = state(case)
    action = place(case, keepsakes, new=True, title="New", when=When("2003-01-01", ""), caption="C")
    made = Memory.objects.exclude(pk=old.pk).get()
    assert undo(case, action, by=case.patient) == 2
    assert state(case) == before
    assert list(Memory.objects.filter(case=case)) == [old]
    assert made.pk not in set(key_store().ids())
    assert set(StoredObject.objects.filter(keepsake=keepsakes[1]).values_list("memory", flat=True)) == {
        old.pk
    }
    actions = list(Entry.objects.filter(case=case.pk).order_by("index").values_list("action", flat=True))[-3:]
    assert actions == ["keepsake.changed", "keepsake.changed", "memory.removed"]
    with pytest.raises(CannotPlace):
        undo(case, action, by=case.patient)


@pytest.mark.parametrize("meanwhile", [change_one, take_one_back])
def test_undo_is_refused_if_one_was_changed_since(case: Case, meanwhile: object) -> None:
    keepsakes = bring_evening(case, 2)
    action = place(case, keepsakes, caption="X")
    meanwhile(case, Keepsake.objects.get(pk=keepsakes[0].pk))  # type: ignore[operator]
    before = state(case)
    with pytest.raises(CannotPlace):
        undo(case, action, by=case.patient)
    assert state(case) == before


def test_only_the_last_action_is_undone(case: Case) -> None:
    keepsakes = bring_evening(case, 2)
    first = place(case, keepsakes, caption="X")
    second = place(case, keepsakes[:1], caption="Y")
    undo(case, second, by=case.patient)
    assert [fields_of(row).caption for row in keepsakes] == ["X", "X"]
    with pytest.raises(CannotPlace):
        undo(case, uuid4(), by=case.patient)
    # One of the first action's keepsakes was changed since, so none of them is.
    with pytest.raises(CannotPlace):
        undo(case, first, by=case.patient)
    assert [fields_of(row).caption for row in keepsakes] == ["X", "X"]


def test_undo_is_refused_if_the_former_memory_is_gone(case: Case) -> None:
    old, new = make_memory(case, "Old"), make_memory(case, "New")
    keepsake = make_keepsake(old)
    action = place(case, [keepsake], memory=new.pk)
    remove_memory(old, by=case.patient)
    with pytest.raises(CannotPlace, match="taken off"):
        undo(case, action, by=case.patient)
    assert Keepsake.objects.get(pk=keepsake.pk).memory_id == new.pk


def test_undo_puts_nothing_into_a_memory_that_is_erased_by_now(case: Case) -> None:
    old, new = make_memory(case, "Old"), make_memory(case, "New")
    keepsake = make_keepsake(old)
    action = place(case, [keepsake], memory=new.pk)
    Memory.objects.filter(pk=old.pk).update(fate=Memory.Fate.ERASED)
    with pytest.raises(CannotPlace, match="taken off"):
        undo(case, action, by=case.patient)
    assert Keepsake.objects.get(pk=keepsake.pk).memory_id == new.pk


def test_a_new_memory_stays_if_it_was_changed_or_filled(case: Case) -> None:
    action = place(case, [bring(case)], new=True, title="Kept")
    memory = Memory.objects.get(case=case)
    memory.write(dataclasses.replace(memory.read(), story="Written since."))
    memory.save(update_fields=["sealed"])
    undo(case, action, by=case.patient)
    assert Memory.objects.get(case=case) == memory
    second = place(case, [bring(case)], new=True, title="Filled")
    filled = Memory.objects.exclude(pk=memory.pk).get()
    make_keepsake(filled)
    undo(case, second, by=case.patient)
    assert Memory.objects.filter(pk=filled.pk).exists()


def test_dismissing_is_recorded_and_can_be_recalled(case: Case) -> None:
    keepsakes = bring_evening(case, 3)
    stranger = bring(make_case())
    assert changes.dismiss(case, [*(row.pk for row in keepsakes), stranger.pk], by=case.patient) == 3
    [together] = {tuple(keepsake.fields.dismissed) for keepsake in keepsakes_of(case)}
    entry = Entry.objects.latest("index")
    assert (entry.action, entry.details) == (
        "proposal.dismissed",
        {"keepsakes": 3, "together": together[0]},
    )
    assert fields_of(stranger).dismissed == []
    assert changes.recall_dismissed(case, by=case.patient) == 3
    assert Entry.objects.latest("index").action == "proposal.recalled"
    assert {len(keepsake.fields.dismissed) for keepsake in keepsakes_of(case)} == {0}
    count = Entry.objects.count()
    assert changes.recall_dismissed(case, by=case.patient) == 0
    assert Entry.objects.count() == count
    with pytest.raises(CannotPlace):
        changes.dismiss(case, [stranger.pk], by=case.patient)
