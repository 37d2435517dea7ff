"""The time to think it over: longer in a season, shown before signing, and kept by what was signed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.seasons.changes import SeasonValues, change_season, end_season, make_season, values_of
from clinic.seasons.models import Season
from patients.cases.models import Case
from patients.consent.cooling_off import cooling_off_on
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import current_text, may_start_from
from patients.consent_papers.consent_list import list_of
from patients.maps.locking import lock_map
from patients.memories.models import LockedMap
from tests.configuration import configure
from tests.factories import (
    PASSPHRASE,
    make_case,
    make_keepsake,
    make_memory,
    make_signed,
    make_user,
    publish_first_texts,
)

pytestmark = pytest.mark.django_db

PAGE, SIGN = "/me/consent/", "/me/consent/sign/"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def clinic() -> None:
    cache.clear()
    publish_first_texts()
    configure(cooling_off_hours=72)


def make(hours: float | None = 168, first: int = 0, last: int = 10) -> Season:
    today = timezone.localdate()
    values = SeasonValues("Valentine", today + first * DAY, today + last * DAY, cooling_off_hours=hours)
    return make_season(values, reason="the rush", by=make_user(Role.ADMINISTRATOR))


def make_bookable() -> Case:
    case = make_case(make_user(Role.PATIENT, name="Nora Vale"))
    make_keepsake(make_memory(case))
    return case


def lock(case: Case) -> LockedMap:
    mapped = lock_map(case, by=make_user(Role.DOCTOR))
    case.refresh_from_db()
    return mapped


def form(mapped: LockedMap, hours_seen: str) -> dict[str, str]:
    return {
        "text_seen": current_text(ConsentText.Kind.PROCEDURE).digest,
        "map_seen": mapped.digest,
        "list_seen": list_of(mapped.case, mapped).digest,
        "hours_seen": hours_seen,
        "name": "Nora Vale",
        "passphrase": PASSPHRASE,
        "gone": "stays",
        "stop": "until",
        "kept": "kept",
    }


def test_only_a_season_of_the_day_makes_the_time_longer() -> None:
    today = timezone.localdate()
    season = make(first=0, last=0)
    assert (cooling_off_on(today).hours, cooling_off_on(today).season) == (168, season)
    assert (cooling_off_on(today + DAY).hours, cooling_off_on(today + DAY).season) == (72, None)
    configure(cooling_off_hours=200)
    assert (cooling_off_on(today).hours, cooling_off_on(today).season) == (200, None)


def test_what_was_signed_keeps_its_time_whatever_the_season_becomes() -> None:
    season, by = make(), make_user(Role.ADMINISTRATOR)
    _mapped, signed = make_signed(make_bookable())
    change_season(season, replace(values_of(season), cooling_off_hours=96, name="Other"), reason="r", by=by)
    end_season(season, reason="r", by=by)
    configure(cooling_off_hours=300)
    signed.refresh_from_db()
    assert (signed.cooling_off_hours, signed.season, signed.season_name) == (168, season, "Valentine")
    assert may_start_from(signed) == signed.signed_at + timedelta(hours=168)
    details = Entry.objects.filter(action="consent.signed", subject=f"signature:{signed.pk}").get().details
    assert (details["cooling_off_minutes"], details["season"]) == (168 * 60, str(season.pk))


def test_a_patient_reads_how_long_until_when_and_why_before_signing(client: Client) -> None:
    make()
    case = make_bookable()
    mapped = lock(case)
    client.force_login(case.patient)
    shown = client.get(PAGE).content.decode()
    assert "you have 7 days to think it over" in shown
    assert "the night cannot begin before" in shown
    assert "longer than the usual 72 hours: in the season “Valentine”" in shown
    assert client.post(SIGN, form(mapped, "168")).status_code == 302
    after = client.get(PAGE).content.decode()
    assert "because you signed in the season “Valentine”" in after
    assert Signature.objects.get(case=case, map=mapped).cooling_off_hours == 168


@pytest.mark.parametrize("seen", ["72", "", "1680"])
def test_nobody_signs_under_another_time_than_the_page_showed(client: Client, seen: str) -> None:
    case = make_bookable()
    mapped = lock(case)
    client.force_login(case.patient)
    client.get(PAGE)
    make()  # the season begins while the page is open
    answer = client.post(SIGN, form(mapped, seen))
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "The time to think it over has changed since you opened this page." in shown
    assert "you have 7 days to think it over" in shown
    assert 'name="hours_seen" value="168"' in shown
    assert not Signature.objects.filter(case=case, map=mapped).exists()
    # The page shows the new time now, and what it carries can be signed.
    assert client.post(SIGN, form(mapped, "168")).status_code == 302


def test_without_a_season_the_usual_time_is_shown_and_no_reason(client: Client) -> None:
    case = make_bookable()
    lock(case)
    client.force_login(case.patient)
    shown = client.get(PAGE).content.decode()
    assert "you have 3 days to think it over" in shown
    assert "season" not in shown


def test_the_portal_says_what_the_season_changes(client: Client) -> None:
    case = make_case()
    client.force_login(case.patient)
    assert "Valentine" not in client.get("/me/").content.decode()
    make()
    shown = client.get("/me/").content.decode()
    assert "If you sign in this time, you have 168 hours to think it over." in shown
