"""bench_of: what the mapping page (the bench) shows of a map before it is locked."""

import dataclasses
from unicodedata import normalize

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation

from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.maps.changes import name_chapters, place_keepsake
from patients.maps.mapping_page import bench_of
from patients.memories.links import CannotChange, link, unlink
from patients.memories.models import Memory, MemoryLink
from patients.memories.silhouette import FILE, rehearsal, silhouette, silhouettes
from patients.vault.models import StoredObject
from tests.configuration import configure
from tests.factories import make_case, make_keepsake, make_memory, make_run, make_signed, make_user
from tests.patients.maps.describing import describe

pytestmark = pytest.mark.django_db


def set_fields(memory: Memory, **words: object) -> None:
    memory.write(dataclasses.replace(memory.read(), **words))
    memory.save()


def set_others(keepsake: Keepsake, names: str) -> None:
    keepsake.write(dataclasses.replace(keepsake.read(), others=names))
    keepsake.save()


def test_items_are_in_order_of_time_and_undated_ones_last() -> None:
    case = make_case()
    late, early = make_memory(case, "Late", "2004-01-01"), make_memory(case, "Early", "2002-01-01")
    undated = make_memory(case, "Undated", "")
    shown = make_keepsake(late)
    loose = make_keepsake(early)
    Keepsake.objects.filter(pk=loose.pk).update(memory=None)
    assert [item.key for item in bench_of(case).items] == [early.pk, shown.pk, loose.pk, undated.pk]


def test_items_list_what_is_missing() -> None:
    case = make_case()
    memory = make_memory(case, day="", intensity=None)
    keepsake = make_keepsake(memory)
    Keepsake.objects.filter(pk=keepsake.pk).update(review="waiting")
    child = make_memory(case, day="", zone="childhood")
    bench = bench_of(case)
    lacks = {item.key: item.lacks for item in bench.items}
    assert lacks == {keepsake.pk: ["not reviewed", "no date", "no intensity"], child.pk: []}
    assert (bench.done, len(bench.items)) == (1, 2)
    assert bench.at("").key == keepsake.pk  # type: ignore[union-attr]
    assert bench.at(str(child.pk)).key == child.pk  # type: ignore[union-attr]
    assert bench.at(str(memory.pk)).key == keepsake.pk  # type: ignore[union-attr]


def test_collateral_counts_other_people_but_not_the_subject() -> None:
    case = make_case(subject_name="Clementine")
    both = make_memory(case)
    set_fields(both, people=["Ruth", "clementine"])
    set_others(make_keepsake(both), "Ruth, Carrie ")
    set_others(make_keepsake(both), "ruth; Clementine")
    kept = make_memory(case, fate=Memory.Fate.PROTECTED)
    set_fields(kept, people=["Rob"])
    found = [(row.name, row.keepsakes, row.memories) for row in bench_of(case).collateral()]
    assert found == [("Ruth", 2, 1), ("Carrie", 1, 0)]


def test_b7_names_are_counted_and_sorted_whatever_their_encoding() -> None:
    case = make_case(subject_name="Nguyễn Ánh")
    memory = make_memory(case)
    set_fields(memory, people=["Đạt", "Dũng", "Ăn", normalize("NFD", "NGUYỄN Ánh")])
    set_others(make_keepsake(memory), normalize("NFD", "đạt; dũng, Ăn"))
    with translation.override("vi"):
        assert [(row.name, row.keepsakes) for row in bench_of(case).collateral()] == [
            ("Ăn", 1),
            ("dũng", 1),
            ("đạt", 1),
        ]


@pytest.mark.parametrize(
    ("days", "spans"),
    [
        (["2003-01-10", "2003-02-01"], []),
        (["2003-01-10", "2003-03-01"], ["February 2003"]),
        (["2003-11-10", "2004-03-01"], ["December 2003 to February 2004"]),
        (["2003-12-31", "2005-01-01"], ["January 2004 to December 2004"]),
        (["2003-05-01", "2003-05-02", ""], []),
        ([], []),
    ],
)
def test_spans_of_months_without_a_memory_are_listed(days: list[str], spans: list[str]) -> None:
    case = make_case()
    for day in days:
        make_memory(case, day=day)
    assert bench_of(case).uncovered() == spans


def test_erased_memories_are_on_the_map_but_not_on_the_bench() -> None:
    case = make_case()
    gone, kept, other = (make_memory(case, day=f"2003-0{month}-01") for month in (1, 5, 9))
    Memory.objects.filter(pk=gone.pk).update(fate=Memory.Fate.ERASED, sealed=b"")
    bench = bench_of(case)
    assert [item.memory for item in bench.items] == [kept, other]
    assert [item.memory for item in bench.isolated()] == [kept, other]
    assert len(bench.on_map) == 3
    assert bench.uncovered() == []


def test_memories_without_a_link_are_listed() -> None:
    case, person = make_case(), make_user()
    a, b, alone = make_memory(case), make_memory(case), make_memory(case)
    link(case, a.pk, b.pk, by=person)
    bench = bench_of(case)
    assert [item.memory for item in bench.isolated()] == [alone]
    assert [one.memory for one in bench.linked(b)] == [a]


