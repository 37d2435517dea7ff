"""The library `icalendar`, which shares no code with us, reads the same events that we wrote."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clinic.calendar_feeds.icalendar_format import Event, fold, write_calendar

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ZONES = ["America/New_York", "Asia/Ho_Chi_Minh", "Australia/Lord_Howe", "Africa/Casablanca"]
# Half of the moments are near the change of the clocks in New York.
MOMENTS = st.one_of(
    st.integers(0, 4 * 365).map(lambda number: START + number * timedelta(minutes=15, hours=6)),
    st.integers(0, 40).map(
        lambda number: datetime(2026, 11, 1, 2, tzinfo=UTC) + number * timedelta(minutes=15)
    ),
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.just("\n"), max_size=120)
EVENTS = st.builds(
    lambda start, quarters, summary, location, sequence, cancelled: Event(
        f"{start:%s}-{sequence}",
        sequence,
        start - timedelta(days=1),
        start,
        start + quarters * timedelta(minutes=15),
        summary,
        location,
        cancelled,
    ),
    MOMENTS,
    st.integers(1, 60),
    TEXTS,
    TEXTS,
    st.integers(0, 9),
    st.booleans(),
)


# In the hour that clocks show twice: begun in the first and ended in the second, and all in the second.
TWICE = [
    Event(f"{minutes}", 0, START, change + minutes * MINUTE, change + 45 * MINUTE, "Night")
    for change in [datetime(2026, 11, 1, 6, tzinfo=UTC)]
    for minutes in (-30, 15)
]


@settings(max_examples=60, deadline=None)
@given(events=st.lists(EVENTS, max_size=3), zone=st.sampled_from(ZONES))
@example(events=TWICE, zone="America/New_York")
def test_s2_what_is_written_is_read_back(events: list[Event], zone: str) -> None:
    end = START + timedelta(days=400)
    written = write_calendar("Lacuna", events, ZoneInfo(zone), zone, START, end)
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))
    calendar = icalendar.Calendar.from_ical(written)
    assert str(calendar["X-WR-CALNAME"]) == "Lacuna"
    read = [
        Event(
            str(event["UID"]),
            int(event["SEQUENCE"]),
            event["DTSTAMP"].dt,
            event["DTSTART"].dt.astimezone(UTC),
            event["DTEND"].dt.astimezone(UTC),
            str(event["SUMMARY"]),
            str(event.get("LOCATION", "")),
            event["STATUS"] == "CANCELLED",
        )
        for event in calendar.walk("VEVENT")
    ]
    assert read == events


@pytest.mark.parametrize("zone", ZONES)
def test_s2_our_vtimezone_has_the_offsets_of_the_zone(zone: str) -> None:
    """A reader without a database of zones finds the right offsets. Each repeated hour is checked once."""
    written = write_calendar("", [], ZoneInfo(zone), zone, START, START + timedelta(days=365)).decode()
    unknown = written.replace(f"TZID:{zone}", "TZID:Elsewhere/Unknown")
    (rules,) = icalendar.Calendar.from_ical(unknown).walk("VTIMEZONE")
    ours = rules.to_tz(lookup_tzid=False)
    hours = [START + number * timedelta(hours=1) for number in range(24, 365 * 24, 7)]
    local_times = [hour.astimezone(ZoneInfo(zone)) for hour in hours]
    wrong = [
        local
        for local in local_times
        if not local.fold and local.utcoffset() != local.replace(tzinfo=ours).utcoffset()
    ]
    assert wrong == []


def test_a_long_line_is_folded_between_characters() -> None:
    line = "SUMMARY:" + "ế" * 100
    folded = fold(line)
    assert [len(part.encode()) for part in folded.removesuffix("\r\n").split("\r\n")] == [74, 73, 73, 73, 19]
    assert folded.replace("\r\n ", "") == line + "\r\n"
