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
    """The ids of the keepsakes that are ticked on a page."""
    boxes = re.findall(r'name="keepsake"\s+value="([^":]+):[^"]*"([^>]*)>', answer.content.decode())
    return [key for key, more in boxes if "checked" in more]


def undo_fields(answer: HttpResponse) -> dict[str, str]:
    """The fields to post to undo the action after which `answer` redirects."""
    found = re.search(r"placed=([0-9a-f-]{36})", answer["Location"])
    assert found, answer["Location"]
    return {"action": found[1]}


def test_the_form_places_what_is_ticked_and_the_undo_button_takes_it_back_once(
    patient: Client, case: Case
) -> None:
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
    undone = patient.post("/me/sheet/undo/", {**undo_fields(answer), "show": "loose"}, follow=True)
    assert undone.redirect_chain == [("/me/sheet/?show=loose", 302)]
    assert "2 keepsakes are as they were." in undone.content.decode()
    assert not Memory.objects.exists()
    again = patient.post("/me/sheet/undo/", {**undo_fields(answer), "tab": "proposals"}, follow=True)
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
    # A caption is posted too, except where the problem is that nothing was filled in.
    words = posted if posted == {"memory": ""} else {"caption": "Words I typed", **posted}
    answer = patient.post(SHEET, {"keepsake": ticks_of(case, keepsakes), **words})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert problem in page
    assert set(ticked_on(answer)) == {str(row.pk) for row in keepsakes}
    assert all(value in page for value in words.values())
    assert {keepsake.fields.caption for keepsake in keepsakes_of(case)} == {""}


def test_a_form_without_a_valid_tick_is_refused_and_keeps_what_was_typed(patient: Client, case: Case) -> None:
    bring(case)
    for ticks in ([], ["nonsense", "also:nonsense", f"{uuid4()}:"]):
        answer = patient.post(SHEET, {"keepsake": ticks, "caption": "Words I typed"})
        assert answer.status_code == 409
        assert "Words I typed" in answer.content.decode()
    assert keepsakes_of(case)[0].fields.caption == ""


def test_an_outdated_page_is_refused_and_marks_what_has_changed(patient: Client, case: Case) -> None:
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
    # The answer is an up-to-date page with the same ticks, so the patient only has to send it.
    fresh = re.findall(r'name="keepsake"\s+value="([^"]+)"[^>]*checked', page)
    assert patient.post(SHEET, {"keepsake": fresh, "memory": "new", "title": "Mine"}).status_code == 302
    assert {row.memory_id for row in Keepsake.objects.all()} == {Memory.objects.get().pk, None}


def test_placing_into_a_removed_memory_is_refused_and_keeps_what_was_typed(
    patient: Client, case: Case
) -> None:
    memory, keepsake = make_memory(case), bring(case)
    ticks = ticks_of(case, [keepsake])
    patient.get(SHEET)
    remove_memory(memory, by=case.patient)
    answer = patient.post(SHEET, {"keepsake": ticks, "memory": str(memory.pk), "caption": "Kept words"})
    assert answer.status_code == 422
    assert "Kept words" in answer.content.decode()


def test_a_locked_map_and_a_withdrawn_case_refuse_and_show_what_was_typed(
    patient: Client, case: Case
) -> None:
    keepsake = make_keepsake(make_memory(case))
    ticks = ticks_of(case, [keepsake])
    lock_map(case, by=make_doctor())
    answer = patient.post(SHEET, {"keepsake": ticks, "caption": "Words I typed"})
    assert answer.status_code == 409
    assert "Your map is locked" in answer.content.decode()
    for url in ("/me/sheet/proposals/dismiss/", "/me/sheet/proposals/recall/", "/me/sheet/undo/"):
        refused = patient.post(url, {"keepsake": ticks, "action": str(uuid4())}, follow=True)
        # The page itself says "nothing is changed here now"; only a refusal says this.
        assert "nothing can be taken back now" in refused.content.decode(), url
    assert 'name="caption"' not in patient.get(SHEET).content.decode()
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.WITHDRAWN)
    closed = patient.post(SHEET, {"keepsake": ticks, "caption": "Words I typed"})
    assert closed.status_code == 410
    assert "Words I typed" in closed.content.decode()
    assert Keepsake.objects.get().read().caption == "A caption"


def test_what_is_typed_is_kept_as_a_draft_without_the_ticks(patient: Client, case: Case) -> None:
    keepsakes = bring_evening(case, 2)
    words = {"keepsake": ticks_of(case, keepsakes), "show": "loose", "caption": "Half a sent"}
    kept = patient.post("/drafts/placement/", words).json()
    assert Draft.objects.get().read().values == {"caption": ["Half a sent"]}
    assert 'value="Half a sent"' in patient.get(SHEET).content.decode()
    patient.post(SHEET, {**words, "draft": kept["revision"]})
    assert not Draft.objects.live().exists()


def test_the_sheet_can_show_only_loose_or_only_undated_keepsakes(patient: Client, case: Case) -> None:
    in_memory = make_keepsake(make_memory(case, "The ice"), taken="2003-01-01T12:30:00")
    dated, undated = bring(case, EVENING.isoformat()), bring(case)
    dated_by_patient = make_keepsake(make_memory(case), when="about 2001", day="2001-07-02")

    def shown(query: str) -> list[str]:
        return re.findall(r'name="keepsake"\s+value="([^":]+)', patient.get(SHEET + query).content.decode())

    in_order = [str(row.pk) for row in (in_memory, dated, undated, dated_by_patient)]
    assert shown("") == shown("?show=nonsense") == in_order
    assert shown("?show=loose") == in_order[1:3]
    assert shown("?show=undated") == in_order[2:3]


