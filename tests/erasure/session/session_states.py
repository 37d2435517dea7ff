"""Session states in the form of erasure/session/snapshot.py, made without a database, to test pages with."""

from collections.abc import Sequence
from typing import Any

CONTROLS = (
    "pause",
    "resume",
    "protect",
    "doctor",
    "acknowledge",
    "abort",
    "abort_finish",
    "decide",
    "safe_word",
)
CHAPTERS = [
    {"name": "I Green Revolution", "color": "green", "from": "2001-11-01", "to": "2002-05-31"},
    {"name": "II Red Menace", "color": "red", "from": "2002-06-01", "to": "2002-12-31"},
]


def a_memory(n: int | None, state: str = "waiting", **fields: Any) -> dict[str, Any]:
    """One memory of a session state, in the middle of the map.

    If destroyed, it has no title, day or picture.
    """
    gone = state == "destroyed"
    return {
        "n": n,
        "id": f"id-{n}",
        "state": state,
        "level": 13 if gone else 0,
        "levels": 13,
        "bits": 0 if gone else 1474560,
        "picture": None if gone else f"/pictures/{n}",
        "title": None if gone else f"Title {n}",
        "date": None if gone else "3 February 2003",
        "chapter": None,
        "intensity": 5,
        "links": 1,
        "kind": "photo",
        "zone": "map",
        "x": 0.5,
        "y": 0.5,
        "w": 0.1,
        "h": 0.1,
        "tilt": 0.0,
        **fields,
    }


def memories_in_a_row(states: Sequence[str]) -> list[dict[str, Any]]:
    """Memories in these states, side by side across the whole map, the oldest at the left."""
    slot = 1 / len(states)
    return [a_memory(i + 1, state, x=(i + 0.5) * slot, w=slot) for i, state in enumerate(states)]


def a_state(memories: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """The state of a session with these memories. fields: replace other values of the state."""
    states = [item["state"] for item in memories if item["zone"] == "map"]
    over = fields.get("state") in {"finished", "aborted"}
    return {
        "run": "6b1f2a52-0c5b-4a3c-9f57-1d2a7b3c4d5e",
        "case_ref": "2004-0219",
        "patient": "J. Barish",
        "subject": "Clementine K.",
        "state": "running",
        "outcome": "complete" if over else None,
        "why": None,
        "seq": 7,
        "total": len(states),
        "counts": {
            "map": sum(state in {"waiting", "fading", "held"} for state in states),
            "destroyed": states.count("destroyed"),
            "protected": states.count("protected"),
            "off": states.count("held"),
        },
        "elapsed_s": 161,
        "remaining_s": 0 if over else 10200,
        "started_at": "2004-02-13T21:00:00-05:00",
        "pace_s": 90,
        "paused_by": None,
        "paused_at": None,
        "current": None,
        "memories": list(memories),
        "links": [],
        "chapters": CHAPTERS,
        "log": [],
        "alarms": [],
        "controls": {key: None if over else f"/run/{key}/" for key in CONTROLS},
        "may": list(CONTROLS),
        "stream_url": "/live/",
        "map_css_url": "/run/map.css",
        "certificate_url": None,
        "replay_url": None,
        "verified": None,
        **fields,
    }
