"""A present as erasure/session/present.py makes it, for tests that need no rows."""

from typing import Any


def a_memory(n: int | None, state: str = "waiting", **more: Any) -> dict[str, Any]:
    gone = state == "destroyed"
    return {
        "n": n,
        "id": f"id-{n}",
        "state": state,
        "level": 13 if gone else 0,
        "levels": 13,
        "bits": 0 if gone else 7372800,
        "picture": None if gone else f"/pictures/{n}",
        "title": None if gone else f"Title {n}",
        "date": None if gone else "3 February 2003",
        "chapter": None,
        "intensity": 5,
        "links": 0,
        "kind": "photo",
        "zone": "map",
        "x": 0.1,
        "y": 0.5,
        "w": 0.1,
        "h": 0.1,
        "tilt": 0.0,
        **more,
    }


def a_row(states: list[str]) -> list[dict[str, Any]]:
    """Memories side by side from left to right, oldest first."""
    step = 1 / len(states)
    return [a_memory(i + 1, state, x=(i + 0.5) * step) for i, state in enumerate(states)]


def a_present(memories: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    states = [item["state"] for item in memories if item["zone"] == "map"]
    return {
        "run": "run",
        "case_ref": "2004-0219",
        "patient": "J. Barish",
        "subject": "Clementine K.",
        "state": "running",
        "outcome": None,
        "why": None,
        "seq": 10,
        "total": len(states),
        "counts": {
            "map": sum(state in {"waiting", "fading", "held"} for state in states),
            "destroyed": states.count("destroyed"),
            "protected": states.count("protected"),
            "off": 0,
        },
        "elapsed_s": 161,
        "remaining_s": 240,
        "started_at": "2004-02-13T20:00:00+00:00",
        "pace_s": 6,
        "paused_by": None,
        "paused_at": None,
        "current": None,
        "memories": memories,
        "links": [],
        "chapters": [],
        "log": [],
        "alarms": [],
        "controls": {},
        "may": [],
        "stream_url": "/live/run/",
        "map_css_url": "/map.css",
        "certificate_url": None,
        **more,
    }
