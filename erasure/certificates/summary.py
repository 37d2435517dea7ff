"""What a certificate states, in words: shared by the page, the PDF and the public page."""

import re
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from erasure.certificates.verify_certificate import NIGHT
from erasure.destructions.models import Destruction
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.verification.result_texts import NAMES, describe_result
from patients.keepsakes.models import Keepsake

Row = tuple[str, object]
STRONG = re.compile(r"<strong>(.*?)</strong>")

# Why a memory was spared (codes of the step) or why the run was stopped.
BECAUSE: dict[str, str | Promise] = {
    "protected": gettext_lazy("kept on purpose, during the night"),
    "doubt": gettext_lazy("kept, because the doctor was in doubt"),
    "staff": gettext_lazy("the team stopped the night"),
    "patient": gettext_lazy("the patient stopped the night"),
    "safe-word": gettext_lazy("the safe word was said"),
    "abort": gettext_lazy("the night was aborted"),
    "withdrawn": gettext_lazy("consent was withdrawn"),
    "restored": gettext_lazy("a backup was restored"),
    "damaged": gettext_lazy("it could not be read, and was left as it is"),
    "stopped": gettext_lazy("the patient stopped the destruction"),
}
# Why a keepsake could not be read (codes of passes.Cause).
UNFADED: dict[str, str | Promise] = {
    "altered": gettext_lazy("its file had been altered"),
    "missing": gettext_lazy("its file was missing"),
    "key-gone": gettext_lazy("its key was gone already"),
    "no-picture": gettext_lazy("its file held nothing that can fade"),
}
# State of a physical object when the certificate was issued.
THINGS: dict[str, str | Promise] = {
    "destroyed": gettext_lazy("destroyed"),
    "returned": gettext_lazy("given back"),
    "open": gettext_lazy("still with the clinic"),
    "with-the-patient": gettext_lazy("never brought to the clinic"),
}


@dataclass(frozen=True)
class CheckedPlace:
    """One place that the verification checked: its name, the result as a code, and the result in words."""

    name: str
    result: str
    words: str


def group_thousands(number: int) -> str:
    """Return a number with narrow spaces between its groups of three digits."""
    return f"{number:,}".replace(",", "\u202f")


def format_time(text: str | None, since: str | None = "") -> str:
    """Return a time of the statement in the clinic's time zone.

    since: an earlier time; if both are on the same day, the date is left out.
    """
    moment, before = parse_datetime(text) if text else None, parse_datetime(since) if since else None
    if moment is None:
        return text or ""
    local = timezone.localtime(moment)
    same_day = before is not None and timezone.localdate(before) == local.date()
    return date_format(local, "H:i" if same_day else "DATETIME_FORMAT")


def damaged(statement: dict[str, Any]) -> int:
    """Return how many spared memories are damaged: some passes had been done before they were spared."""
    return sum(memory["passes"] > 0 for memory in statement["remains"]["spared"])


def is_night(statement: dict[str, Any]) -> bool:
    """Return whether it certifies a night; else what a patient had destroyed outside a night."""
    return statement["type"] == NIGHT


def title(statement: dict[str, Any]) -> str:
    return _("Certificate of erasure") if is_night(statement) else _("Certificate of destruction")


def doctors(statement: dict[str, Any]) -> list[str]:
    """Return the names of the doctors of a night."""
    return [one["name"] for one in statement.get("team", []) if one["role"] == "doctor"]


def count_destroyed(statement: dict[str, Any]) -> tuple[int, int]:
    """Return how many memories, and how many single keepsakes, were destroyed."""
    kinds = [thing.get("what", "memory") for thing in statement["destroyed"]]
    return kinds.count("memory"), kinds.count("keepsake")


def _figures_outside(statement: dict[str, Any]) -> list[Row]:
    """Return the figures of what was destroyed outside a night; those that are 0 are left out."""
    destroyed = statement["destroyed"]
    memories, keepsakes = count_destroyed(statement)
    inside = sum(sum(thing["kinds"].values()) for thing in destroyed if thing["what"] == "memory")
    rows: list[Row] = [
        (_("Memories destroyed"), memories),
        (_("Keepsakes destroyed with them"), inside),
        (_("Keepsakes destroyed singly"), keepsakes),
        (_("Stored objects, their keys destroyed"), sum(thing["objects"] for thing in destroyed)),
        (_("Bytes they held"), group_thousands(sum(thing["bytes"] for thing in destroyed))),
        (_("Kept, because it was stopped"), len(statement["remains"]["spared"])),
    ]
    return [row for place, row in enumerate(rows) if place in {3, 4} or row[1]]


