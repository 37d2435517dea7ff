"""What the session's page says of the present: words, order and figures, before and beside any script.

Takes the present as plain data (erasure/session/snapshot.py) and reads no row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import formats, timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from erasure.session import chart

# The numbers a sentence says in words.
SMALL = (
    pgettext_lazy("what is left", "Nothing left."),
    pgettext_lazy("what is left", "Nothing left but this one."),
    pgettext_lazy("what is left", "Nothing left but these two."),
    pgettext_lazy("what is left", "Nothing left but these three."),
    pgettext_lazy("what is left", "Nothing left but these four."),
    pgettext_lazy("what is left", "Nothing left but these five."),
)
STATES: dict[str, tuple[str | Promise, str, str]] = {
    # state: word, mark, kind
    "waiting": (gettext_lazy("Ready"), "done", ""),
    "running": (gettext_lazy("Erasing"), "running", ""),
    "paused": (gettext_lazy("Paused"), "paused", ""),
    "held": (gettext_lazy("Off the map"), "alarm", "alarm"),
    "aborting": (gettext_lazy("Stopping"), "stop", "alarm"),
    "aborted": (gettext_lazy("Stopped"), "stop", ""),
    "finished": (gettext_lazy("Finished"), "done", ""),
}
FATES: dict[str, str | Promise] = {
    "waiting": pgettext_lazy("a memory", "waiting"),
    "fading": pgettext_lazy("a memory", "fading"),
    "held": pgettext_lazy("a memory", "held for the doctor"),
    "protected": pgettext_lazy("a memory", "protected"),
    "destroyed": pgettext_lazy("a memory", "destroyed"),
    "childhood": pgettext_lazy("a memory", "not on the map"),
}
KINDS: dict[str, str | Promise] = {
    "photo": gettext_lazy("photograph"),
    "letter": gettext_lazy("letter"),
    "object": gettext_lazy("object"),
    "recording": gettext_lazy("recording"),
    "video": gettext_lazy("video"),
}
NOTICES: dict[str, str | Promise] = {
    "first": gettext_lazy("called"),
    "again": gettext_lazy("told again"),
    "escalated": gettext_lazy("called because nobody answered"),
}
CHAPTERS: dict[str, str | Promise] = {
    "green": gettext_lazy("green chapter"),
    "red": gettext_lazy("red chapter"),
    "orange": gettext_lazy("orange chapter"),
    "blue": gettext_lazy("blue chapter"),
    "none": gettext_lazy("chapter"),
}
VERIFIED: dict[str, str | Promise] = {
    "clean": gettext_lazy("Verified: nothing found"),
    "found": gettext_lazy("Verified: something is left"),
}
# Tops of the last sentence, in shares of the map's height (.nothing in session.css), and its measures.
HEIGHTS = (0.38, 0.58, 0.20, 0.78)
SENTENCE = (0.56, 0.1)
OVER = frozenset({"finished", "aborted"})
LEFT = frozenset({"held", "destroyed", "protected"})


@dataclass(frozen=True)
class Night:
    """What is still recoverable, for who answers for the night; `bits`: at most so many are stored."""

    untouched: int
    partly: int
    gone: int
    bits: int


@dataclass(frozen=True)
class Showing:
    """Everything the template needs beside the present itself."""

    word: str
    mark: str
    kind: str
    over: bool
    prints: list[dict[str, Any]]
    childhood: list[dict[str, Any]]
    shown: dict[str, Any] | None  # the memory the panel tells of
    chosen: bool  # somebody asked for it; otherwise it is the one at work
    fate: str  # what became of it, where that isn't plain from the rest
    figure: str | None  # the picture on the stage; none while its memory is off the map
    passes: list[bool]  # of the memory shown: True where a pass is done
    links: list[chart.Link]
    ways: list[str]  # to copies off the map
    shore: chart.Shore
    bars: list[chart.Bar]
    spans: list[chart.Span]
    now: float | None  # percent along the time strip
    until: str
    log: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    alarm_kinds: str  # of the alarms, for the sheet; with "several", "many" and "asking" where it is so
    left: str
    after: str
    clear: int  # which of the heights in the sheet the last sentence stands at
    elapsed: str
    remaining: str
    paused: str
    held: str  # where and when the fade stands still
    night: Night
    verified: str
    words: dict[str, Any]


def showing(present: dict[str, Any], chosen: str | None = None) -> Showing:
    """Return what the page says of `present`. `chosen`: id of a memory somebody wants to look at."""
    memories = [told(item, present["chapters"]) for item in present["memories"]]
    prints = sorted((m for m in memories if m["zone"] == "map" and m["n"] is not None), key=lambda m: m["n"])
    for item, age in zip((m for m in prints if m["state"] == "destroyed"), _ages(prints), strict=True):
        item["age"] = age
    by_id = {item["id"]: item for item in memories}
    for alarm in present["alarms"]:
        by_id.get(str(alarm.get("copy", "")), {})["copied"] = True
    current = next((item for item in prints if item["n"] == present["current"]), None)
    asked = by_id.get(chosen or "")
    asked = asked if asked and asked["state"] != "destroyed" else None
    shown = asked or current or _held(present, prints) or _latest(present, prints)
    strip = chart.bars(prints)
    state = present["state"]
    word, mark, kind = STATES.get(state, STATES["running"])
    placed = [item for item in prints if item["x"] is not None]
    return Showing(
        word=str(word),
        mark=mark,
        kind=kind,
        over=state in OVER,
        prints=prints,
        childhood=[item for item in memories if item["zone"] != "map"],
        shown=shown,
        chosen=asked is not None and asked is not current,
        fate=_fate(shown) if shown and (asked not in (None, current) or shown["state"] in LEFT) else "",
        figure=_figure(shown, asked is not None),
        passes=[i < shown["level"] for i in range(shown["levels"])] if shown else [],
        links=chart.links(placed, present["links"]),
        ways=chart.ways(present["alarms"], present["memories"]),
        shore=chart.shore(placed),
        bars=strip,
        spans=chart.spans(prints, present["chapters"]),
        now=next((bar.middle for bar in strip if bar.n == present["current"]), None),
        until=_until(present["chapters"]),
        log=log_lines(present["log"]),
        alarms=[_alarm(alarm, by_id, prints) for alarm in present["alarms"]],
        alarm_kinds=alarm_kinds(present),
        left=left_sentence(sum(item["state"] != "destroyed" for item in prints)),
        after=after_sentence(present["counts"]),
        clear=_clear([item for item in placed if item["state"] == "protected"]),
        elapsed=elapsed(present["elapsed_s"]),
        remaining=remaining(present["remaining_s"]),
        paused=_paused(present),
        held=_held_line(present, current),
        night=_night(prints),
        verified=_verified(present),
        words=words(),
    )


def _held(present: dict[str, Any], prints: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The memory that waits for the doctor, while nothing else is at work."""
    waiting = {alarm["n"] for alarm in present["alarms"] if alarm["kind"] == "off-map"}
    return next((item for item in prints if item["n"] in waiting), None)


