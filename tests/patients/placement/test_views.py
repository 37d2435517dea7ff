"""The pages on which a patient places many keepsakes: the sheet, the proposals, and the timeline."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from patients.cases.models import Case
from patients.drafts.models import Draft
from patients.keepsakes.editing import change_keepsake
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_memory
from patients.maps.locking import lock_map
from patients.memories.models import Memory
from patients.placement import sheet
from patients.placement.views import PAGE_SIZE, PROPOSALS_SHOWN
from patients.vault.sealed import SealedModel, read_many
from tests.factories import make_case, make_doctor, make_keepsake, make_memory
from tests.patients.placement.bringing import EVENING, bring, bring_evening, keepsakes_of, scene, ticks_of

pytestmark = pytest.mark.django_db

SHEET, PROPOSALS = "/me/sheet/", "/me/sheet/proposals/"


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def patient(client: Client, case: Case) -> Client:
    client.force_login(case.patient)
    return client


def ticked_on(answer: HttpResponse) -> list[str]:
    """The keepsakes that are ticked on a page, by id."""
    boxes = re.findall(r'name="keepsake"\s+value="([^":]+):[^"]*"([^>]*)>', answer.content.decode())
    return [key for key, more in boxes if "checked" in more]


def placed_at(answer: HttpResponse) -> dict[str, str]:
    """The fields that undo what an answer did."""
    found = re.search(r"placed=([0-9a-f-]{36})", answer["Location"])
    assert found, answer["Location"]
    return {"action": found[1]}


def test_a_plain_form_places_all_that_is_ticked_and_offers_to_undo_it(patient: Client, case: Case) -> None:
    keepsakes = bring_evening(case, 3)
    page = patient.get(SHEET + "?show=loose").content.decode()
    assert page.count('name="keepsake"') == page.count('form="placement"') == 3
    answer = patient.post(
        SHEET,
        {
            "keepsake": ticks_of(case, keepsakes[:2]),
            "memory": "new",
            "title": " The  evening ",
            "when": "Feb 2004",
            "others": "Naomi, ,Clem",
            "show": "loose",
        },
    )
    assert answer.status_code == 302
    memory = Memory.objects.get(case=case)
    assert (memory.read().title, memory.read().when) == ("The evening", "Feb 2004")
    assert [row.memory_id for row in Keepsake.objects.order_by("added_at")] == [memory.pk, memory.pk, None]
    shown = patient.get(answer["Location"]).content.decode()
    assert "?show=loose" in answer["Location"]
    assert '<b class="mono">2</b> keepsakes changed.' in shown
    undone = patient.post("/me/sheet/undo/", {**placed_at(answer), "show": "loose"}, follow=True)
    assert undone.redirect_chain == [("/me/sheet/?show=loose", 302)]
    assert "2 keepsakes are as they were." in undone.content.decode()
    assert not Memory.objects.exists()
    again = patient.post("/me/sheet/undo/", {**placed_at(answer), "tab": "proposals"}, follow=True)
    assert again.redirect_chain == [(PROPOSALS, 302)]
    assert "Something was changed since" in again.content.decode()


@pytest.mark.parametrize("action", ["", "no-id", str(UUID(int=7))])
def test_an_unknown_action_is_not_undone(patient: Client, case: Case, action: str) -> None:
    bring(case)
    answer = patient.post("/me/sheet/undo/", {"action": action}, follow=True)
    assert "Something was changed since" in answer.content.decode()
    assert "keepsake changed." not in patient.get(f"{SHEET}?placed={action}").content.decode()


@pytest.mark.parametrize(
    ("posted", "problem"),
    [
        ({"memory": ""}, "Say what becomes of them"),
        ({"memory": "", "title": "T"}, "You wrote a title."),
        ({"memory": str(UUID(int=7))}, "Select a valid choice."),
        ({"when": "the day after"}, "We could not read that date."),
        ({"when": "14 Feb 2999"}, "That day has not come yet."),
        ({"caption": "x" * 301}, "at most 300 characters"),
        ({"others": "x" * 301}, "at most 300 characters"),
        ({"memory": "new", "title": "x" * 201}, "at most 200 characters"),
    ],
)
def test_bad_input_changes_nothing_and_keeps_what_was_typed(
    patient: Client, case: Case, posted: dict[str, str], problem: str
) -> None:
    keepsakes = bring_evening(case, 2)
    words = {"caption": "Words I typed", **posted} if posted != {"memory": ""} else posted
    answer = patient.post(SHEET, {"keepsake": ticks_of(case, keepsakes), **words})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert problem in page
    assert set(ticked_on(answer)) == {str(row.pk) for row in keepsakes}
    assert all(value in page for value in words.values())
    assert {keepsake.fields.caption for keepsake in keepsakes_of(case)} == {""}


def test_nothing_ticked_and_nonsense_ticked_are_told(patient: Client, case: Case) -> None:
    bring(case)
    for ticks in ([], ["nonsense", "also:nonsense", f"{uuid4()}:"]):
        answer = patient.post(SHEET, {"keepsake": ticks, "caption": "Words I typed"})
        assert answer.status_code == 409
        assert "Words I typed" in answer.content.decode()
    assert keepsakes_of(case)[0].fields.caption == ""


def test_an_older_page_is_refused_and_what_changed_is_marked(patient: Client, case: Case) -> None:
    keepsakes = bring_evening(case, 3)
    ticks = ticks_of(case, keepsakes[:2])
    change_keepsake(keepsakes[1], {"caption": "Theirs"}, memory=None, by=case.patient)
    answer = patient.post(SHEET, {"keepsake": ticks, "memory": "new", "title": "Mine"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "1 of these was changed while your page was open" in page
    assert page.count("changed meanwhile") == page.count("tick--changed") == 1
    assert 'value="Mine"' in page
    assert set(ticked_on(answer)) == {str(row.pk) for row in keepsakes[:2]}
    assert not Memory.objects.exists()
    # The page that was shown has the present marks, so sending it again is enough.
    fresh = re.findall(r'name="keepsake"\s+value="([^"]+)"[^>]*checked', page)
    assert patient.post(SHEET, {"keepsake": fresh, "memory": "new", "title": "Mine"}).status_code == 302
    assert {row.memory_id for row in Keepsake.objects.all()} == {Memory.objects.get().pk, None}


def test_a_memory_that_is_gone_is_told(patient: Client, case: Case) -> None:
    memory, keepsake = make_memory(case), bring(case)
    ticks = ticks_of(case, [keepsake])
    patient.get(SHEET)
    remove_memory(memory, by=case.patient)
    answer = patient.post(SHEET, {"keepsake": ticks, "memory": str(memory.pk), "caption": "Kept words"})
    assert answer.status_code == 422
    assert "Kept words" in answer.content.decode()


def test_a_locked_map_and_a_closed_case_keep_what_was_typed(patient: Client, case: Case) -> None:
    keepsake = make_keepsake(make_memory(case))
    ticks = ticks_of(case, [keepsake])
    lock_map(case, by=make_doctor())
    answer = patient.post(SHEET, {"keepsake": ticks, "caption": "Words I typed"})
    assert answer.status_code == 409
    assert "Your map is locked" in answer.content.decode()
    for url in ("/me/sheet/proposals/dismiss/", "/me/sheet/proposals/recall/", "/me/sheet/undo/"):
        told = patient.post(url, {"keepsake": ticks, "action": str(uuid4())}, follow=True)
        assert "Your map is locked" in told.content.decode(), url
    assert 'name="caption"' not in patient.get(SHEET).content.decode()
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.WITHDRAWN)
    gone = patient.post(SHEET, {"keepsake": ticks, "caption": "Words I typed"})
    assert gone.status_code == 410
    assert "Words I typed" in gone.content.decode()
    assert Keepsake.objects.get().read().caption == "A caption"


def test_what_is_typed_is_kept_as_a_draft_without_the_ticks(patient: Client, case: Case) -> None:
    keepsakes = bring_evening(case, 2)
    words = {"keepsake": ticks_of(case, keepsakes), "show": "loose", "caption": "Half a sent"}
    kept = patient.post("/drafts/placement/", words).json()
    assert Draft.objects.get().read().values == {"caption": ["Half a sent"]}
    assert 'value="Half a sent"' in patient.get(SHEET).content.decode()
    patient.post(SHEET, {**words, "draft": kept["revision"]})
    assert not Draft.objects.live().exists()


def test_the_sheet_can_be_narrowed(patient: Client, case: Case) -> None:
    placed = make_keepsake(make_memory(case, "The ice"), taken="2003-01-01T12:30:00")
    dated, undated = bring(case, EVENING.isoformat()), bring(case)
    mine = make_keepsake(make_memory(case), when="about 2001", day="2001-07-02")

    def shown(query: str) -> list[str]:
        return re.findall(r'name="keepsake"\s+value="([^":]+)', patient.get(SHEET + query).content.decode())

    in_order = [str(row.pk) for row in (placed, dated, undated, mine)]
    assert shown("") == shown("?show=nonsense") == in_order
    assert shown("?show=loose") == in_order[1:3]
    assert shown("?show=undated") == in_order[2:3]


def test_the_sheet_has_further_pages_and_keeps_ticks_of_others(patient: Client, case: Case) -> None:
    keepsakes = [bring(case, f"2004-02-14T18:{n // 60:02d}:{n % 60:02d}") for n in range(PAGE_SIZE + 2)]
    page = patient.get(SHEET).content.decode()
    assert page.count('name="keepsake"') == PAGE_SIZE
    assert 'href="?show=&amp;page=2"' in page
    assert page.count('loading="lazy"') == PAGE_SIZE - 12
    assert patient.get(SHEET + "?page=2").content.decode().count('name="keepsake"') == 2
    answer = patient.post(SHEET, {"keepsake": ticks_of(case, keepsakes), "when": "nonsense"})
    assert set(ticked_on(answer)) == {str(row.pk) for row in keepsakes}
    assert patient.post(SHEET, {"keepsake": ticks_of(case, keepsakes), "caption": "All"}).status_code == 302
    assert {keepsake.fields.caption for keepsake in keepsakes_of(case)} == {"All"}


def test_the_sheet_unseals_no_more_than_one_page(
    patient: Client, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _n in range(PAGE_SIZE + 2):
        bring(case)
    unsealed: list[int] = []

    def counted(rows: Iterable[SealedModel]) -> dict[Any, Any]:
        there = list(rows)
        unsealed.append(len(there))
        return read_many(there)

    monkeypatch.setattr(sheet, "read_many", counted)
    patient.get(SHEET)
    patient.get(SHEET + "?show=loose&page=2")
    assert unsealed == [0, PAGE_SIZE, 0, 2]  # of memories, and of keepsakes


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_the_number_of_queries_does_not_grow(patient: Client, case: Case) -> None:
    urls = [SHEET, PROPOSALS, "/me/timeline/"]

    def count() -> list[int]:
        return [queries_of(patient, url) for url in urls]

    bring(case, EVENING.isoformat())
    make_keepsake(make_memory(case))
    count()  # what is cached once
    few = count()
    for n in range(9):
        bring(case, datetime(2003, 1 + n, 1, 12).isoformat())
        make_keepsake(make_memory(case, f"Memory {n}", f"2002-0{n + 1}-01"))
    assert count() == few


def test_a_proposal_is_accepted_by_its_button_alone(patient: Client, case: Case) -> None:
    keepsakes = bring_evening(case, 3)
    page = patient.get(PROPOSALS)
    shown = page.content.decode()
    assert "These 3 are from one evening." in shown
    assert "3 photographs, 14 February 2004, evening" in shown
    assert set(ticked_on(page)) == {str(row.pk) for row in keepsakes}
    title = "3 photographs, 14 February 2004, evening"
    sent = {"from": "proposals", "memory": "new", "title": title, "proposed": title}
    answer = patient.post(SHEET, {**sent, "keepsake": ticks_of(case, keepsakes[:2])})
    assert re.fullmatch(rf"{PROPOSALS}\?placed=[0-9a-f-]{{36}}#first", answer["Location"])
    # One was taken out, so the title counts those that are left.
    assert Memory.objects.get().read().title == "2 photographs, 14 February 2004, evening"
    following = patient.get(answer["Location"].partition("#")[0]).content.decode()
    assert "This one is from the time of “2 photographs, 14 February 2004, evening”." in following
    assert "Undo" in following


def test_a_title_of_ones_own_is_taken(patient: Client, case: Case) -> None:
    keepsakes = bring_evening(case, 2)
    sent = {"from": "proposals", "memory": "new", "title": "Valentine", "proposed": "2 photographs"}
    patient.post(SHEET, {**sent, "keepsake": ticks_of(case, keepsakes)})
    assert Memory.objects.get().read().title == "Valentine"


def test_a_refused_proposal_is_shown_on_the_sheet_with_its_title(patient: Client, case: Case) -> None:
    keepsakes = bring_evening(case, 2)
    ticks = ticks_of(case, keepsakes)
    change_keepsake(keepsakes[0], {"caption": "Theirs"}, memory=None, by=case.patient)
    sent = {"from": "proposals", "memory": "new", "title": "Valentine", "proposed": "2 photographs"}
    answer = patient.post(SHEET, {**sent, "keepsake": ticks})
    assert answer.status_code == 409
    assert 'value="Valentine"' in answer.content.decode()
    assert set(ticked_on(answer)) == {str(row.pk) for row in keepsakes}


def test_a_dismissed_proposal_is_not_made_again_until_it_is_recalled(patient: Client, case: Case) -> None:
    keepsakes = bring_evening(case, 3)
    sent = {"keepsake": ticks_of(case, keepsakes), "memory": "new", "from": "proposals"}
    answer = patient.post("/me/sheet/proposals/dismiss/", sent)
    assert answer["Location"] == f"{PROPOSALS}#first"
    page = patient.get(PROPOSALS).content.decode()
    assert "from one evening" not in page
    assert "Place 3 more by hand" in page
    # A fourth of the same evening does not bring it back, but a new half of it does.
    bring(case, EVENING.replace(minute=25).isoformat())
    assert "from one evening" not in patient.get(PROPOSALS).content.decode()
    bring_evening(case, 2, starts=EVENING.replace(minute=30))
    assert "These 6 are from one evening." in patient.get(PROPOSALS).content.decode()
    patient.post("/me/sheet/proposals/dismiss/", {"keepsake": ticks_of(case, keepsakes)})
    patient.post("/me/sheet/proposals/recall/")
    assert {len(keepsake.fields.dismissed) for keepsake in keepsakes_of(case)} == {0}
    answer = patient.post("/me/sheet/proposals/dismiss/", {"keepsake": [f"{uuid4()}:"]}, follow=True)
    assert "These were taken back meanwhile." in answer.content.decode()


def test_what_belongs_to_a_memory_by_its_time_is_proposed_for_it(patient: Client, case: Case) -> None:
    memory = make_memory(case, "The party", "2001-01-01")
    make_keepsake(memory, taken=EVENING.isoformat())
    keepsakes = bring_evening(case, 2)
    page = patient.get(PROPOSALS).content.decode()
    assert "These 2 are from the time of “The party”." in page
    assert f'name="memory"\n           value="{memory.pk}"' in page
    ticks = ticks_of(case, keepsakes)
    patient.post(SHEET, {"from": "proposals", "memory": str(memory.pk), "keepsake": ticks})
    assert {row.memory_id for row in Keepsake.objects.all()} == {memory.pk}
    assert (memory.read().title, memory.read().day) == ("The party", "2001-01-01")


@pytest.mark.parametrize(("day", "joins"), [("2004-02-14", True), ("2004-02-13", False)])
def test_a_memory_of_exactly_that_day_is_proposed(patient: Client, case: Case, day: str, joins: bool) -> None:
    make_memory(case, "Valentine", day)
    bring_evening(case, 2)
    assert ("from the time of “Valentine”" in patient.get(PROPOSALS).content.decode()) == joins


def test_what_has_no_date_is_proposed_by_likeness(patient: Client, case: Case) -> None:
    bring(case, EVENING.isoformat(), picture=scene(1))
    same = bring(case, picture=scene(1))
    bring(case, picture=scene(2))
    twins = [bring(case, picture=scene(3)) for _n in range(2)]
    page = patient.get(PROPOSALS)
    words = page.content.decode()
    assert "One of them has no date. It looks like another here." in words
    assert "These 2 look alike." in words
    assert "Place 1 more by hand" in words
    assert {str(row.pk) for row in [same, *twins]} < set(ticked_on(page))


def test_only_some_proposals_are_shown_at_once_and_the_singles_last(patient: Client, case: Case) -> None:
    for n in range(PROPOSALS_SHOWN):
        bring(case, datetime(2003, 1 + n, 1, 12).isoformat())
    bring_evening(case, 2)
    page = patient.get(PROPOSALS).content.decode()
    assert "1</span> more proposal follows" in page.replace('<span class="mono">', "")
    assert page.index("These 2 are from one evening.") < page.index("This one stands alone on its day.")
    assert page.count("This one stands alone on its day.") == PROPOSALS_SHOWN - 1
    assert page[: page.index("</main>")].count("button--primary") == 1


def test_the_pages_say_so_when_nothing_is_left(patient: Client, case: Case) -> None:
    assert "Nothing here yet." in patient.get(SHEET).content.decode()
    assert "No memories yet." in patient.get("/me/timeline/").content.decode()
    make_keepsake(make_memory(case))
    assert "Everything is in a memory." in patient.get(PROPOSALS).content.decode()
    assert "Everything is in a memory." in patient.get(SHEET + "?show=loose").content.decode()


def test_the_upload_page_and_the_portal_lead_to_the_proposals(patient: Client, case: Case) -> None:
    bring(case)
    assert f'href="{PROPOSALS}"' in patient.get(reverse("patients:keepsakes")).content.decode()
    assert f'href="{PROPOSALS}"' in patient.get(reverse("patients:portal")).content.decode()