def figures(statement: dict[str, Any]) -> list[Row]:
    """Return the figures of the statement, labelled. The last three of a night are left out if they are 0."""
    if not is_night(statement):
        return _figures_outside(statement)
    remains, destroyed = statement["remains"], statement["destroyed"]
    kept = [memory for memory in remains["spared"] if memory["because"] in {"protected", "doubt"}]
    rows: list[Row] = [
        (_("Memories destroyed"), len(destroyed)),
        (_("Stored objects, their keys destroyed"), sum(memory["objects"] for memory in destroyed)),
        (_("Bytes they held"), group_thousands(sum(memory["bytes"] for memory in destroyed))),
        (_("Kept on purpose beforehand"), remains["protected-beforehand"]),
        (_("Kept during the night"), len(kept)),
        (_("Not reached, or spared"), len(remains["spared"]) - len(kept)),
        (_("Copies found off the map"), len(remains["copies"])),
    ]
    return [row for place, row in enumerate(rows) if place < 4 or row[1]]


def opening(statement: dict[str, Any]) -> str:
    """Return the first sentence up to the patient's name, which the template puts after it."""
    values = {
        "first": format_time(statement["started"]),
        "last": format_time(statement["finished"], statement["started"]),
    }
    if not is_night(statement):
        return _opening_outside(statement, values)
    if statement["outcome"] == "stopped":
        text = _(
            "This is to certify that the erasure begun on %(first)s was stopped before its end, at %(last)s,"
            " and that until then, of"
        )
    elif statement["place"] == "home":
        text = _(
            "This is to certify that between %(first)s and %(last)s, at home and asleep, by their own wish,"
            " written down and signed, of"
        )
    else:
        text = _(
            "This is to certify that between %(first)s and %(last)s, in the clinic and asleep, by their own"
            " wish, written down and signed, of"
        )
    return text % values


def _opening_outside(statement: dict[str, Any], values: dict[str, str]) -> str:
    if statement["asked-by"] == "patient":
        text = _("This is to certify that between %(first)s and %(last)s, at their own order, of")
    else:
        text = _(
            "This is to certify that between %(first)s and %(last)s, when the time was over for which the"
            " clinic keeps what is left, of"
        )
    return text % values


def _closing_outside(statement: dict[str, Any]) -> str:
    """Return how many memories and keepsakes were destroyed; the numbers between <strong> tags."""
    memories, keepsakes = count_destroyed(statement)
    of_memories = ngettext(
        "<strong>%(n)s</strong> memory, with all that was in it",
        "<strong>%(n)s</strong> memories, with all that was in them",
        memories,
    ) % {"n": memories}
    of_keepsakes = ngettext(
        "<strong>%(n)s</strong> keepsake", "<strong>%(n)s</strong> keepsakes", keepsakes
    ) % {"n": keepsakes}
    if memories and keepsakes:
        both = {"memories": of_memories, "keepsakes": of_keepsakes}
        return _("%(memories)s, and %(keepsakes)s, were destroyed.") % both
    if memories:
        return ngettext("%(what)s, was destroyed.", "%(what)s, were destroyed.", memories) % {
            "what": of_memories
        }
    if keepsakes:
        return ngettext("%(what)s was destroyed.", "%(what)s were destroyed.", keepsakes) % {
            "what": of_keepsakes
        }
    return _("the words that were left of the file were destroyed.")


