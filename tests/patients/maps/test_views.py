"""The mapping page (the bench), with and without htmx."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from erasure.jobs.worker import advance
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory, MemoryLink
from tests.configuration import configure
from tests.edits import hidden_in
from tests.factories import (
    make_case,
    make_keepsake,
    make_letter,
    make_memory,
    make_run,
    make_signed,
    make_user,
)

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true", "HX-Target": "bench"}
FORM = {
    "title": "The frozen river",
    "intensity": "9",
    "reaction": "Laughs, then is quiet.",
    "when": "that winter",
    "day": "2003-01-15",
    "people": "Ruth, Carrie",
    "fate": "protected",
    "zone": "map",
}


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def doctor(client: Client) -> Client:
    client.force_login(make_user(Role.DOCTOR))
    return client


def bench_url(case: Case) -> str:
    return reverse("patients:mapping", args=[case.pk])


def opened(client: Client, keepsake: Keepsake) -> dict[str, str]:
    """The hidden inputs of the form of a keepsake's memory, on a mapping page opened now."""
    return hidden_in(client.get(f"{bench_url(keepsake.case)}?at={keepsake.pk}"))


def lock(client: Client, case: Case) -> HttpResponse:
    """Lock the map from a mapping page opened now."""
    url = reverse("patients:map-lock", args=[case.pk])
    return client.post(url, hidden_in(client.get(bench_url(case)), url))


def place(client: Client, keepsake: Keepsake, **chosen: str) -> HttpResponse:
    """Place a keepsake from a mapping page opened now."""
    url = reverse("patients:map-place", args=[keepsake.case_id, keepsake.pk])
    hidden = hidden_in(client.get(f"{bench_url(keepsake.case)}?at={keepsake.pk}"), url)
    return client.post(url, hidden | chosen, follow=True)


def look(client: Client, keepsake: Keepsake, why: str, **more: Any) -> HttpResponse:
    url = reverse("patients:map-look", args=[keepsake.case_id, keepsake.pk])
    return client.post(url, {"why": why}, **more)


def looks_at(keepsake: Keepsake) -> list[str]:
    """The recorded reasons of all looks at a keepsake."""
    entries = Entry.objects.filter(action="keepsake.unblurred", subject=f"keepsake:{keepsake.pk}")
    return list(entries.values_list("reason", flat=True))


def test_the_page_shows_a_keepsake_with_its_memory_and_the_progress(doctor: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case, "The frozen river"))
    make_keepsake(make_memory(case, "Later", "2004-01-01", intensity=None))
    shown = doctor.get(f"{bench_url(case)}?at={keepsake.pk}").content.decode()
    assert f'src="/pictures/{keepsake.thumb_id}/blurred"' in shown
    assert f"/pictures/{keepsake.picture_id}" not in shown
    assert "The frozen river" in shown
    assert "1 of 2" in " ".join(shown.split())


def test_a_letter_is_shown_on_the_bench(doctor: Client, case: Case) -> None:
    letter = make_letter(make_memory(case), "Dear you, <b>I kept</b> the shell.")
    assert "the shell." not in doctor.get(bench_url(case)).content.decode()
    shown = look(doctor, letter, "date", follow=True).content.decode()
    assert "Dear you, &lt;b&gt;I kept&lt;/b&gt; the shell." in shown


def test_a_reason_unblurs_one_keepsake_and_not_the_next(doctor: Client, case: Case) -> None:
    first = make_keepsake(make_memory(case, day="2003-01-01"))
    second = make_keepsake(make_memory(case, day="2003-02-01"))
    shown = look(doctor, first, "others", headers=HTMX).content.decode()
    assert shown.lstrip().startswith('<div id="bench">')
    assert f'src="/pictures/{first.picture_id}"' in shown
    later = doctor.get(f"{bench_url(case)}?at={second.pk}").content.decode()
    assert f'src="/pictures/{second.thumb_id}/blurred"' in later
    assert looks_at(second) == []


def test_in_a_mapping_visit_each_keepsake_is_unblurred_and_recorded_once(doctor: Client, case: Case) -> None:
    first = make_keepsake(make_memory(case, day="2003-01-01"))
    second = make_keepsake(make_memory(case, day="2003-02-01"))
    look(doctor, first, "mapping")
    for _again in range(2):
        later = doctor.get(f"{bench_url(case)}?at={second.pk}").content.decode()
        assert f'src="/pictures/{second.picture_id}"' in later
    assert (looks_at(first), looks_at(second)) == (["mapping"], ["mapping"])
    other = Client()
    other.force_login(make_user(Role.DOCTOR))
    assert "/blurred" in other.get(f"{bench_url(case)}?at={second.pk}").content.decode()


