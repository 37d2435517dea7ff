"""Events as they stand in the stream: server-sent events with the run's figures beside what happened."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import translation

from erasure.live.channel import Entry, Rendering
from erasure.runs.event_texts import line, titles
from erasure.runs.models import Event, Hold, Run
from erasure.session.snapshot import counts, elapsed_and_remaining, picture_url


def frame(data: object, *, seq: int | None = None, event: str = "") -> bytes:
    """Return one server-sent event. JSON without line breaks is one `data:` line."""
    head = (f"id: {seq}\n" if seq is not None else "") + (f"event: {event}\n" if event else "")
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return f"{head}data: {text}\n\n".encode()


def entries(run: Run, events: Sequence[Event], renderings: Iterable[Rendering]) -> list[Entry]:
    """Render `events` in each of `renderings`, once for all who watch so.

    The figures are the run's at this reading: an event that is one of several carries those after the last.
    """
    if not events:
        return []
    tally, (_elapsed, remaining) = counts(run), elapsed_and_remaining(run)
    copies = places_of_copies(events)
    texts: dict[int, dict[Rendering, bytes]] = {event.seq: {} for event in events}
    for rendering in renderings:
        names, language = rendering
        known = titles(run, events) if names else {}
        with translation.override(language):
            for event in events:
                shown = {
                    **shown_data(event, names, copies),
                    "seq": event.seq,
                    "at": event.at.isoformat(),
                    "kind": event.kind,
                    "n": event.data.get("n"),
                    "text": line(event, known),
                    "counts": tally,
                    "remaining_s": remaining,
                }
                texts[event.seq][rendering] = frame(shown, seq=event.seq)
    return [Entry(event.seq, texts[event.seq]) for event in events]


def places_of_copies(events: Sequence[Event]) -> dict[str, str]:
    """Return in which memory the copy of each hold among `events` lies; a page knows memories only."""
    holds = [event.data["hold"] for event in events if event.kind == "held"]
    if not holds:
        return {}
    found = Hold.objects.filter(pk__in=holds).values_list("pk", "copy__memory_id")
    return {str(hold): str(memory) for hold, memory in found}


def shown_data(event: Event, pictures: bool, copies: Mapping[str, str]) -> dict[str, Any]:
    """Return the event's own ids and numbers; a picture as its address, or nothing for who sees none.

    copies: id of a memory by the hold whose copy lies in it.
    """
    data = dict(event.data)
    if "picture" in data:
        data["picture"] = picture_url(data["picture"]) if pictures else None
    if event.kind == "held":
        data["copy"] = copies.get(data["hold"])
    return data
