"""The page of the left-behind list: patients only, with or without a case, until the account is closed."""

import re
from datetime import datetime

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.audit.models import Entry
from clinic.personal_data.forgetting import forget_person
from clinic.personal_data.registry import sections_of
from patients.cases.models import Case
from patients.left_behind.models import LeftBehindTick
from patients.left_behind.places import PLACES
from patients.left_behind.ticks import tick, ticks_of
from tests.factories import make_case, make_user

pytestmark = pytest.mark.django_db

PAGE = "/me/left-behind/"
TICK, UNTICK = f"{PAGE}phone-old/tick/", f"{PAGE}phone-old/untick/"
ADVICE = "bring to us before you delete it"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def patient() -> User:
    """A patient without a case."""
    return make_user(Role.PATIENT)


def page_of(user: User) -> str:
    answer = signed_in(user).get(PAGE)
    assert answer.status_code == 200
    return answer.content.decode()


def count_of(page: str) -> str:
    found = re.search(r'role="status">\s*<b>([^<]+)</b>', page)
    assert found
    return found[1]


def test_every_place_is_shown_with_its_guide_and_one_button(patient: User) -> None:
    page = page_of(patient)
    unescaped = page.replace("&#x27;", "'")
    assert [place.id for place in PLACES.values() if f"<p>{place.guide}</p>" not in unescaped] == []
    assert page.count("<details>") == page.count("/tick/") == len(PLACES) == 28
    assert "/untick/" not in page
    assert count_of(page) == "0 of 28 done"


def test_a_place_is_ticked_and_unticked_and_a_repetition_changes_nothing(patient: User) -> None:
    client = signed_in(patient)
    assert client.post(TICK)["Location"] == f"{PAGE}#phone-old"
    first = ticks_of(patient)
    assert list(first) == ["phone-old"]
    client.post(TICK)
    assert ticks_of(patient) == first, "the second tick keeps the time of the first"
    page = page_of(patient)
    assert count_of(page) == "1 of 28 done"
    assert (UNTICK in page, TICK in page) == (True, False)
    for _time in range(2):
        assert client.post(UNTICK)["Location"] == f"{PAGE}#phone-old"
        assert ticks_of(patient) == {}
    page = page_of(patient)
    assert count_of(page) == "0 of 28 done"
    assert (UNTICK in page, TICK in page) == (False, True)


def test_ticking_and_unticking_make_no_audit_entry(patient: User) -> None:
    client = signed_in(patient)
    before = Entry.objects.count()
    client.post(TICK)
    assert list(ticks_of(patient)) == ["phone-old"]
    client.post(UNTICK)
    assert ticks_of(patient) == {}
    assert Entry.objects.count() == before


def test_nobody_sees_or_changes_the_ticks_of_another(patient: User) -> None:
    other = make_user(Role.PATIENT)
    tick(other, "phone-old")
    assert count_of(page_of(patient)) == "0 of 28 done"
    signed_in(patient).post(UNTICK)
    assert list(ticks_of(other)) == ["phone-old"]


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_staff_can_neither_open_the_page_nor_tick(role: str) -> None:
    client = signed_in(make_user(role))
    assert client.get(PAGE).status_code == 403
    assert [client.post(url).status_code for url in (TICK, UNTICK)] == [403, 403]
    assert not LeftBehindTick.objects.exists()


@pytest.mark.parametrize("place", ["nowhere", "PHONE-OLD", "phone-old-", "a" * 300])
def test_a_place_that_is_not_on_the_list_is_a_404(patient: User, place: str) -> None:
    client = signed_in(patient)
    for change in ("tick", "untick"):
        assert client.post(f"{PAGE}{place}/{change}/").status_code == 404
    assert not LeftBehindTick.objects.exists()


def test_a_tick_of_a_place_taken_off_the_list_is_not_counted_but_is_in_the_personal_data(
    patient: User,
) -> None:
    LeftBehindTick.objects.create(patient=patient, place="telegrams")
    assert count_of(page_of(patient)) == "0 of 28 done"
    assert titles_in_personal_data(patient) == ["telegrams"]


@pytest.mark.parametrize("stage", [None, Case.Stage.BRINGING, Case.Stage.CLOSED, Case.Stage.WITHDRAWN])
def test_the_page_works_without_a_case_and_with_an_open_or_ended_one_and_the_portal_links_it(
    patient: User, stage: str | None
) -> None:
    if stage:
        case = make_case(patient, subject_name="Clementine")
        ended: datetime | None = None if stage == Case.Stage.BRINGING else timezone.now()
        Case.objects.filter(pk=case.pk).update(stage=stage, closed_at=ended)
    client = signed_in(patient)
    assert client.get("/me/").content.decode().count(f'href="{PAGE}"') == 1
    assert client.post(TICK, follow=True).status_code == 200
    page = page_of(patient)
    assert count_of(page) == "1 of 28 done"
    assert "Clementine" not in page
    assert (ADVICE in page) == (stage == Case.Stage.BRINGING), (
        "the advice is for patients who can still bring something"
    )


def titles_in_personal_data(person: User) -> list[str]:
    """What the personal data of a person says under the heading of the list."""
    records = {str(section.title): section.records for section in sections_of(person)}
    return [str(record.title) for record in records.get("What you have ticked off your list", [])]


def test_the_ticks_are_in_the_personal_data_until_the_account_is_closed(patient: User) -> None:
    other = make_user(Role.PATIENT)
    for person in (patient, other):
        tick(person, "phone-old")
    assert titles_in_personal_data(patient) == ["Old phones, cards and computers"]
    forget_person(patient)
    assert titles_in_personal_data(patient) == []
    assert list(LeftBehindTick.objects.values_list("patient", flat=True)) == [other.pk]


def test_a_tick_that_arrives_after_the_account_was_closed_is_not_kept(patient: User) -> None:
    forget_person(patient)
    tick(patient, "phone-old")
    assert not LeftBehindTick.objects.exists()
