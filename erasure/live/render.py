"""Rendering events for the stream: server-sent events with the run's figures added."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import translation

from erasure.live.channel import RenderedEvent, Rendering
from erasure.runs.event_texts import line, titles
from erasure.runs.models import Event, Hold, Run
from erasure.session.snapshot import counts, elapsed_and_remaining, picture_url


def frame(data: object, *, seq: int | None = None, event: str = "") -> bytes:
    """Return one server-sent event. The JSON has no line breaks, so it is one `data:` line."""
    head = (f"id: {seq}\n" if seq is not None else "") + (f"event: {event}\n" if event else "")
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return f"{head}data: {text}\n\n".encode()


def render_events(run: Run, events: Sequence[Event], renderings: Iterable[Rendering]) -> list[RenderedEvent]:
    """Render `events` once in each of `renderings`.

    The figures are those of the run at the time of reading, so all events given carry the figures after the
    last.
    """
    if not events:
        return []
    tally, (_elapsed, remaining) = counts(run), elapsed_and_remaining(run)
    copies = places_of_copies(events)
    texts: dict[int, dict[Rendering, bytes]] = {event.seq: {} for event in events}
    for rendering in renderings:
        names, language = rendering
        memory_titles = titles(run, events) if names else {}
        with translation.override(language):
            for event in events:
                shown = {
                    **shown_data(event, names, copies),
                    "run": str(run.pk),
                    "seq": event.seq,
                    "at": event.at.isoformat(),
                    "kind": event.kind,
                    "n": event.data.get("n"),
                    "text": line(event, memory_titles),
                    "counts": tally,
                    "remaining_s": remaining,
                }
                texts[event.seq][rendering] = frame(shown, seq=event.seq)
    return [RenderedEvent(event.seq, texts[event.seq]) for event in events]


def places_of_copies(events: Sequence[Event]) -> dict[str, str]:
    """Return hold id -> id of the memory its copy lies in, for the holds in `events`.

    Pages know only memories.
    """
    holds = [event.data["hold"] for event in events if event.kind == "held"]
    if not holds:
        return {}
    found = Hold.objects.filter(pk__in=holds).values_list("pk", "copy__memory_id")
    return {str(hold): str(memory) for hold, memory in found}


def shown_data(event: Event, pictures: bool, copies: Mapping[str, str]) -> dict[str, Any]:
    """Return the event's own ids and numbers, with a picture as its URL.

    pictures: False leaves pictures out. copies: hold id -> id of the memory its copy lies in.
    """
    data = dict(event.data)
    if "picture" in data:
        data["picture"] = picture_url(data["picture"]) if pictures else None
    if event.kind == "held":
        data["copy"] = copies.get(data["hold"])
    return data