def _latest(present: dict[str, Any], prints: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The memory that went last, in the moment before the next one begins."""
    if present["state"] in OVER:
        return None
    gone = [line for line in present["log"] if line["kind"] == "destroyed"]
    number = max(gone, key=lambda line: line["seq"])["n"] if gone else None
    return next((item for item in prints if item["n"] == number and number is not None), None)


def told(item: dict[str, Any], chapters: Sequence[dict[str, str]]) -> dict[str, Any]:
    """A memory of the present with the words for it."""
    chapter = chapters[item["chapter"]] if _has_chapter(item, chapters) else None
    return {
        **item,
        "name": accessible_name(item),
        "chapter_color": chapter.get("color", "none") if chapter else None,
        "chapter_name": chapter.get("name", "") if chapter else None,
        "kind_word": str(KINDS.get(item["kind"], item["kind"])),
        "age": 0,
        "copied": False,
    }


def _has_chapter(item: dict[str, Any], chapters: Sequence[dict[str, str]]) -> bool:
    return item["chapter"] is not None and 0 <= item["chapter"] < len(chapters)


def _figure(shown: dict[str, Any] | None, asked: bool) -> str | None:
    """The picture on the stage, as large as there is one; none while its memory is off the map."""
    if shown is None or (shown["state"] == "held" and not asked):
        return None
    return shown.get("large") or shown["picture"]


def _fate(item: dict[str, Any]) -> str:
    return str(FATES[item["state"] if item["zone"] == "map" or item["state"] == "destroyed" else "childhood"])


def accessible_name(item: dict[str, Any]) -> str:
    """What a memory's button is called: "Memory 143, title, date, waiting"; no title once it is gone."""
    on_map = item["zone"] == "map"
    who = _("Memory %(n)s") % {"n": item["n"]} if on_map else _("Childhood memory")
    fate = _fate(item)
    if item["state"] == "destroyed":
        return ", ".join([who, fate])
    return ", ".join(part for part in (who, item["title"], item["date"], fate) if part)


def _ages(prints: Sequence[dict[str, Any]]) -> list[int]:
    """How old each emptied place is, 0 to 2, oldest memories (the last to go) first."""
    gone = sum(item["state"] == "destroyed" for item in prints)
    return [min(2, i * 3 // gone) for i in range(gone)]


def _clear(kept: Sequence[dict[str, Any]]) -> int:
    """Where the last sentence covers least of what is kept: index into the heights, the middle first."""

    def covered(top: float) -> float:
        beside = (item for item in kept if abs(item["x"] - 0.5) < item["w"] / 2 + SENTENCE[0] / 2)
        return sum(
            max(0.0, min(item["y"] + item["h"] / 2, top + SENTENCE[1]) - max(item["y"] - item["h"] / 2, top))
            for item in beside
        )

    return min(range(len(HEIGHTS)), key=lambda at: covered(HEIGHTS[at]))


def log_lines(log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The log, newest first, with one line for a fade instead of one for each pass."""
    out: list[dict[str, Any]] = []
    for line in sorted(log, key=lambda line: -line["seq"]):
        newer = out[-1] if out else None
        if line["kind"] == "pass" and newer and (newer["kind"], newer["n"]) == ("pass", line["n"]):
            continue
        at = line["at"]
        out.append({**line, "at": datetime.fromisoformat(at) if isinstance(at, str) else at})
    return out


def _alarm(
    alarm: dict[str, Any], by_id: dict[str, dict[str, Any]], prints: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    target = next((item for item in prints if item["n"] == alarm["n"]), None)
    return {
        **alarm,
        "target": target,
        "copy_of": by_id.get(str(alarm.get("copy", ""))),
        "since_at": _moment(alarm.get("since")),
        "due_at": _moment(alarm.get("due")),
        "rounds": [
            {**notice, "at": _moment(notice["at"]), "word": str(NOTICES[notice["kind"]])}
            for notice in alarm.get("told", [])[-12:]
        ],
    }


# The control that answers each kind of alarm; who has it is asked.
ANSWERED_BY = {
    "off-map": "decide",
    "doctor": "acknowledge",
    "presence": "presence",
    "handover": "handover_decline",
}


def alarm_kinds(present: dict[str, Any]) -> str:
    """The kinds of the alarms, for the sheet; and "several" (of two on), "many" (of three on), "asking"."""
    kinds = [alarm["kind"] for alarm in present["alarms"]]
    asking = any(present["controls"].get(ANSWERED_BY.get(kind, "")) for kind in kinds)
    return " ".join(
        kinds + ["several"] * (len(kinds) > 1) + ["many"] * (len(kinds) > 2) + ["asking"] * asking
    )


def _moment(text: str | None) -> datetime | None:
    """A time of the present in the clinic's zone."""
    return timezone.localtime(datetime.fromisoformat(text)) if text else None


def left_sentence(count: int) -> str:
    """ "Nothing left but these two.", worded by count."""
    if count < len(SMALL):
        return str(SMALL[count])
    return ngettext("Nothing left but this %(n)d.", "Nothing left but these %(n)d.", count) % {"n": count}


def after_sentence(counts: dict[str, int]) -> str:
    """What became of the map, in figures."""
    gone, kept = counts["destroyed"], counts["protected"]
    said = ngettext("%(n)d memory destroyed", "%(n)d memories destroyed", gone) % {"n": gone}
    if kept:
        said += ngettext(", %(n)d protected", ", %(n)d protected", kept) % {"n": kept}
    return said + pgettext("end of a sentence", ".")


def elapsed(seconds: int) -> str:
    """Time since the start, to the second within the first hour."""
    if seconds < 3600:
        return _("%(m)d min %(s)02d s") % {"m": seconds // 60, "s": seconds % 60}
    return _("%(h)d h %(m)02d min") % {"h": seconds // 3600, "m": seconds % 3600 // 60}


def remaining(seconds: int | None) -> str:
    """Time that is left, no finer than anyone can know; empty where nobody can say."""
    if seconds is None:
        return ""
    if seconds < 60:
        return _("under a minute")
    if seconds < 3600:
        return _("≈ %(m)d min") % {"m": round(seconds / 60)}
    minutes = round(seconds / 600) * 10
    return _("≈ %(h)d h %(m)02d min") % {"h": minutes // 60, "m": minutes % 60}


def _paused(present: dict[str, Any]) -> str:
    """By whom and since when, for the head of the panel."""
    if present["state"] != "paused":
        return ""
    since = present.get("paused_at")
    at = formats.time_format(timezone.localtime(datetime.fromisoformat(since)), "H:i") if since else ""
    if present["paused_by"] and at:
        return _("Held by %(who)s since %(at)s") % {"who": present["paused_by"], "at": at}
    return _("Held since %(at)s") % {"at": at} if at else _("Held")


def _held_line(present: dict[str, Any], current: dict[str, Any] | None) -> str:
    """ "Paused after pass 7 of 12 at 23:14:05": as the rows say it, not as anybody hoped."""
    if present["state"] != "paused":
        return ""
    since = present.get("paused_at")
    at = formats.time_format(timezone.localtime(datetime.fromisoformat(since)), "H:i:s") if since else ""
    if current and current["level"]:
        said = {"level": current["level"], "levels": current["levels"], "at": at}
        return _("Paused after pass %(level)s of %(levels)s at %(at)s") % said
    return _("Paused at %(at)s") % {"at": at}


def _night(prints: Sequence[dict[str, Any]]) -> Night:
    going = [item for item in prints if item["state"] in {"waiting", "fading", "held"}]
    return Night(
        untouched=sum(not item["level"] for item in going),
        partly=sum(bool(item["level"]) for item in going),
        gone=sum(item["state"] == "destroyed" for item in prints),
        bits=sum(item["bits"] for item in prints if item["state"] != "destroyed"),
    )


def _verified(present: dict[str, Any]) -> str:
    """What the verification came to, for the head of a finished session's panel."""
    return str(VERIFIED.get(present["verified"], VERIFIED["found"])) if present["verified"] else ""


def _until(chapters: Sequence[dict[str, str]]) -> str:
    last = max((chapter.get("to", "") for chapter in chapters), default="")
    try:
        return formats.date_format(datetime.fromisoformat(last), "SHORT_YEAR_MONTH_FORMAT")
    except ValueError:
        return ""


def words() -> dict[str, Any]:
    """Everything the scripts say, in the active language; %(name)s marks what they put in."""
    return {
        "lang": translation.get_language() or "en",
        "zone": timezone.get_current_timezone_name(),
        "states": {state: [str(word), mark, kind] for state, (word, mark, kind) in STATES.items()},
        "fates": {fate: str(word) for fate, word in FATES.items()},
        "kinds": {kind: str(word) for kind, word in KINDS.items()},
        "memory": _("Memory %(n)s"),
        "childhood": _("Childhood memory"),
        "minutes": _("%(m)s min %(s)s s"),
        "hours": _("%(h)s h %(m)s min"),
        "elapsed": _("%(time)s elapsed"),
        "remaining": _("Remaining %(time)s"),
        "under": _("under a minute"),
        "about": _("≈ %(m)s min"),
        "about_hours": _("≈ %(h)s h %(m)s min"),
        "bits": _("at most %(bits)s bits"),
        "pass": _("pass %(level)s of %(levels)s"),
        "untouched": _("untouched"),
        "held_at": _("Paused after pass %(level)s of %(levels)s at %(at)s"),
        "held_before": _("Paused at %(at)s"),
        "can_protect": _("Nothing is being destroyed. [%(n)s] can still be protected, as it is now."),
        "nothing": _("Nothing is being destroyed."),
        "verified": {result: str(word) for result, word in VERIFIED.items()},
        "held_by": _("Held by %(who)s since %(at)s"),
        "held_since": _("Held since %(at)s"),
        "lost": _("The connection is lost. What you see is from %(at)s."),
        "refused": _("That did not work. Please try again."),
        "no_answer": _("No answer. It is not certain that it took effect. You can press again."),
        "sending": {
            "pause": _("Pausing…"),
            "abort": _("Pausing…"),
            "resume": _("Resuming…"),
            "protect": _("Protecting…"),
            "doctor": _("Calling…"),
            "safe_word": _("Stopping…"),
            "abort_finish": _("Ending…"),
            "other": _("Sending…"),
        },
        "holding": _("Pausing… keep holding to end the session."),
        "unanswered": _("Unanswered for %(time)s"),
        "nobody": _("nobody"),
        "recoverable": _("%(whole)s untouched, %(half)s half gone"),
        "hold_on": _("Paused. Keep holding to end the session, or let go and resume."),
        "let_go": _("Paused. Hold for two seconds to end the session, or resume."),
        "newer": _("%(n)s newer, show them"),
        "fading": _("[%(n)s] pass %(level)s of %(levels)s"),
        "gone": _("Memory %(n)s, destroyed"),
    }
