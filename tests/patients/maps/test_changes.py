"""Changes from the mapping page: possible until the map is locked, and only within the case."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from patients.maps.changes import name_chapters, place_keepsake
from patients.memories.links import CannotChange, link, unlink
from patients.memories.models import Memory, MemoryLink
from patients.memories.writing import write_memory
from patients.vault.models import StoredObject
from tests.factories import make_case, make_doctor, make_keepsake, make_memory
from tests.patients.maps.describing import describe

pytestmark = pytest.mark.django_db(transaction=True)

LOCKED = "The map is locked. Open it again before changing it."
FOREIGN = "That memory is not in this file."


@pytest.fixture
def case() -> Case:
    case = make_case()
    for title in ("One", "Two"):
        make_keepsake(make_memory(case, title))
    return case


def memories_of(case: Case) -> list[UUID]:
    return list(Memory.objects.filter(case=case).values_list("pk", flat=True))


def link_two(case: Case) -> None:
    link(case, *memories_of(case), by=case.patient)


CHANGES: dict[str, Callable[[Case], object]] = {
    "describe": lambda case: describe(case.memories.all()[0], {"title": "X"}, {}, by=case.patient),
    "link": link_two,
    "unlink": lambda case: unlink(case, *memories_of(case), by=case.patient),
    "place": lambda case: place_keepsake(case.keepsakes.all()[0], None, "New", by=case.patient),
    "chapters": lambda case: name_chapters(case, [], by=case.patient),
}


@pytest.mark.parametrize("stage", ["mapped", "consented", "booked", "running", "closed", "withdrawn"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_locked_map_is_not_changed(case: Case, change: str, stage: str) -> None:
    link_two(case)
    Case.objects.update(stage=stage)
    entries = Entry.objects.count()
    with pytest.raises(CannotChange) as refusal:
        CHANGES[change](case)
    assert str(refusal.value) == LOCKED
    assert Entry.objects.count() == entries
    assert MemoryLink.objects.count() == 1
    assert Memory.objects.count() == 2


def test_a_memory_is_not_linked_to_itself(case: Case) -> None:
    one, _two = memories_of(case)
    with pytest.raises(CannotChange, match=r"^A memory is not linked to itself\.$"):
        link(case, one, one, by=case.patient)
    assert not MemoryLink.objects.exists()


def test_a_memory_can_only_be_linked_within_its_case(case: Case) -> None:
    one, _two = memories_of(case)
    foreign = make_memory(make_case()).pk
    for other in (foreign, uuid4()):
        for act in (link, unlink):
            with pytest.raises(CannotChange) as refusal:
                act(case, one, other, by=case.patient)
            assert str(refusal.value) == FOREIGN
    assert not MemoryLink.objects.exists()


def test_linking_or_unlinking_twice_changes_and_records_it_once(case: Case) -> None:
    one, two = memories_of(case)
    third = make_memory(case, "Three").pk
    link(case, one, third, by=case.patient)
    for pair in ((one, two), (two, one), (one, two)):
        link(case, *pair, by=case.patient)
    assert MemoryLink.objects.count() == 2
    assert Entry.objects.filter(action="map.linked").count() == 2
    for pair in ((two, one), (one, two)):
        unlink(case, *pair, by=case.patient)
    (left,) = MemoryLink.objects.all()
    assert {left.a_id, left.b_id} == {one, third}
    assert Entry.objects.filter(action="map.unlinked").count() == 1


def test_unlinking_two_memories_keeps_their_other_links(case: Case) -> None:
    make_memory(case, "Three")
    first, middle, last = sorted(memories_of(case), key=lambda pk: pk.hex)
    for pair in ((first, middle), (first, last), (middle, last)):
        link(case, *pair, by=case.patient)
    unlink(case, last, first, by=case.patient)
    assert set(MemoryLink.objects.values_list("a", "b")) == {(first, middle), (middle, last)}


def test_a_removed_keepsake_cannot_be_placed(case: Case) -> None:
    keepsake, other = case.keepsakes.all()
    remove_keepsake(keepsake, by=case.patient)
    with pytest.raises(CannotChange, match="The patient has taken this one back"):
        place_keepsake(keepsake, other.memory, by=case.patient)


def test_a_keepsake_can_only_be_placed_within_its_case(case: Case) -> None:
    keepsake, _other = case.keepsakes.all()
    before = keepsake.memory
    with pytest.raises(CannotChange) as refusal:
        place_keepsake(keepsake, make_memory(make_case()), by=case.patient)
    assert str(refusal.value) == FOREIGN
    assert Keepsake.objects.get(pk=keepsake.pk).memory == before


@pytest.mark.parametrize("title", ["", "  "])
def test_a_new_memory_needs_a_title(case: Case, title: str) -> None:
    with pytest.raises(CannotChange, match=r"^Choose a memory, or give a new one a title\.$"):
        place_keepsake(case.keepsakes.all()[0], None, title, by=case.patient)
    assert Memory.objects.count() == 2


def test_placing_a_keepsake_moves_its_objects_and_no_others(case: Case) -> None:
    keepsake, other = case.keepsakes.all()
    memory = place_keepsake(keepsake, None, " Three ", by=case.patient)
    assert memory.read().title == "Three"
    assert Keepsake.objects.get(pk=keepsake.pk).memory == memory
    assert Keepsake.objects.get(pk=other.pk).memory == other.memory
    assert not StoredObject.objects.filter(keepsake=keepsake, memory__isnull=False).exists()
    assert StoredObject.objects.filter(keepsake=other, memory=other.memory).count() == 4


def test_a_changed_fate_is_recorded(case: Case) -> None:
    memory = case.memories.all()[0]
    describe(memory, {"title": "Again"}, {"intensity": 3}, by=case.patient)
    row = Memory.objects.get(pk=memory.pk)
    assert (row.read().title, row.intensity, row.fate) == ("Again", 3, Memory.Fate.TARGET)
    assert not Entry.objects.filter(action__in=["memory.kept", "memory.released"]).exists()
    describe(memory, {}, {"fate": Memory.Fate.PROTECTED}, by=case.patient)
    describe(memory, {}, {"fate": Memory.Fate.TARGET}, by=case.patient)
    actions = Entry.objects.order_by("index").values_list("action", flat=True)
    assert [action for action in actions if action.startswith("memory.")] == [
        "memory.changed",
        "memory.changed",
        "memory.kept",
        "memory.changed",
        "memory.released",
    ]


def test_a_memory_of_another_case_cannot_be_changed(case: Case) -> None:
    memory = make_memory(make_case())
    memory.case = case
    with pytest.raises(Memory.DoesNotExist):
        describe(memory, {"title": "Mine"}, {}, by=make_doctor())


def test_a_form_opened_earlier_does_not_overwrite_what_staff_wrote(case: Case) -> None:
    opened = case.memories.all()[0]
    describe(Memory.objects.get(pk=opened.pk), {"reaction": "Looks away"}, {}, by=make_doctor())
    write_memory(case, {"title": "Again"}, {}, memory=opened, by=case.patient)
    fields = Memory.objects.get(pk=opened.pk).read()
    assert (fields.title, fields.reaction) == ("Again", "Looks away")