@pytest.mark.parametrize("why", ["", "curious"])
def test_without_a_reason_the_bench_shows_nothing_unblurred(doctor: Client, case: Case, why: str) -> None:
    keepsake = make_keepsake(make_memory(case))
    shown = look(doctor, keepsake, why, follow=True).content.decode()
    assert "Choose a reason. The patient can see it." in shown
    assert f"/pictures/{keepsake.thumb_id}/blurred" in shown
    assert looks_at(keepsake) == []


def test_saving_leads_to_the_next_item(doctor: Client, case: Case) -> None:
    first = make_keepsake(make_memory(case, day="2003-01-01"))
    second = make_keepsake(make_memory(case, day="2003-02-01"))
    answer = doctor.post(bench_url(case), opened(doctor, first) | FORM)
    assert answer.status_code == 302
    assert answer["Location"] == f"{bench_url(case)}?at={second.pk}"
    memory = Memory.objects.get(pk=first.memory_id)
    assert (memory.intensity, memory.fate, memory.zone) == (9, "protected", "map")
    words = memory.read()
    assert (words.title, words.day, words.people) == ("The frozen river", "2003-01-15", ["Ruth", "Carrie"])
    assert words.story == "The story of A day."
    done = list(Entry.objects.filter(subject=f"memory:{memory.pk}").values_list("action", flat=True))
    assert done == ["memory.changed", "memory.kept"]


def test_htmx_gets_the_bench_with_the_next_item_and_its_address(doctor: Client, case: Case) -> None:
    first = make_keepsake(make_memory(case, day="2003-01-01"))
    second = make_keepsake(make_memory(case, day="2003-02-01"))
    answer = doctor.post(bench_url(case), opened(doctor, first) | FORM, headers=HTMX, follow=True)
    shown = answer.content.decode()
    assert shown.lstrip().startswith('<div id="bench">')
    assert f"/pictures/{second.thumb_id}/" in shown
    assert answer["HX-Push-Url"] == f"{bench_url(case)}?at={second.pk}"


def test_a_print_is_animated_only_when_it_comes_onto_the_bench(doctor: Client, case: Case) -> None:
    first = make_keepsake(make_memory(case, day="2003-01-01"))
    make_keepsake(make_memory(case, day="2003-02-01"))
    here = f"{bench_url(case)}?at={first.pk}"
    develops = '<div class="bench is-new">'
    assert develops in doctor.get(here).content.decode()
    from_here = HTMX | {"HX-Current-URL": f"https://lacuna.example{here}"}
    sent = opened(doctor, first) | FORM
    stays = doctor.post(bench_url(case), {**sent, "stay": "1"}, headers=from_here, follow=True)
    assert f"/pictures/{first.thumb_id}/" in stays.content.decode()
    assert develops not in stays.content.decode()
    refused = doctor.post(bench_url(case), {**sent, "title": ""}, headers=from_here)
    assert develops not in refused.content.decode()
    assert develops in doctor.post(bench_url(case), sent, headers=from_here, follow=True).content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"intensity": "11"},
        {"day": "2003-02-30"},
        {"day": "05/06/2003"},
        {"day": "2190-02-03"},
        {"fate": "erased"},
        {"zone": "moon"},
        {"title": ""},
    ],
)
def test_invalid_values_are_explained_and_nothing_is_saved(
    doctor: Client, case: Case, wrong: dict[str, str]
) -> None:
    keepsake = make_keepsake(make_memory(case))
    answer = doctor.post(bench_url(case), opened(doctor, keepsake) | FORM | wrong)
    assert answer.status_code == 422
    assert "needs another look" in answer.content.decode()
    assert not Entry.objects.filter(action="memory.changed").exists()


