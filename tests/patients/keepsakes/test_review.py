"""The review inbox: accepting keepsakes, returning them with a reason, and unblurring them for a reason."""

import re
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.keepsakes.removal import remove_keepsake
from patients.keepsakes.review import CannotReview, accept, accept_rest, return_keepsake, review_mark
from tests.factories import make_case, make_keepsake, make_memory, make_user

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def make_waiting(case: Case, caption: str = "At the beach") -> Keepsake:
    keepsake = make_keepsake(make_memory(case), caption=caption)
    Keepsake.objects.filter(pk=keepsake.pk).update(review="waiting")
    keepsake.refresh_from_db()
    return keepsake


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def doctor(client: Client) -> Client:
    client.force_login(make_user(Role.DOCTOR))
    return client


def decide(client: Client, keepsake: Keepsake, htmx: bool = False, **data: str) -> tuple[int, str]:
    """Post a decision from a page opened now; return the status and the page."""
    url = reverse("patients:review-decide", args=[keepsake.case_id, keepsake.pk])
    row = Keepsake.objects.get(pk=keepsake.pk)
    data = {"seen": review_mark(row, row.read()), **data}
    answer = client.post(url, data, headers=HTMX if htmx else {})
    return answer.status_code, answer.content.decode()


def actions(keepsake: Keepsake) -> list[str]:
    return list(Entry.objects.filter(subject=f"keepsake:{keepsake.pk}").values_list("action", flat=True))


def test_the_inbox_shows_waiting_keepsakes_blurred(doctor: Client, case: Case) -> None:
    keepsake = make_waiting(case)
    make_keepsake(make_memory(case), caption="Accepted long ago")
    shown = doctor.get(reverse("patients:review", args=[case.pk])).content.decode()
    assert re.findall(r'src="(/pictures/[^"]*)"', shown) == [f"/pictures/{keepsake.thumb_id}/blurred"]
    assert re.findall(r'class="(print[^"]*)"', shown) == ["print print--blurred"]
    assert "Accepted long ago" not in shown
    assert "Accept the one that waits" in shown


def test_accepting_is_recorded_once(doctor: Client, case: Case) -> None:
    keepsake = make_waiting(case)
    assert decide(doctor, keepsake, decision="accept")[0] == 302
    assert decide(doctor, keepsake, decision="accept")[0] == 302
    keepsake.refresh_from_db()
    assert keepsake.review == "accepted"
    assert actions(keepsake) == ["keepsake.accepted"]


def test_the_reason_of_a_return_is_encrypted_and_not_in_the_log(doctor: Client, case: Case) -> None:
    keepsake = make_waiting(case)
    assert decide(doctor, keepsake, decision="return", reason=" Zanzibar is not hers. ")[0] == 302
    keepsake.refresh_from_db()
    assert keepsake.review == "returned"
    assert keepsake.read().returned_because == "Zanzibar is not hers."
    assert b"Zanzibar" not in bytes(keepsake.sealed)
    entry = Entry.objects.get(action="keepsake.returned")
    assert "Zanzibar" not in f"{entry.details} {entry.reason} {entry.subject}"
    decide(doctor, keepsake, decision="accept")
    keepsake.refresh_from_db()
    assert keepsake.read().returned_because == ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"decision": "return", "reason": "  "}, "Say in a sentence or two why it goes back."),
        ({"decision": "return", "reason": "x" * 501}, "Say in a sentence or two why it goes back."),
        ({"decision": "burn"}, "Choose whether to accept it or to return it."),
        ({}, "Choose whether to accept it or to return it."),
    ],
)
@pytest.mark.parametrize("htmx", [True, False])
def test_a_refused_decision_is_explained(
    doctor: Client, case: Case, data: dict[str, str], words: str, htmx: bool
) -> None:
    keepsake = make_waiting(case)
    status, shown = decide(doctor, keepsake, htmx, **data)
    assert status == 409
    assert words in shown
    assert actions(keepsake) == []


def test_htmx_requests_get_the_row_and_the_counts(doctor: Client, case: Case) -> None:
    keepsake = make_waiting(case)
    make_waiting(case)
    status, shown = decide(doctor, keepsake, True, decision="accept")
    assert status == 200
    assert shown.lstrip().startswith(f'<li id="k-{keepsake.pk}"')
    assert 'id="review-tabs"' in shown
    assert 'hx-swap-oob="true"' in shown
    numbers = re.findall(r'<span class="mono">(\d+)</span>', shown)
    assert numbers == ["1", "0", "1", "2"]


