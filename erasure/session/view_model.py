"""What the session page shows of a snapshot: words, order and figures.

The page is complete without a script; the scripts get their words from here too. Input is the snapshot as
plain data (erasure/session/snapshot.py, called `present`); the database is not read. A "print" is the picture
that stands for one memory on the map.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import formats, timezone, translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext, pgettext_lazy

from erasure.runs.passes import Cause
from erasure.session import chart

# Sentences for 0 to 5 memories left.
LEFT_SENTENCES = (
    pgettext_lazy("what is left", "Nothing left."),
    pgettext_lazy("what is left", "Nothing left but this one."),
    pgettext_lazy("what is left", "Nothing left but these two."),
    pgettext_lazy("what is left", "Nothing left but these three."),
    pgettext_lazy("what is left", "Nothing left but these four."),
    pgettext_lazy("what is left", "Nothing left but these five."),
)
STATES: dict[str, tuple[str | Promise, str, str]] = {
    # state: word, icon, style of the heading ("alarm" or "")
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
# Why a keepsake cannot be read (codes of passes.Cause).
CAUSES: dict[str, str | Promise] = dict(Cause.choices)
VERIFIED: dict[str, str | Promise] = {
    "clean": gettext_lazy("Verified: nothing found"),
    "found": gettext_lazy("Verified: something is left"),
}
# The closing sentence on the map of a finished run: where its top can be, in the order preferred, and its
# width and height. All are fractions of the map (.nothing in session.css).
SENTENCE_TOPS = (0.38, 0.58, 0.20, 0.78)
SENTENCE_SIZE = (0.56, 0.1)
ENDED = frozenset({"finished", "aborted"})
# States that the panel names also for the memory shown by default.
STATES_NAMED = frozenset({"held", "destroyed", "protected"})


@dataclass(frozen=True)
class Recoverable:
    """How much can still be recovered, for whoever is responsible for the run.

    untouched, partly, gone: numbers of memories. bits: upper bound of what is still stored.
    """

    untouched: int
    partly: int
    gone: int
    bits: int


@dataclass(frozen=True)
class SessionView:
    """Everything the template needs in addition to the snapshot itself."""

    word: str
    mark: str
    kind: str
    over: bool
    prints: list[dict[str, Any]]
    childhood: list[dict[str, Any]]
    shown: dict[str, Any] | None  # the memory described in the panel
    chosen: bool  # the viewer chose that memory and it is not the one being erased
    fate: str  # its state in words, empty where the rest of the panel makes it clear
    stage_picture: str | None  # URL of the picture on the stage
    passes: list[bool]  # of the memory shown: True for each pass that is done
    links: list[chart.Link]
    copy_paths: list[str]  # SVG paths from copies off the map to their memories
    shore: chart.Shore
    bars: list[chart.Bar]
    spans: list[chart.Span]
    now: float | None  # place of the current memory in the time strip, in percent
    last_month: str  # month and year at the end of the time strip
    log: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    alarm_kinds: str  # for the stylesheet: see `alarm_kinds` below
    left: str  # "Nothing left but these two."
    after: str  # "143 memories destroyed, 2 protected."
    sentence_place: int  # index into SENTENCE_TOPS
    elapsed: str
    remaining: str
    paused_by: str  # by whom and since when, for the head of the panel
    paused_at: str  # after which pass and when
    recoverable: Recoverable
    verified: str
    words: dict[str, Any]


def session_view(present: dict[str, Any], chosen: str | None = None) -> SessionView:
    """Return what the page shows of `present`. chosen: id of the memory the viewer chose to look at."""
    memories = [with_words(item, present["chapters"]) for item in present["memories"]]
    prints = sorted((m for m in memories if m["zone"] == "map" and m["n"] is not None), key=lambda m: m["n"])
    for item, age in zip((m for m in prints if m["state"] == "destroyed"), _ages(prints), strict=True):
        item["age"] = age
    by_id = {item["id"]: item for item in memories}
    for alarm in present["alarms"]:
        by_id.get(str(alarm.get("copy", "")), {})["copied"] = True
    current = next((item for item in prints if item["n"] == present["current"]), None)
    asked = by_id.get(chosen or "")
    asked = asked if asked and asked["state"] != "destroyed" else None
    shown = asked or current or _waiting_for_doctor(present, prints) or _last_destroyed(present, prints)
    strip = chart.bars(prints)
    state = present["state"]
    word, mark, kind = STATES.get(state, STATES["running"])
    placed = [item for item in prints if item["x"] is not None]
    return SessionView(
        word=str(word),
        mark=mark,
        kind=kind,
        over=state in ENDED,
        prints=prints,
        childhood=[item for item in memories if item["zone"] != "map"],
        shown=shown,
        chosen=asked is not None and asked is not current,
        fate=_fate(shown)
        if shown and (asked not in (None, current) or shown["state"] in STATES_NAMED)
        else "",
        stage_picture=_stage_picture(shown, asked is not None),
        passes=[i < shown["level"] for i in range(shown["levels"])] if shown else [],
        links=chart.links(placed, present["links"]),
        copy_paths=chart.copy_paths(present["alarms"], present["memories"]),
        shore=chart.shore(placed),
        bars=strip,
        spans=chart.spans(prints, present["chapters"]),
        now=next((bar.middle for bar in strip if bar.n == present["current"]), None),
        last_month=_last_month(present["chapters"]),
        log=log_lines(present["log"]),
        alarms=[_alarm(alarm, by_id, prints) for alarm in present["alarms"]],
        alarm_kinds=alarm_kinds(present),
        left=left_sentence(sum(item["state"] != "destroyed" for item in prints)),
        after=after_sentence(present["counts"]),
        sentence_place=_sentence_place([item for item in placed if item["state"] == "protected"]),
        elapsed=elapsed(present["elapsed_s"]),
        remaining=remaining(present["remaining_s"]),
        paused_by=_paused_by(present),
        paused_at=_paused_at(present, current),
        recoverable=_recoverable(prints, present["counts"]["destroyed"]),
        verified=_verification_words(present),
        words=words(),
    )


def _waiting_for_doctor(present: dict[str, Any], prints: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the first memory that waits for the doctor, because of a copy or of damage, or None."""
    waiting = {alarm["n"] for alarm in present["alarms"] if alarm["kind"] in {"off-map", "damaged"}}
    return next((item for item in prints if item["n"] in waiting), None)


