"""Writes iCalendar (RFC 5545): events in one time zone, with the rules of that zone.

The tests read it with the library `icalendar`, which shares no code with this.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

LINE_LENGTH = 75  # octets in a line at most, without CRLF
STEP = timedelta(hours=6)  # no zone changes its offset twice in this time


@dataclass(frozen=True)
class Event:
    """One event. All times are aware. changed_at: of its last change; sequence grows with each change."""

    uid: str
    sequence: int
    changed_at: datetime
    starts_at: datetime
    ends_at: datetime
    summary: str
    location: str = ""
    cancelled: bool = False


def escape(text: str) -> str:
    """Return a text as the value of a property: escaped, and without control characters."""
    for raw, escaped in {"\\": "\\\\", ";": "\\;", ",": "\\,", "\r\n": "\\n", "\n": "\\n"}.items():
        text = text.replace(raw, escaped)
    return "".join(letter for letter in text if letter >= " " or letter == "\t")


def fold(line: str) -> str:
    """Return a line with CRLF. A long line is folded into several; no character is cut in two."""
    parts: list[bytes] = []
    part = b""
    for letter in line:
        encoded = letter.encode()
        # Each line except the first begins with a space, which counts as an octet.
        if len(part) + len(encoded) > LINE_LENGTH - (1 if parts else 0):
            parts.append(part)
            part = b""
        part += encoded
    return "\r\n ".join(one.decode() for one in [*parts, part]) + "\r\n"


def _in_utc(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _offset(moment: datetime) -> str:
    """Return the offset of a local time from UTC, as +HHMM."""
    return f"{moment:%z}"[:5]


def _property(name: str, moment: datetime, zone: tzinfo, zone_name: str) -> str:
    """Return a property with a local time and the name of its zone.

    If the clocks show a local time twice, RFC 5545 reads it as the first. The second is written in UTC.
    """
    local = moment.astimezone(zone)
    if local.fold:
        return f"{name}:{_in_utc(moment)}"
    return f"{name};TZID={zone_name}:{local:%Y%m%dT%H%M%S}"


def _changes(zone: tzinfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the moments (UTC) in [start, end) at which the offset of the zone changes."""
    at = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while at < end:
        if at.astimezone(zone).utcoffset() != (at + STEP).astimezone(zone).utcoffset():
            # Binary search: the change lies between `before` and `after`.
            before, after = at, at + STEP
            while after - before > timedelta(seconds=1):
                middle = before + (after - before) // 2
                is_before = middle.astimezone(zone).utcoffset() == at.astimezone(zone).utcoffset()
                before, after = (middle, after) if is_before else (before, middle)
            yield after.replace(microsecond=0)
        at += STEP


def _zone(zone: tzinfo, zone_name: str, start: datetime, end: datetime) -> Iterator[str]:
    """Yield the lines of a VTIMEZONE with the offsets of the zone in [start, end)."""
    yield "BEGIN:VTIMEZONE"
    yield f"TZID:{zone_name}"
    for moment in [start, *_changes(zone, start, end)]:
        local = moment.astimezone(zone)
        before = local if moment == start else (moment - timedelta(seconds=1)).astimezone(zone)
        name = "DAYLIGHT" if local.dst() else "STANDARD"
        # DTSTART is the local time of the change, by the offset before it.
        onset = moment.astimezone(UTC) + (before.utcoffset() or timedelta())
        yield f"BEGIN:{name}"
        yield f"DTSTART:{onset:%Y%m%dT%H%M%S}"
        yield f"TZOFFSETFROM:{_offset(before)}"
        yield f"TZOFFSETTO:{_offset(local)}"
        yield f"TZNAME:{escape(local.tzname() or zone_name)}"
        yield f"END:{name}"
    yield "END:VTIMEZONE"


def _event(event: Event, zone: tzinfo, zone_name: str) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{event.uid}"
    yield f"SEQUENCE:{event.sequence}"
    yield f"DTSTAMP:{_in_utc(event.changed_at)}"
    yield _property("DTSTART", event.starts_at, zone, zone_name)
    yield _property("DTEND", event.ends_at, zone, zone_name)
    yield f"SUMMARY:{escape(event.summary)}"
    if event.location:
        yield f"LOCATION:{escape(event.location)}"
    yield f"STATUS:{'CANCELLED' if event.cancelled else 'CONFIRMED'}"
    yield "END:VEVENT"


def write_calendar(
    title: str,
    events: Sequence[Event],
    zone: tzinfo,
    zone_name: str,
    start: datetime,
    end: datetime,
    *,
    method: str = "PUBLISH",
) -> bytes:
    """Return the bytes of an iCalendar file.

    zone, zone_name: the zone of local times, and its name in the IANA database. start, end: the span (aware)
    for which the offsets of the zone are written; all events lie within it. method: "CANCEL" if all of them
    are canceled.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Lacuna//Calendar//EN",
        "CALSCALE:GREGORIAN",
        f"METHOD:{method}",
        f"X-WR-CALNAME:{escape(title)}",
        f"X-WR-TIMEZONE:{zone_name}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        *_zone(zone, zone_name, start, end),
        *(line for event in events for line in _event(event, zone, zone_name)),
        "END:VCALENDAR",
    ]
    return "".join(fold(line) for line in lines).encode()
