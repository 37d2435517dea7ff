"""Many keepsakes are changed in one action, all or none, and the action can be undone."""

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
    """Place these keepsakes as the patient, from a page that is up to date; return the action's id."""
    ticks = read_ticks(ticks_of(case, keepsakes))
    return place_keepsakes(case, ticks, Placing(**placing), by=case.patient)  # type: ignore[arg-type]


def fields_of(keepsake: Keepsake) -> KeepsakeFields:
    found: KeepsakeFields = Keepsake.objects.get(pk=keepsake.pk).read()
    return found


def state(case: Case) -> list[tuple[object, ...]]:
    """The memory, review and fields of every keepsake, without the fields that serve to undo."""
    rows = Keepsake.objects.filter(case=case).order_by("pk")
    return [
        (row.pk, row.memory_id, row.review, dataclasses.replace(row.read(), undo={}))
        for row in rows
        if not row.gone_at
    ]


def test_keepsakes_are_placed_in_a_new_memory_titled_by_their_number_and_evening(case: Case) -> None:
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


def test_caption_date_and_names_are_written_into_every_keepsake(case: Case) -> None:
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


def test_a_keepsake_that_review_returned_waits_for_review_again_and_undo_restores_that(case: Case) -> None:
    keepsake = bring(case)
    Keepsake.objects.filter(pk=keepsake.pk).update(review=Keepsake.Review.RETURNED)
    action = place(case, [keepsake], caption="A wall")
    assert Keepsake.objects.get(pk=keepsake.pk).review == Keepsake.Review.WAITING
    undo(case, action, by=case.patient)
    assert Keepsake.objects.get(pk=keepsake.pk).review == Keepsake.Review.RETURNED


def change_one(case: Case, keepsake: Keepsake) -> None:
    change_keepsake(keepsake, {"caption": "Changed"}, memory=None, by=case.patient)


def remove_one(case: Case, keepsake: Keepsake) -> None:
    remove_keepsake(keepsake, by=case.patient)


@pytest.mark.parametrize(("meanwhile", "still_there"), [(change_one, True), (remove_one, False)])
def test_nothing_is_placed_if_one_was_changed_or_removed_meanwhile(
    case: Case, meanwhile: object, still_there: bool
) -> None:
    keepsakes = bring_evening(case, 3)
    ticks = read_ticks(ticks_of(case, keepsakes))
    meanwhile(case, keepsakes[1])  # type: ignore[operator]
    before, entries = state(case), Entry.objects.count()
    with pytest.raises(CannotPlace) as refusal:
        place_keepsakes(case, ticks, Placing(new=True, caption="X"), by=case.patient)
    assert refusal.value.changed == ({keepsakes[1].pk} if still_there else set())
    assert (state(case), Entry.objects.count(), Memory.objects.count()) == (before, entries, 0)


def test_anothers_keepsake_anothers_memory_an_erased_memory_and_no_keepsake_are_refused(case: Case) -> None:
    other_case = make_case()
    theirs, mine = bring(other_case), bring(case)
    ticks = read_ticks(ticks_of(other_case, [theirs]))
    with pytest.raises(CannotPlace):
        place_keepsakes(case, ticks, Placing(caption="X"), by=case.patient)
    with pytest.raises(CannotPlace, match="memory was taken off"):
        place(case, [mine], memory=make_memory(other_case).pk)
    erased = make_memory(case, fate=Memory.Fate.ERASED)
    with pytest.raises(CannotPlace, match="memory was taken off"):
        place(case, [mine], memory=erased.pk)
    with pytest.raises(CannotPlace, match="Choose one"):
        place_keepsakes(case, {}, Placing(caption="X"), by=case.patient)
    assert fields_of(theirs).caption == fields_of(mine).caption == ""


def test_if_one_keepsake_would_get_too_many_names_none_is_changed(case: Case) -> None:
    few_names, many_names = bring(case), bring(case, others="N" * 295)
    before = state(case)
    with pytest.raises(CannotPlace, match="too many names"):
        place(case, [few_names, many_names], others=["Somebody"])
    assert state(case) == before


def test_a_locked_map_refuses_to_place_undo_dismiss_and_recall(case: Case) -> None:
    memory = make_memory(case)
    make_keepsake(memory)
    keepsake = make_keepsake(memory)
    ticks = read_ticks(ticks_of(case, [keepsake]))
    lock_map(case, by=make_doctor())
    with pytest.raises(CaseLocked):
        place_keepsakes(case, ticks, Placing(caption="X"), by=case.patient)
    with pytest.raises(CaseLocked):
        undo(case, uuid4(), by=case.patient)
    with pytest.raises(CaseLocked):
        changes.dismiss(case, [keepsake.pk], by=case.patient)
    with pytest.raises(CaseLocked):
        changes.recall_dismissed(case, by=case.patient)


