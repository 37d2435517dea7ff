"""Events as they stand in the stream: server-sent events with the run's figures beside what happened."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import translation

from erasure.live.channel import Entry, Rendering
from erasure.live.words import line, titles
from erasure.runs.models import Event, Run
from erasure.session.present import clock, counts, picture_url


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
    tally, (_elapsed, remaining) = counts(run), clock(run)
    texts: dict[int, dict[Rendering, bytes]] = {event.seq: {} for event in events}
    for rendering in renderings:
        names, language = rendering
        known = titles(run, events) if names else {}
        with translation.override(language):
            for event in events:
                shown = {
                    **shown_data(event, names),
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


def shown_data(event: Event, pictures: bool) -> dict[str, Any]:
    """Return the event's own ids and numbers; a picture as its address, or nothing for who sees none."""
    data = dict(event.data)
    if "picture" in data:
        data["picture"] = picture_url(data["picture"]) if pictures else None
    return data