def test_an_undated_memory_can_be_saved_but_prevents_the_lock(doctor: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    doctor.post(bench_url(case), opened(doctor, keepsake) | FORM | {"day": "", "fate": "target"})
    shown = " ".join(doctor.get(bench_url(case)).content.decode().split())
    assert "1 memory has no date, not even a rough one." in shown
    assert f'<a href="?at={keepsake.pk}">The frozen river</a> <p>no date</p>' in shown
    assert "Lock the map" not in shown
    lock(doctor, case)
    assert Case.objects.get(pk=case.pk).stage == Case.Stage.BRINGING


def test_the_map_is_locked_and_unlocked(doctor: Client, case: Case) -> None:
    make_keepsake(make_memory(case))
    assert "Lock the map" in doctor.get(bench_url(case)).content.decode()
    lock(doctor, case)
    assert Case.objects.get(pk=case.pk).stage == Case.Stage.MAPPED
    assert "Open the map again" in doctor.get(bench_url(case)).content.decode()
    doctor.post(reverse("patients:map-unlock", args=[case.pk]))
    assert Case.objects.get(pk=case.pk).stage == Case.Stage.REVIEW
    refused = doctor.post(reverse("patients:map-unlock", args=[case.pk]), follow=True).content.decode()
    assert "Only a locked map without a booked night can be opened again." in refused


def test_a_technician_may_lock_the_map_of_a_case_that_is_being_mapped(client: Client, case: Case) -> None:
    make_keepsake(make_memory(case))
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.REVIEW)
    client.force_login(make_user(Role.TECHNICIAN))
    lock(client, case)
    assert Case.objects.get(pk=case.pk).stage == Case.Stage.MAPPED


def test_nothing_can_be_written_on_a_locked_map(doctor: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    make_signed(case)
    answer = doctor.post(bench_url(case), opened(doctor, keepsake) | FORM)
    assert answer.status_code == 409
    assert Memory.objects.get(pk=keepsake.memory_id).fate == "target"
    assert "Write down" not in doctor.get(bench_url(case)).content.decode()


def test_links_are_added_and_taken_away(doctor: Client, case: Case) -> None:
    a, b = make_memory(case, "One"), make_memory(case, "Other")
    url = reverse("patients:map-link", args=[case.pk])
    data = {"at": str(a.pk), "one": str(a.pk), "other": str(b.pk)}
    doctor.post(url, data)
    assert MemoryLink.objects.count() == 1
    answer = doctor.post(url, {**data, "do": "remove"}, headers=HTMX, follow=True)
    assert not MemoryLink.objects.exists()
    assert "No other memory yet." in answer.content.decode()


CHOOSE, FOREIGN = "Choose a memory to link.", "That memory is not in this file."


@pytest.mark.parametrize("end", ["one", "other"])
@pytest.mark.parametrize(
    ("chosen", "words"), [("", CHOOSE), ("x", CHOOSE), ("00000000-0000-4000-8000-000000000000", FOREIGN)]
)
def test_a_link_to_nothing_is_refused_in_words(
    doctor: Client, case: Case, end: str, chosen: str, words: str
) -> None:
    memory = str(make_memory(case).pk)
    url = reverse("patients:map-link", args=[case.pk])
    data = {"at": "\0", "one": memory, "other": memory, end: chosen}
    shown = doctor.post(url, data, headers=HTMX, follow=True).content.decode()
    assert "notice--alarm" in shown
    assert words in shown
    assert not MemoryLink.objects.exists()


def test_a_loose_keepsake_is_placed(doctor: Client, case: Case) -> None:
    memory = make_memory(case)
    keepsake = make_keepsake(memory)
    Keepsake.objects.filter(pk=keepsake.pk).update(memory=None)
    shown = place(doctor, keepsake, memory="", title="").content.decode()
    assert "Choose a memory, or give a new one a title." in shown
    shown = place(doctor, keepsake, memory=str(uuid4()), title="Instead").content.decode()
    assert FOREIGN in shown
    assert Keepsake.objects.get(pk=keepsake.pk).memory is None
    assert Memory.objects.get() == memory, "no other is made instead"
    place(doctor, keepsake, memory=str(memory.pk))
    assert Keepsake.objects.get(pk=keepsake.pk).memory == memory
    foreign = make_keepsake(make_memory(make_case()))
    url = reverse("patients:map-place", args=[case.pk, foreign.pk])
    assert doctor.post(url, {"title": "Mine"}).status_code == 404


def chapters(*rows: tuple[str, str, str, str]) -> dict[str, str]:
    data = {"chapters-TOTAL_FORMS": str(len(rows)), "chapters-INITIAL_FORMS": "0"}
    for i, row in enumerate(rows):
        for name, value in zip(("name", "color", "first", "last"), row, strict=True):
            data[f"chapters-{i}-{name}"] = value
    return data


def send_chapters(client: Client, case: Case, data: dict[str, str]) -> HttpResponse:
    """Send chapters from a mapping page opened now."""
    url = reverse("patients:map-chapters", args=[case.pk])
    return client.post(url, hidden_in(client.get(bench_url(case)), url) | data)


def test_chapters_are_kept_in_the_order_of_time(doctor: Client, case: Case) -> None:
    rows = [
        ("Red", "red", "2002-01-01", "2002-12-31"),
        ("Green", "green", "2001-01-01", "2001-12-31"),
        ("", "", "", ""),
    ]
    send_chapters(doctor, case, chapters(*rows))
    named = Case.objects.get(pk=case.pk).read().chapters
    assert [(one["name"], one["color"], one["from"]) for one in named] == [
        ("Green", "green", "2001-01-01"),
        ("Red", "red", "2002-01-01"),
    ]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("Red", "red", "2002-01-01", "")], "A chapter has a first and a last day."),
        ([("Red", "red", "2002-01-02", "2002-01-01")], "The last day is before the first."),
        (
            [("Red", "red", "2002-01-01", "2002-06-01"), ("Blue", "", "2002-06-01", "2002-07-01")],
            "Two chapters share days.",
        ),
    ],
)
def test_invalid_chapters_are_explained(
    doctor: Client, case: Case, rows: list[tuple[str, str, str, str]], words: str
) -> None:
    answer = send_chapters(doctor, case, chapters(*rows))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert Case.objects.get(pk=case.pk).read().chapters == []


