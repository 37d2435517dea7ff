"""Entering, changing and ending seasons: what is refused, what stays, and what is written down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from clinic.availability.timetables import season_spans
from clinic.calendar import span_changes
from clinic.seasons.agreements import agree_to, agreed_resources, open_places
from clinic.seasons.changes import (
    SeasonRefused,
    SeasonValues,
    change_season,
    end_season,
    make_season,
    values_of,
)
from clinic.seasons.models import Season, SeasonAgreement, SeasonChange
from clinic.seasons.rules import season_on
from clinic.seasons.words import season_history, season_rules
from tests.configuration import configure
from tests.factories import make_room, make_technician, make_user

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NIGHTS = {"extra_days": "45", "extra_starts": time(20), "extra_ends": time(6)}


def today() -> date:
    return timezone.localdate()


def values(first: int = 10, last: int = 24, **more: Any) -> SeasonValues:
    """The values of a season whose first and last day are so many days after today."""
    return SeasonValues("Valentine", today() + first * DAY, today() + last * DAY, **more)


def make(first: int = 10, last: int = 24, *, by: User | None = None, **more: Any) -> Season:
    return make_season(values(first, last, **more), reason="the rush", by=by or administrator())


def administrator() -> User:
    return make_user(Role.ADMINISTRATOR)


@contextmanager
def refused(sentence: str, field: str = "") -> Iterator[None]:
    """Expect that the block is refused with a sentence that matches, and adds no row to history or log."""
    before = (SeasonChange.objects.count(), Entry.objects.filter(action__startswith="season.").count())
    with pytest.raises(SeasonRefused, match=sentence) as refusal:
        yield
    assert refusal.value.field == field
    after = (SeasonChange.objects.count(), Entry.objects.filter(action__startswith="season.").count())
    assert after == before


def test_a_season_is_entered_with_its_history_and_audit_entry() -> None:
    configure(cooling_off_hours=72)
    by = administrator()
    season = make(by=by, cooling_off_hours=168, nights_per_patient=1, waitlist_open=True, **NIGHTS)

    assert season_on(today() + 10 * DAY) == season
    season.refresh_from_db()
    assert season_rules(season) == [
        "Extra hours: Friday, Saturday, 20:00–06:00, for those who agreed to them.",
        "Whoever signs in it has 168 h to think it over.",
        "Nights for one patient: at most 1.",
        "The waitlist is open.",
    ]
    entry = Entry.objects.get(action="season.made")
    assert (entry.actor, entry.subject, entry.reason) == (
        f"user:{by.pk}",
        f"season:{season.pk}",
        "the rush",
    )
    assert (entry.details["cooling_off_hours_to"], entry.details["nights_per_patient_to"]) == (168, 1)
    assert "Valentine" not in str(entry.details)
    (line,) = season_history(season.changes.select_related("by"))
    assert (line.what, line.who, line.reason) == ("Entered", by.name, "the rush")
    assert "Time to think it over: 168 h" in line.lines


@pytest.mark.parametrize(
    ("wrong", "sentence", "field"),
    [
        ({"first": 24, "last": 10}, "The last day is before the first one", "last"),
        ({"first": -1, "last": 10}, "A season begins today at the earliest", "first"),
        ({"first": 0, "last": 400}, "at most one year", "last"),
        ({"cooling_off_hours": 71.0}, "clinic's own time is 72 h", "cooling_off_hours"),
        ({"cooling_off_hours": 9000.0}, "longest time is 8760 h", "cooling_off_hours"),
        ({"extra_days": "45"}, "weekdays, a start and an end", "extra_starts"),
        ({**NIGHTS, "extra_ends": None}, "weekdays, a start and an end", "extra_ends"),
        ({**NIGHTS, "extra_days": ""}, "weekdays, a start and an end", "extra_days"),
        ({**NIGHTS, "extra_starts": time(20, 10)}, "on a quarter", "extra_starts"),
        ({"nights_per_patient": 0}, "at least 1", "nights_per_patient"),
        ({"appointments_per_patient": 0}, "at least 1", "appointments_per_patient"),
    ],
)
def test_what_cannot_be_is_refused_in_words(wrong: dict[str, Any], sentence: str, field: str) -> None:
    configure(cooling_off_hours=72)
    with refused(sentence, field):
        make(**wrong)
    assert not Season.objects.exists()


def test_a_reason_and_a_name_are_asked_for() -> None:
    with refused("Please say why", "reason"):
        make_season(values(), reason="  ", by=administrator())
    with refused("give the season a name", "name"):
        make_season(replace(values(), name=" "), reason="the rush", by=administrator())


@pytest.mark.parametrize(
    ("first", "last", "field"), [(5, 10, "last"), (24, 30, "first"), (12, 13, "first"), (1, 60, "last")]
)
def test_two_seasons_never_overlap(first: int, last: int, field: str) -> None:
    make()
    with refused("overlaps the season “Valentine”", field):
        make(first, last)
    neighbour = make(25, 30)
    with refused("overlaps the season “Valentine”", "first"):
        change_season(neighbour, values(24, 30), reason="longer", by=administrator())


def test_a_season_that_was_given_up_leaves_its_days_free() -> None:
    season = make()
    end_season(season, reason="no rush this year", by=administrator())
    assert season_on(today() + 10 * DAY) is None
    assert make() != season
    assert Season.objects.count() == 2
    with refused("is over and stays as it was"):
        end_season(season, reason="again", by=administrator())
    with refused("is over and stays as it was"):
        change_season(season, values(30, 40), reason="again", by=administrator())


def test_the_past_days_of_a_season_that_has_begun_stay() -> None:
    season = make(0, 10)
    Season.objects.filter(pk=season.pk).update(first=today() - 5 * DAY)  # time has passed
    season.refresh_from_db()
    with refused("has begun, so its first day stays", "first"):
        change_season(season, values(0, 10), reason="later", by=administrator())
    with refused("Today is the earliest last day", "last"):
        change_season(season, values(-5, -1), reason="shorter", by=administrator())
    change_season(season, values(-5, 20), reason="longer", by=administrator())
    assert season_on(today() + 20 * DAY) == season


def test_ending_a_running_season_keeps_today_and_what_was() -> None:
    season, by = make(0, 10), administrator()
    with refused("Somebody has changed this season meanwhile"):
        end_season(season, seen_last=today(), reason="quiet", by=by)
    end_season(season, seen_last=season.last, reason="quiet", by=by)
    assert (season_on(today()), season_on(today() + DAY)) == (season, None)
    change = season.changes.first()
    assert change is not None
    assert change.values == {"last": [(today() + 10 * DAY).isoformat(), today().isoformat()]}
    assert Entry.objects.get(action="season.ended").reason == "quiet"
    with refused("ends today already"):
        end_season(season, reason="quiet", by=by)


def test_a_change_writes_from_and_to_and_no_change_writes_nothing() -> None:
    season, by = make(nights_per_patient=2), administrator()
    changed = replace(values_of(season), nights_per_patient=1, name="St. Valentine")
    assert change_season(season, changed, reason="too full", by=by) == 2
    assert change_season(season, changed, reason="too full", by=by) == 0
    assert season.changes.count() == 2
    change = season.changes.get(number=2)
    assert change.values == {"name": ["Valentine", "St. Valentine"], "nights_per_patient": [2, 1]}
    details = Entry.objects.get(action="season.changed").details
    assert details == {"renamed": True, "nights_per_patient_from": 2, "nights_per_patient_to": 1}


def test_a_policy_that_became_longer_refuses_no_other_change_of_the_season() -> None:
    configure(cooling_off_hours=72)
    season = make(cooling_off_hours=96)
    configure(cooling_off_hours=120)
    changed = replace(values_of(season), nights_per_patient=1)
    assert change_season(season, changed, reason="too full", by=administrator()) == 1
    with refused("clinic's own time is 120 h", "cooling_off_hours"):
        change_season(season, replace(changed, cooling_off_hours=100.0), reason="?", by=administrator())


def test_people_agree_to_the_hours_they_saw_and_are_asked_again_when_these_change() -> None:
    season, stan = make(**NIGHTS), make_technician()
    seat = stan.resources.get()
    assert agree_to(season, agrees=True, seen_version=1, by=stan)
    assert not agree_to(season, agrees=True, seen_version=1, by=stan)
    assert agreed_resources(season) == {seat.pk}

    change_season(season, replace(values_of(season), extra_starts=time(19)), reason="r", by=administrator())
    season.refresh_from_db()
    assert agreed_resources(season) == set()
    with refused("The extra hours were changed meanwhile"):
        agree_to(season, agrees=True, seen_version=1, by=stan)
    assert agree_to(season, agrees=True, seen_version=2, by=stan)
    assert agreed_resources(season) == {seat.pk}
    assert agree_to(season, agrees=False, seen_version=2, by=stan)
    assert agreed_resources(season) == set()
    actions = list(Entry.objects.filter(subject=f"season:{season.pk}").values_list("action", flat=True))
    assert actions == [
        *("season.made", "season.agreed", "season.changed"),
        *("season.agreed", "season.agreement-ended"),
    ]


def test_an_agreement_to_extra_hours_tells_the_listeners_of_the_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """So those who wait for a time are offered the new hours without anybody pressing a button."""
    changed: list[tuple[datetime, datetime]] = []
    monkeypatch.setitem(span_changes._listeners, "test", lambda start, end: changed.append((start, end)))
    season, stan = make(**NIGHTS), make_technician()
    agree_to(season, agrees=True, seen_version=1, by=stan)
    hours = season_spans(season, season.first, season.last)
    ((start, end),) = changed
    assert start <= hours[0][0]
    assert hours[-1][1] <= end
    agree_to(season, agrees=True, seen_version=1, by=stan)
    assert len(changed) == 1, "agreeing again changes nothing"


def test_an_administrator_opens_rooms_and_cannot_agree_for_people() -> None:
    season, room, stan = make(**NIGHTS), make_room(), make_technician()
    chosen = {room.pk, stan.resources.get().pk}
    assert open_places(season, chosen, seen_version=1, by=administrator())
    assert agreed_resources(season) == {room.pk}
    with refused("You cannot be booked"):
        agree_to(season, agrees=True, seen_version=1, by=administrator())
    without_hours = make(40, 50)
    with refused("no extra hours any more"):
        agree_to(without_hours, agrees=True, seen_version=1, by=stan)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("season_ends_after_it_begins", {"last": date(2027, 1, 31)}),
        ("season_has_name", {"name": ""}),
        ("season_hours_complete", {"extra_days": "4"}),
        ("season_cooling_off_not_negative", {"cooling_off_hours": -1}),
    ],
)
def test_the_database_keeps_the_rules_of_a_season(name: str, wrong: dict[str, Any]) -> None:
    row = {"name": "Valentine", "first": date(2027, 2, 1), "last": date(2027, 2, 14), **wrong}
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        Season.objects.create(**row)


def test_the_database_keeps_one_agreement_and_reasons() -> None:
    season, room, by = make(**NIGHTS), make_room(), administrator()
    row = {"season": season, "resource": room, "hours_version": 1, "agreed_by": by}
    SeasonAgreement.objects.create(**row)
    with pytest.raises(IntegrityError), transaction.atomic():
        SeasonAgreement.objects.create(**row)
    with pytest.raises(IntegrityError, match="season_change_has_reason"), transaction.atomic():
        SeasonChange.objects.create(season=season, number=9, what="changed", values={}, reason="", by=by)
    with pytest.raises(IntegrityError), transaction.atomic():
        SeasonChange.objects.create(season=season, number=1, what="changed", values={}, reason="r", by=by)