def test_the_estimated_time_is_targets_times_pace() -> None:
    configure(pace_seconds=90)
    case = make_case()
    for fate in ("target", "target", "protected"):
        make_memory(case, fate=fate)
    make_memory(case, zone="childhood")
    assert bench_of(case).seconds == 180


def test_the_number_of_queries_does_not_depend_on_the_number_of_items() -> None:
    case = make_case()
    counts = []
    for more in (1, 2):
        for _time in range(more):
            make_keepsake(make_memory(case))
        with CaptureQueriesContext(connection) as queries:
            bench_of(case)
        counts.append(len(queries))
    assert counts[0] == counts[1] == 3


def test_a_link_is_stored_once_for_both_directions() -> None:
    case, person = make_case(), make_user()
    a, b = make_memory(case), make_memory(case)
    link(case, a.pk, b.pk, by=person)
    link(case, b.pk, a.pk, by=person)
    assert MemoryLink.objects.count() == 1
    assert Entry.objects.filter(action="map.linked").count() == 1
    unlink(case, b.pk, a.pk, by=person)
    assert not MemoryLink.objects.exists()
    assert Entry.objects.filter(action="map.unlinked").count() == 1


def test_links_to_other_cases_are_refused() -> None:
    case, person = make_case(), make_user()
    own, foreign = make_memory(case), make_memory(make_case())
    for other in (foreign.pk, own.pk):
        with pytest.raises(CannotChange):
            link(case, own.pk, other, by=person)
    assert not MemoryLink.objects.exists()


def test_the_objects_of_a_moved_keepsake_do_not_belong_to_the_old_memory() -> None:
    case, person = make_case(), make_user()
    old, new = make_memory(case), make_memory(case)
    keepsake = make_keepsake(old)
    place_keepsake(keepsake, new, by=person)
    keepsake.refresh_from_db()
    assert keepsake.memory == new
    assert not StoredObject.objects.filter(keepsake=keepsake, memory=old).exists()
    made = place_keepsake(keepsake, None, "A new one", by=person)
    assert made.read().title == "A new one"
    assert Keepsake.objects.get(pk=keepsake.pk).memory == made
    with pytest.raises(CannotChange):
        place_keepsake(keepsake, make_memory(make_case()), by=person)


def test_nothing_can_be_changed_once_the_map_is_locked() -> None:
    case, person = make_case(), make_user()
    memory, other = make_memory(case), make_memory(case)
    keepsake = make_keepsake(memory)
    make_signed(case)
    sealed = bytes(Memory.objects.get(pk=memory.pk).sealed)
    for change in (
        lambda: describe(memory, {"title": "Other"}, {"intensity": 1}, by=person),
        lambda: link(case, memory.pk, other.pk, by=person),
        lambda: unlink(case, memory.pk, other.pk, by=person),
        lambda: place_keepsake(keepsake, other, by=person),
        lambda: name_chapters(case, [], by=person),
    ):
        with pytest.raises(CannotChange, match="locked"):
            change()
    assert bytes(Memory.objects.get(pk=memory.pk).sealed) == sealed
    assert Case.objects.get(pk=case.pk).stage == Case.Stage.CONSENTED


def test_silhouettes_take_one_query_and_draw_each_memory_once() -> None:
    runs = [make_run(memories=2), make_run(memories=3)]
    cases = [run.procedure.case_id for run in runs]
    Memory.objects.filter(case=cases[1], number=3).update(fate=Memory.Fate.ERASED)
    with CaptureQueriesContext(connection) as queries:
        drawn = silhouettes(cases)
    assert len(queries) == 1
    assert [(len(one.prints), one.gone) for one in drawn.values()] == [(2, 0), (2, 1)]
    assert drawn[cases[1]].corners[0].path.count("M") == 4
    assert silhouette(make_case()).places is False


def test_prints_of_a_silhouette_are_inside_and_do_not_overlap() -> None:
    run = make_run(memories=12)
    prints = silhouette(run.procedure.case).prints
    for one in prints:
        assert FILE.childhood <= one.x
        assert one.x + one.w <= FILE.width
        assert one.y >= 0
        assert one.y + one.h <= FILE.height
    overlapping = [
        (a, b)
        for place, a in enumerate(prints)
        for b in prints[place + 1 :]
        if a.x < b.x + b.w - 1 and b.x < a.x + a.w - 1 and a.y < b.y + b.h - 1 and b.y < a.y + a.h - 1
    ]
    assert overlapping == []


def test_the_rehearsal_erases_the_newest_first() -> None:
    case = make_case()
    days = ["2003-01-01", "2003-03-01", "2003-02-01"]
    memories = [(make_memory(case, day=day), day) for day in days]
    kept = make_memory(case, day="2004-01-01", fate=Memory.Fate.PROTECTED)
    before = rehearsal([*memories, (kept, "2004-01-01")])
    assert [one.order for one in before.prints] == [3, 2, 1, 0]
    after = rehearsal([*memories, (kept, "2004-01-01")], gone=2)
    assert [one.order for one in after.prints] == [3, 0]
    assert after.gone == 2