def test_the_sheet_has_further_pages_and_takes_the_ticks_of_all_of_them(patient: Client, case: Case) -> None:
    keepsakes = [bring(case, f"2004-02-14T18:{n // 60:02d}:{n % 60:02d}") for n in range(PAGE_SIZE + 2)]
    page = patient.get(SHEET).content.decode()
    assert page.count('name="keepsake"') == PAGE_SIZE
    assert 'href="?show=&amp;page=2"' in page
    # The first twelve pictures are loaded at once.
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
        to_read = list(rows)
        unsealed.append(len(to_read))
        return read_many(to_read)

    monkeypatch.setattr(sheet, "read_many", counted)
    patient.get(SHEET)
    patient.get(SHEET + "?show=loose&page=2")
    assert unsealed == [0, PAGE_SIZE, 0, 2]  # each request reads memories, then keepsakes


def count_queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


def test_the_number_of_queries_does_not_grow_with_keepsakes_and_memories(patient: Client, case: Case) -> None:
    urls = [SHEET, PROPOSALS, "/me/timeline/"]

    def count_all() -> list[int]:
        return [count_queries(patient, url) for url in urls]

    bring(case, EVENING.isoformat())
    make_keepsake(make_memory(case))
    count_all()  # fills the caches
    few = count_all()
    for n in range(9):
        bring(case, datetime(2003, 1 + n, 1, 12).isoformat())
        make_keepsake(make_memory(case, f"Memory {n}", f"2002-0{n + 1}-01"))
    assert count_all() == few


def test_a_proposal_is_accepted_for_the_keepsakes_that_are_still_ticked(patient: Client, case: Case) -> None:
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
    # One of the three was unticked, so the title counts two.
    assert Memory.objects.get().read().title == "2 photographs, 14 February 2004, evening"
    next_page = patient.get(answer["Location"].partition("#")[0]).content.decode()
    assert "This one is from the time of “2 photographs, 14 February 2004, evening”." in next_page
    assert "Undo" in next_page


def test_a_title_that_the_patient_changed_is_kept(patient: Client, case: Case) -> None:
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


def test_a_dismissed_proposal_returns_when_half_of_it_is_new_and_recalling_forgets_dismissals(
    patient: Client, case: Case
) -> None:
    keepsakes = bring_evening(case, 3)
    sent = {"keepsake": ticks_of(case, keepsakes), "memory": "new", "from": "proposals"}
    answer = patient.post("/me/sheet/proposals/dismiss/", sent)
    assert answer["Location"] == f"{PROPOSALS}#first"
    page = patient.get(PROPOSALS).content.decode()
    assert "from one evening" not in page
    assert "Place 3 more by hand" in page
    # With a fourth photo of that evening it stays dismissed. With six, half are new, and it is made again.
    bring(case, EVENING.replace(minute=25).isoformat())
    assert "from one evening" not in patient.get(PROPOSALS).content.decode()
    bring_evening(case, 2, starts=EVENING.replace(minute=30))
    assert "These 6 are from one evening." in patient.get(PROPOSALS).content.decode()
    # Recalling forgets every dismissal.
    patient.post("/me/sheet/proposals/dismiss/", {"keepsake": ticks_of(case, keepsakes)})
    patient.post("/me/sheet/proposals/recall/")
    assert {len(keepsake.fields.dismissed) for keepsake in keepsakes_of(case)} == {0}
    answer = patient.post("/me/sheet/proposals/dismiss/", {"keepsake": [f"{uuid4()}:"]}, follow=True)
    assert "These were taken back meanwhile." in answer.content.decode()


def test_keepsakes_of_the_time_of_a_memory_are_proposed_for_that_memory(patient: Client, case: Case) -> None:
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


@pytest.mark.parametrize(("day", "proposed"), [("2004-02-14", True), ("2004-02-13", False)])
def test_a_memory_without_keepsakes_is_proposed_only_if_it_is_of_that_day(
    patient: Client, case: Case, day: str, proposed: bool
) -> None:
    make_memory(case, "Valentine", day)
    bring_evening(case, 2)
    assert ("from the time of “Valentine”" in patient.get(PROPOSALS).content.decode()) == proposed


def test_keepsakes_without_a_date_are_proposed_by_likeness(patient: Client, case: Case) -> None:
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


def test_some_proposals_are_shown_at_once_with_those_of_one_keepsake_last(
    patient: Client, case: Case
) -> None:
    for n in range(PROPOSALS_SHOWN):
        bring(case, datetime(2003, 1 + n, 1, 12).isoformat())
    bring_evening(case, 2)
    page = patient.get(PROPOSALS).content.decode()
    assert "1</span> more proposal follows" in page.replace('<span class="mono">', "")
    assert page.index("These 2 are from one evening.") < page.index("This one stands alone on its day.")
    assert page.count("This one stands alone on its day.") == PROPOSALS_SHOWN - 1
    assert page[: page.index("</main>")].count("button--primary") == 1


def test_the_pages_say_so_when_there_is_nothing_yet_or_nothing_left_to_place(
    patient: Client, case: Case
) -> None:
    assert "Nothing here yet." in patient.get(SHEET).content.decode()
    assert "No memories yet." in patient.get("/me/timeline/").content.decode()
    make_keepsake(make_memory(case))
    assert "Everything is in a memory." in patient.get(PROPOSALS).content.decode()
    assert "Everything is in a memory." in patient.get(SHEET + "?show=loose").content.decode()


def test_the_upload_page_and_the_portal_lead_to_the_proposals(patient: Client, case: Case) -> None:
    bring(case)
    assert f'href="{PROPOSALS}"' in patient.get(reverse("patients:keepsakes")).content.decode()
    assert f'href="{PROPOSALS}"' in patient.get(reverse("patients:portal")).content.decode()
