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


def figures(statement: dict[str, Any]) -> list[Row]:
    """Return the figures of the statement, labelled. The last three are left out if they are 0."""
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


def closing(statement: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rest of the first sentence: how many memories were destroyed.

    In parts; the number is bold.
    """
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
    return f"[{item['memory']}] {item['thing']}", f"{words}; {witnessed}" if item.get("witnesses") else words


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
        if memory["passes"]:
            left = ngettext(
                "faded by %(n)s pass; that frame is kept, sealed",
                "faded by %(n)s passes; that frame is kept, sealed",
                memory["passes"],
            ) % {"n": memory["passes"]}
        because = str(BECAUSE.get(memory["because"], memory["because"]))
        rows.append((f"[{memory['number']}]", because, left))
    return rows


def outcome(statement: dict[str, Any]) -> str:
    """Return the outcome in words, for a stopped run with the reason."""
    label = str(Run.Outcome(statement["outcome"]).label)
    why = statement.get("stopped-because")
    return f"{label}, {BECAUSE[why]}" if why in BECAUSE else label


def place(statement: dict[str, Any]) -> str:
    """Return where the run took place, in words."""
    return str(Procedure.Place(statement["place"]).label)