def test_a_recorded_reason_unblurs_a_keepsake_once(doctor: Client, case: Case) -> None:
    keepsake = make_waiting(case)
    make_waiting(case)
    url = reverse("patients:review-unblur", args=[case.pk, keepsake.pk])
    shown = doctor.post(url, {"why": "others"}).content.decode()
    assert sorted(re.findall(r'class="(print[^"]*)"', shown)) == ["print", "print print--blurred"]
    entry = Entry.objects.get(action="keepsake.unblurred")
    assert (entry.subject, entry.reason, entry.case) == (f"keepsake:{keepsake.pk}", "others", case.pk)
    again = doctor.get(reverse("patients:review", args=[case.pk])).content.decode()
    assert again.count("print--blurred") == 2


@pytest.mark.parametrize("why", ["", "curious"])
def test_without_a_reason_nothing_is_unblurred(doctor: Client, case: Case, why: str) -> None:
    keepsake = make_waiting(case)
    url = reverse("patients:review-unblur", args=[case.pk, keepsake.pk])
    answer = doctor.post(url, {"why": why}, headers=HTMX)
    assert answer.status_code == 409
    assert "print--blurred" in answer.content.decode()
    assert actions(keepsake) == []


def test_accepting_the_rest_leaves_out_what_came_after_the_page_was_opened(
    doctor: Client, case: Case
) -> None:
    first, second = make_waiting(case), make_waiting(case)
    shown = doctor.get(reverse("patients:review", args=[case.pk])).content.decode()
    seen = re.findall(r'name="seen" value="([^"]+)"', shown)[0]
    later = make_waiting(case, "came while the page was open")
    doctor.post(reverse("patients:review-rest", args=[case.pk]), {"seen": seen})
    states = {one.pk: one.review for one in Keepsake.objects.filter(case=case)}
    assert states == {first.pk: "accepted", second.pk: "accepted", later.pk: "waiting"}
    assert Entry.objects.filter(action="keepsake.accepted").count() == 2


@pytest.mark.parametrize("seen", ["", "yesterday", "2026-01-01T00:00:00", "2026-99-99T00:00:00+00:00"])
def test_accepting_the_rest_needs_the_time_of_the_page(doctor: Client, case: Case, seen: str) -> None:
    keepsake = make_waiting(case)
    answer = doctor.post(reverse("patients:review-rest", args=[case.pk]), {"seen": seen}, follow=True)
    assert "Please look at the page again." in answer.content.decode()
    keepsake.refresh_from_db()
    assert keepsake.review == "waiting"


def test_nothing_can_be_reviewed_once_the_map_is_locked(doctor: Client, case: Case) -> None:
    keepsake = make_waiting(case)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    status, shown = decide(doctor, keepsake, True, decision="accept")
    assert status == 409
    assert "The map is locked" in shown
    with pytest.raises(CannotReview):
        return_keepsake(keepsake, "A reason", by=make_user())
    with pytest.raises(CannotReview):
        accept(keepsake, by=make_user())
    with pytest.raises(CannotReview):
        accept_rest(case, seen_until=timezone.now(), by=make_user())


def test_a_removed_keepsake_cannot_be_reviewed(case: Case) -> None:
    keepsake = make_waiting(case)
    remove_keepsake(keepsake, by=case.patient)
    with pytest.raises(CannotReview, match="taken this one back"):
        accept(keepsake, by=make_user())


def test_a_keepsake_of_another_case_is_not_found(doctor: Client, case: Case) -> None:
    """Z3: the case in the URL must be that of the keepsake."""
    foreign = make_waiting(make_case())
    for name in ("review-decide", "review-unblur"):
        url = reverse(f"patients:{name}", args=[case.pk, foreign.pk])
        assert doctor.post(url, {"decision": "accept", "why": "others"}).status_code == 404
    assert doctor.post(reverse("patients:review-decide", args=[case.pk, uuid4()])).status_code == 404
    assert actions(foreign) == []


@pytest.mark.parametrize("query", ["?show=nothing&page=x", "?page=99", "?show=all&page=-1", "?show=returned"])
def test_invalid_queries_show_a_page(doctor: Client, case: Case, query: str) -> None:
    make_waiting(case)
    assert doctor.get(reverse("patients:review", args=[case.pk]) + query).status_code == 200


def test_the_number_of_queries_does_not_depend_on_the_number_of_keepsakes(doctor: Client, case: Case) -> None:
    doctor.get(reverse("patients:review", args=[case.pk]))  # the first view creates the audit log's head
    counts = []
    for more in (1, 2):
        for _time in range(more):
            make_waiting(case)
        with CaptureQueriesContext(connection) as queries:
            doctor.get(reverse("patients:review", args=[case.pk]))
        counts.append(len(queries))
    assert counts[0] == counts[1]