def test_chapters_without_their_management_form_break_nothing(doctor: Client, case: Case) -> None:
    assert doctor.post(reverse("patients:map-chapters", args=[case.pk]), {"x": "y"}).status_code == 422


def test_the_rehearsal_is_a_fragment(doctor: Client, case: Case) -> None:
    configure(pace_seconds=90)
    for i in range(4):
        make_memory(case, day=f"2003-0{i + 1}-01")
    shown = doctor.get(
        f"{bench_url(case)}?gone=3", headers={"HX-Request": "true", "HX-Target": "rehearsal"}
    ).content.decode()
    assert shown.lstrip().startswith('<div id="rehearsal">')
    assert "after 3 of 4" in shown
    assert "90 s each, 6 min" in " ".join(shown.split())
    assert "The map: 4 memories, 3 destroyed" in shown


# Python refuses to parse numbers with more than 4300 digits.
LONG = pytest.param("?gone=" + "9" * 5000, id="long")


@pytest.mark.parametrize(
    "query", ["?at=x", "?at=%00", "?gone=-3", "?gone=9999999999", LONG, "?gone=²", "?at="]
)
def test_invalid_queries_show_a_bench(doctor: Client, case: Case, query: str) -> None:
    make_memory(case)
    assert doctor.get(bench_url(case) + query).status_code == 200


def test_an_empty_case_has_an_empty_bench(doctor: Client, case: Case) -> None:
    shown = doctor.get(bench_url(case))
    assert shown.status_code == 200
    assert "Nothing has been brought yet." in shown.content.decode()
    answer = doctor.post(bench_url(case), FORM)
    assert answer.status_code == 409
    assert "Laughs, then is quiet." in answer.content.decode(), "what was typed is not lost"


def test_the_number_of_queries_does_not_depend_on_the_number_of_keepsakes(doctor: Client, case: Case) -> None:
    doctor.get(bench_url(case))  # the first view creates the audit log's head
    counts = []
    for more in (1, 2):
        for _time in range(more):
            make_keepsake(make_memory(case))
        with CaptureQueriesContext(connection) as queries:
            doctor.get(bench_url(case))
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_after_the_run_the_bench_is_gone(client: Client) -> None:
    run = make_run(memories=1)
    advance(run.pk)
    client.force_login(make_user(Role.DOCTOR))
    case = run.procedure.case
    named = chapters(("Red", "red", "2002-01-01", "2002-12-31"))
    for answer in (client.get(bench_url(case)), client.post(f"{bench_url(case)}chapters/", named)):
        assert answer.status_code == 410
        assert "There is nothing to map." in answer.content.decode()