def _last_destroyed(present: dict[str, Any], prints: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the memory destroyed last: it is shown until the next one begins.

    None after the end of the run.
    """
    if present["state"] in ENDED:
        return None
    gone = [line for line in present["log"] if line["kind"] == "destroyed"]
    number = max(gone, key=lambda line: line["seq"])["n"] if gone else None
    return next((item for item in prints if item["n"] == number and number is not None), None)


def with_words(item: dict[str, Any], chapters: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Return a memory of the snapshot with the words and styles to show it."""
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


def _stage_picture(shown: dict[str, Any] | None, asked: bool) -> str | None:
    """Return the URL of a memory's largest picture; None for a memory on hold, unless it was chosen."""
    if shown is None or (shown["state"] == "held" and not asked):
        return None
    return shown.get("large") or shown["picture"]


def _fate(item: dict[str, Any]) -> str:
    """Return the state of a memory in words."""
    return str(FATES[item["state"] if item["zone"] == "map" or item["state"] == "destroyed" else "childhood"])


def accessible_name(item: dict[str, Any]) -> str:
    """Return a button's label: "Memory 143, title, date, waiting"; without title once it is destroyed."""
    on_map = item["zone"] == "map"
    label = _("Memory %(n)s") % {"n": item["n"]} if on_map else _("Childhood memory")
    fate = _fate(item)
    if item["state"] == "destroyed":
        return ", ".join([label, fate])
    return ", ".join(part for part in (label, item["title"], item["date"], fate) if part)


def _ages(prints: Sequence[dict[str, Any]]) -> list[int]:
    """Return how long each destroyed memory has been gone: 0 (recently) to 2 (long), by rising number.

    The memories with the lowest numbers are destroyed last.
    """
    gone = sum(item["state"] == "destroyed" for item in prints)
    return [min(2, i * 3 // gone) for i in range(gone)]


def _sentence_place(protected: Sequence[dict[str, Any]]) -> int:
    """Return the index into SENTENCE_TOPS where the sentence covers least of the protected memories."""

    def covered(top: float) -> float:
        beside = (item for item in protected if abs(item["x"] - 0.5) < item["w"] / 2 + SENTENCE_SIZE[0] / 2)
        return sum(
            max(
                0.0,
                min(item["y"] + item["h"] / 2, top + SENTENCE_SIZE[1]) - max(item["y"] - item["h"] / 2, top),
            )
            for item in beside
        )

    return min(range(len(SENTENCE_TOPS)), key=lambda i: covered(SENTENCE_TOPS[i]))


def log_lines(log: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of the log, newest first.

    Of successive passes of one memory only the newest is kept.
    """
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
        "since_at": _local_time(alarm.get("since")),
        "because_words": [str(CAUSES.get(code, code)) for code in alarm.get("because", [])],
        "due_at": _local_time(alarm.get("due")),
        "notices": [
            {**notice, "at": _local_time(notice["at"]), "word": str(NOTICES[notice["kind"]])}
            for notice in alarm.get("notices", [])[-12:]
        ],
    }


# The control that answers each kind of alarm. Only viewers who may use it are asked for an answer.
ANSWERED_BY = {
    "off-map": "decide",
    "damaged": "decide_damaged",
    "safe-word": "lift",
    "doctor": "acknowledge",
    "presence": "presence",
    "handover": "handover_decline",
}


def alarm_kinds(present: dict[str, Any]) -> str:
    """Return the kinds of the alarms for the stylesheet, separated by spaces.

    Added are "several" for two or more alarms, "many" for three or more, and "asking" if the viewer can
    answer one.
    """
    kinds = [alarm["kind"] for alarm in present["alarms"]]
    asking = any(present["controls"].get(ANSWERED_BY.get(kind, "")) for kind in kinds)
    return " ".join(
        kinds + ["several"] * (len(kinds) > 1) + ["many"] * (len(kinds) > 2) + ["asking"] * asking
    )


def _local_time(text: str | None) -> datetime | None:
    """Return a time of the snapshot in the clinic's time zone."""
    return timezone.localtime(datetime.fromisoformat(text)) if text else None


def left_sentence(count: int) -> str:
    """Return "Nothing left but these two." for the number of memories left."""
    if count < len(LEFT_SENTENCES):
        return str(LEFT_SENTENCES[count])
    return ngettext("Nothing left but this %(n)d.", "Nothing left but these %(n)d.", count) % {"n": count}


def after_sentence(counts: dict[str, int]) -> str:
    """Return "143 memories destroyed, 2 protected."."""
    gone, kept = counts["destroyed"], counts["protected"]
    text = ngettext("%(n)d memory destroyed", "%(n)d memories destroyed", gone) % {"n": gone}
    if kept:
        text += ngettext(", %(n)d protected", ", %(n)d protected", kept) % {"n": kept}
    return text + pgettext("end of a sentence", ".")


def elapsed(seconds: int) -> str:
    """Return the time since the start: minutes and seconds in the first hour, then hours and minutes."""
    if seconds < 3600:
        return _("%(m)d min %(s)02d s") % {"m": seconds // 60, "s": seconds % 60}
    return _("%(h)d h %(m)02d min") % {"h": seconds // 3600, "m": seconds % 3600 // 60}


def remaining(seconds: int | None) -> str:
    """Return the time left: to the minute, from an hour on to ten minutes; empty if it is unknown."""
    if seconds is None:
        return ""
    if seconds < 60:
        return _("under a minute")
    if seconds < 3600:
        return _("≈ %(m)d min") % {"m": round(seconds / 60)}
    minutes = round(seconds / 600) * 10
    return _("≈ %(h)d h %(m)02d min") % {"h": minutes // 60, "m": minutes % 60}


def _paused_by(present: dict[str, Any]) -> str:
    """Return who paused the run and since when, for the head of the panel; empty if it is not paused."""
    if present["state"] != "paused":
        return ""
    since = present.get("paused_at")
    at = formats.time_format(timezone.localtime(datetime.fromisoformat(since)), "H:i") if since else ""
    if present["paused_by"] and at:
        return _("Held by %(who)s since %(at)s") % {"who": present["paused_by"], "at": at}
    return _("Held since %(at)s") % {"at": at} if at else _("Held")


def _paused_at(present: dict[str, Any], current: dict[str, Any] | None) -> str:
    """Return "Paused after pass 7 of 12 at 23:14:05", from committed data; empty if the run is not paused."""
    if present["state"] != "paused":
        return ""
    since = present.get("paused_at")
    at = formats.time_format(timezone.localtime(datetime.fromisoformat(since)), "H:i:s") if since else ""
    if current and current["level"]:
        values = {"level": current["level"], "levels": current["levels"], "at": at}
        return _("Paused after pass %(level)s of %(levels)s at %(at)s") % values
    return _("Paused at %(at)s") % {"at": at}


def _recoverable(prints: Sequence[dict[str, Any]], gone: int) -> Recoverable:
    """Return what is left of the prints. gone: what this night destroyed; an earlier one may have, too."""
    remaining_targets = [item for item in prints if item["state"] in {"waiting", "fading", "held"}]
    return Recoverable(
        untouched=sum(not item["level"] for item in remaining_targets),
        partly=sum(bool(item["level"]) for item in remaining_targets),
        gone=gone,
        bits=sum(item["bits"] for item in prints if item["state"] != "destroyed"),
    )


def _verification_words(present: dict[str, Any]) -> str:
    """Return the verification's result in words for the head of the panel; empty before it."""
    return str(VERIFIED.get(present["verified"], VERIFIED["found"])) if present["verified"] else ""


def _last_month(chapters: Sequence[dict[str, str]]) -> str:
    """Return the month and year in which the last chapter ends, empty if it is unknown."""
    last = max((chapter.get("to", "") for chapter in chapters), default="")
    try:
        return formats.date_format(datetime.fromisoformat(last), "SHORT_YEAR_MONTH_FORMAT")
    except ValueError:
        return ""


def words() -> dict[str, Any]:
    """Return all words the scripts use, in the active language.

    The scripts fill in placeholders like %(n)s.
    """
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
        "hold_on_only": _("Paused. Keep holding to end the session."),
        "let_go_only": _("Paused. Hold for two seconds to end the session."),
        "newer": _("%(n)s newer, show them"),
        "fading": _("[%(n)s] pass %(level)s of %(levels)s"),
        "gone": _("Memory %(n)s, destroyed"),
    }