def closing(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rest of the first sentence: how many memories were destroyed.

    In parts; the number is bold.
    """
    if not is_night(statement):
        parts = STRONG.split(_closing_outside(statement))
        return [{"text": part, "bold": place % 2 == 1} for place, part in enumerate(parts) if part]
    n = len(statement["destroyed"])
    if not n:
        return [{"text": _("no memory was destroyed."), "bold": False}]
    sentence = ngettext(
        "<strong>%(n)s</strong> memory of one person, who is not named here, was destroyed.",
        "<strong>%(n)s</strong> memories of one person, who is not named here, were destroyed.",
        n,
    ) % {"n": n}
    parts = STRONG.split(sentence)
    return [{"text": part, "bold": place % 2 == 1} for place, part in enumerate(parts) if part]


def remarks(statement: dict[str, Any]) -> list[str]:
    """Return what the number alone would hide: memories left or damaged, open objects, a bad verification."""
    sentences = []
    if not is_night(statement):
        return [
            *_remarks_outside(statement),
            *_remarks_on_things(statement),
            *_remarks_on_verification(statement),
        ]
    if statement["outcome"] == "partial":
        sentences.append(_("Not all that was on the map is gone. What remains is counted below."))
    elif statement["outcome"] == "stopped":
        sentences.append(_("What was not reached is whole. What was gone stays gone."))
    if n := damaged(statement):
        sentences.append(
            ngettext(
                "%(n)s memory stayed, but not whole: it had begun to fade.",
                "%(n)s memories stayed, but not whole: they had begun to fade.",
                n,
            )
            % {"n": n}
        )
    if n := len(unfaded(statement)):
        sentences.append(
            ngettext(
                "%(n)s keepsake could not be read, so it did not fade: its keys and its file were destroyed "
                "as they were.",
                "%(n)s keepsakes could not be read, so they did not fade: their keys and their files were "
                "destroyed as they were.",
                n,
            )
            % {"n": n}
        )
    return [*sentences, *_remarks_on_things(statement), *_remarks_on_verification(statement)]


def _remarks_outside(statement: dict[str, Any]) -> list[str]:
    """Return what the numbers of a destruction outside a night would hide."""
    sentences = []
    if statement["whole-file"] and statement["outcome"] == "complete":
        sentences.append(_("Nothing of the file is left but its number and its log."))
    if statement["outcome"] == "stopped":
        sentences.append(_("It was stopped before its end. What was not destroyed by then is whole."))
    return sentences


def _remarks_on_things(statement: dict[str, Any]) -> list[str]:
    sentences = []
    if n := sum(item["state"] == "open" for item in statement.get("things", [])):
        sentences.append(
            ngettext(
                "%(n)s thing was still with the clinic. What becomes of it later is written in the clinic's "
                "log, with two witnesses, and not on this certificate.",
                "%(n)s things were still with the clinic. What becomes of them later is written in the "
                "clinic's log, with two witnesses, and not on this certificate.",
                n,
            )
            % {"n": n}
        )
    return sentences


def _remarks_on_verification(statement: dict[str, Any]) -> list[str]:
    sentences = []
    if result(statement) == "found":
        sentences.append(_("The verification afterwards found something left. The places are named below."))
    elif result(statement) != "clean":
        sentences.append(_("It was not verified afterwards."))
    return sentences


def result(statement: dict[str, Any]) -> str:
    """Return the verification's result: "clean", "found", or "" if there was no verification."""
    return str(statement["verification"].get("result", ""))


def verification_words(statement: dict[str, Any]) -> str:
    """Return the verification's result in words."""
    return describe_result(result(statement), "")


def unfaded(statement: dict[str, Any]) -> list[Row]:
    """Return each keepsake that could not be read and did not fade: its memory and kind, and why."""
    kinds = dict(Keepsake.Kind.choices)
    return [
        (
            f"[{memory['number']}] {kinds.get(item['kind'], item['kind'])}",
            str(UNFADED.get(item["because"], item["because"])),
        )
        for memory in statement["destroyed"]
        for item in memory.get("unfaded", [])
    ]


def things(statement: dict[str, Any]) -> list[Row]:
    """Return each physical object and what became of it. People witness that; no key proves it."""
    return [_thing(item) for item in statement.get("things", [])]


def _thing(item: dict[str, Any]) -> Row:
    words = str(THINGS.get(item["state"], item["state"]))
    witnessed = _("seen by %(names)s") % {"names": ", ".join(item.get("witnesses", []))}
    number = item["memory"] if item["memory"] is not None else " "
    return f"[{number}] {item['thing']}", f"{words}; {witnessed}" if item.get("witnesses") else words


def places(statement: dict[str, Any]) -> list[CheckedPlace]:
    """Return every place that the verification checked, with its result.

    Certificates of two formats have been issued: in one the verification has a result under each place's
    name, in the other it has a list `places` of {"place", "found", "why"}.
    """
    found = statement["verification"]
    listed = found.get("places")
    if not isinstance(listed, list):
        listed = [{"place": name, "found": found.get(name), "why": ""} for name in NAMES]
    # Places that cannot be checked are listed elsewhere, under "beyond-our-reach".
    return [checked_place(one) for one in listed if one.get("place") in NAMES]


def checked_place(one: dict[str, Any]) -> CheckedPlace:
    name, result, why = str(one.get("place")), str(one.get("found") or ""), str(one.get("why") or "")
    return CheckedPlace(str(NAMES[name]), result, describe_result(result, why))


def spared(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return for each spared memory its number, why it was spared, and what is left of it."""
    rows = []
    for memory in statement["remains"]["spared"]:
        left = _("whole")
        if memory.get("passes"):
            left = ngettext(
                "faded by %(n)s pass; that frame is kept, sealed",
                "faded by %(n)s passes; that frame is kept, sealed",
                memory["passes"],
            ) % {"n": memory["passes"]}
        because = str(BECAUSE.get(memory["because"], memory["because"]))
        number = memory["number"] if memory["number"] is not None else " "
        rows.append((f"[{number}]", because, left))
    return rows


def outcome(statement: dict[str, Any]) -> str:
    """Return the outcome in words, for a stopped run with the reason."""
    if not is_night(statement):
        return str(Destruction.Outcome(statement["outcome"]).label)
    label = str(Run.Outcome(statement["outcome"]).label)
    why = statement.get("stopped-because")
    return f"{label}, {BECAUSE[why]}" if why in BECAUSE else label


def place(statement: dict[str, Any]) -> str:
    """Return where the run took place, in words."""
    return str(Procedure.Place(statement["place"]).label)
