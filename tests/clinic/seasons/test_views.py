"""The pages of the seasons, and the agreement on the page of one's own hours."""

from datetime import date, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.seasons.agreements import agreed_resources
from clinic.seasons.models import Season
from tests.edits import edit, hidden_in
from tests.factories import make_room, make_technician, make_user

pytestmark = pytest.mark.django_db

PAGE = "/seasons/"
DAY = timedelta(days=1)


@pytest.fixture
def administrator(client: Client) -> Client:
    client.force_login(make_user(Role.ADMINISTRATOR))
    return client


def today() -> date:
    return timezone.localdate()


def fields(**more: object) -> dict[str, object]:
    return {
        "name": "Valentine",
        "first": (today() + 10 * DAY).isoformat(),
        "last": (today() + 24 * DAY).isoformat(),
        "extra_days": ["5", "4"],
        "extra_starts": "20:00",
        "extra_ends": "06:00",
        "cooling_off_hours": "168",
        "nights_per_patient": "1",
        "waitlist_open": "on",
        "reason": "the rush",
        **more,
    }


def test_an_administrator_enters_changes_and_ends_a_season(administrator: Client) -> None:
    answer = administrator.post(PAGE, fields())
    season = Season.objects.get()
    assert answer["Location"] == f"/seasons/{season.pk}/"
    assert (season.extra_days, season.cooling_off_hours, season.waitlist_open) == ("45", 168, True)
    assert "Nights for one patient: at most 1." in administrator.get(PAGE).content.decode()

    page = f"/seasons/{season.pk}/"
    edit(administrator, page, fields(nights_per_patient="2", reason="more rooms", do="save"))
    season.refresh_from_db()
    assert (season.nights_per_patient, season.extra_days, season.changes.count()) == (2, "45", 2)
    shown = administrator.get(page).content.decode()
    assert "Nights for one patient: 1, now 2" in shown
    assert "more rooms" in shown

    room = make_room()
    administrator.post(page, {"open-version": "1", "open-places": [str(room.pk)], "do": "places"})
    assert agreed_resources(season) == {room.pk}

    ending = {"end-seen": season.last.isoformat(), "end-reason": "no rush", "do": "end"}
    assert "The season is given up." in administrator.post(page, ending, follow=True).content.decode()
    assert "was given up before it began" in administrator.get(page).content.decode()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"last": ""}, "This field is required"),
        ({"last": (today() + 9 * DAY).isoformat()}, "The last day is before the first one."),
        ({"first": "3000-01-01"}, "The calendar does not have this day."),
        ({"cooling_off_hours": "nan"}, "Enter a number."),
        ({"cooling_off_hours": "1e9"}, "less than or equal to"),
        ({"extra_days": ["9"]}, "Select a valid choice"),
        ({"extra_starts": ""}, "Extra hours need weekdays, a start and an end."),
        ({"nights_per_patient": "-1"}, "greater than or equal to"),
        ({"reason": ""}, "This field is required"),
    ],
)
def test_wrong_input_is_refused_at_its_field_and_kept(
    administrator: Client, wrong: dict[str, object], sentence: str
) -> None:
    answer = administrator.post(PAGE, fields(**wrong))
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert 'value="Valentine"' in answer.content.decode()
    assert not Season.objects.exists()


def test_two_windows_do_not_overwrite_each_other(administrator: Client) -> None:
    administrator.post(PAGE, fields())
    page = f"/seasons/{Season.objects.get().pk}/"
    old = hidden_in(administrator.get(page))
    edit(administrator, page, fields(nights_per_patient="2", reason="more rooms", do="save"))
    answer = administrator.post(page, old | fields(nights_per_patient="3", do="save"))
    assert answer.status_code == 409
    assert Season.objects.get().nights_per_patient == 2


def test_staff_read_the_rules_and_have_no_form(administrator: Client) -> None:
    administrator.post(PAGE, fields())
    season = Season.objects.get()
    desk = Client()
    desk.force_login(make_user(Role.RECEPTIONIST))
    shown = desk.get(PAGE).content.decode()
    assert "Valentine" in shown
    assert 'name="nights_per_patient"' not in shown
    assert f"/seasons/{season.pk}/" not in shown
    assert desk.post(PAGE, fields()).status_code == 403
    auditor = Client()
    auditor.force_login(make_user(Role.AUDITOR))
    shown = auditor.get(f"/seasons/{season.pk}/").content.decode()
    assert "the rush" in shown
    assert "Give it up" not in shown


def test_a_technician_agrees_on_the_page_of_their_own_hours(administrator: Client) -> None:
    administrator.post(PAGE, fields())
    season, stan = Season.objects.get(), make_technician()
    own = Client()
    own.force_login(stan)
    shown = own.get("/hours/mine/").content.decode()
    assert "Friday, Saturday, 20:00–06:00" in shown
    assert "Is not booked in these hours." in shown
    page = f"/seasons/{season.pk}/agree/"
    answer = own.post(page, {"version": "1", "agrees": "yes"}, follow=True).content.decode()
    assert "You can be booked in these hours now." in answer
    assert agreed_resources(season) == {stan.resources.get().pk}
    edit(administrator, f"/seasons/{season.pk}/", fields(extra_starts="19:00", do="save"))
    assert "They count only when agreed to again." in own.get("/hours/mine/").content.decode()
    stale = own.post(page, {"version": "1", "agrees": "yes"}, follow=True).content.decode()
    assert "The extra hours were changed meanwhile." in stale
    for wrong in ({}, {"version": "x", "agrees": "yes"}, {"version": "2", "agrees": "perhaps"}):
        assert "Please choose whether you agree." in own.post(page, wrong, follow=True).content.decode()
    assert agreed_resources(season) == set()