def test_undo_restores_every_keepsake_and_removes_the_new_memory(case: Case) -> None:
    old = make_memory(case, "Old")
    keepsakes = [bring(case, caption="A", others="Naomi"), make_keepsake(old, caption="B")]
    before = state(case)
    action = place(case, keepsakes, new=True, title="New", when=When("2003-01-01", ""), caption="C")
    new = Memory.objects.exclude(pk=old.pk).get()
    assert undo(case, action, by=case.patient) == 2
    assert state(case) == before
    assert list(Memory.objects.filter(case=case)) == [old]
    assert new.pk not in set(key_store().ids())
    assert set(StoredObject.objects.filter(keepsake=keepsakes[1]).values_list("memory", flat=True)) == {
        old.pk
    }
    actions = list(Entry.objects.filter(case=case.pk).order_by("index").values_list("action", flat=True))[-3:]
    assert actions == ["keepsake.changed", "keepsake.changed", "memory.removed"]
    with pytest.raises(CannotPlace):
        undo(case, action, by=case.patient)


@pytest.mark.parametrize("meanwhile", [change_one, remove_one])
def test_undo_is_refused_if_one_was_changed_or_removed_since(case: Case, meanwhile: object) -> None:
    keepsakes = bring_evening(case, 2)
    action = place(case, keepsakes, caption="X")
    meanwhile(case, Keepsake.objects.get(pk=keepsakes[0].pk))  # type: ignore[operator]
    before = state(case)
    with pytest.raises(CannotPlace):
        undo(case, action, by=case.patient)
    assert state(case) == before


def test_only_the_last_action_on_a_keepsake_can_be_undone(case: Case) -> None:
    keepsakes = bring_evening(case, 2)
    first = place(case, keepsakes, caption="X")
    second = place(case, keepsakes[:1], caption="Y")
    undo(case, second, by=case.patient)
    assert [fields_of(row).caption for row in keepsakes] == ["X", "X"]
    with pytest.raises(CannotPlace):
        undo(case, uuid4(), by=case.patient)
    # The second action has changed a keepsake of the first, so the first can no longer be undone at all.
    with pytest.raises(CannotPlace):
        undo(case, first, by=case.patient)
    assert [fields_of(row).caption for row in keepsakes] == ["X", "X"]


def test_undo_is_refused_if_the_former_memory_was_removed(case: Case) -> None:
    old, new = make_memory(case, "Old"), make_memory(case, "New")
    keepsake = make_keepsake(old)
    action = place(case, [keepsake], memory=new.pk)
    remove_memory(old, by=case.patient)
    with pytest.raises(CannotPlace, match="taken off"):
        undo(case, action, by=case.patient)
    assert Keepsake.objects.get(pk=keepsake.pk).memory_id == new.pk


def test_undo_is_refused_if_the_former_memory_was_erased(case: Case) -> None:
    old, new = make_memory(case, "Old"), make_memory(case, "New")
    keepsake = make_keepsake(old)
    action = place(case, [keepsake], memory=new.pk)
    Memory.objects.filter(pk=old.pk).update(fate=Memory.Fate.ERASED)
    with pytest.raises(CannotPlace, match="taken off"):
        undo(case, action, by=case.patient)
    assert Keepsake.objects.get(pk=keepsake.pk).memory_id == new.pk


def test_undo_leaves_a_new_memory_that_was_changed_or_got_another_keepsake(case: Case) -> None:
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


def test_dismissing_and_recalling_have_audit_entries_and_ignore_keepsakes_of_others(case: Case) -> None:
    keepsakes = bring_evening(case, 3)
    anothers = bring(make_case())
    assert changes.dismiss(case, [*(row.pk for row in keepsakes), anothers.pk], by=case.patient) == 3
    [together] = {tuple(keepsake.fields.dismissed) for keepsake in keepsakes_of(case)}
    entry = Entry.objects.latest("index")
    assert (entry.action, entry.details) == (
        "proposal.dismissed",
        {"keepsakes": 3, "together": together[0]},
    )
    assert fields_of(anothers).dismissed == []
    assert changes.recall_dismissed(case, by=case.patient) == 3
    assert Entry.objects.latest("index").action == "proposal.recalled"
    assert {len(keepsake.fields.dismissed) for keepsake in keepsakes_of(case)} == {0}
    count = Entry.objects.count()
    assert changes.recall_dismissed(case, by=case.patient) == 0
    assert Entry.objects.count() == count
    with pytest.raises(CannotPlace):
        changes.dismiss(case, [anothers.pk], by=case.patient)
