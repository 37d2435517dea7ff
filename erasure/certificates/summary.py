"""What a certificate says, in words: one telling for the page, the paper and the public page."""

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
from erasure.verification.result_texts import NAMES, told

Row = tuple[str, object]
STRONG = re.compile(r"<strong>(.*?)</strong>")

# Why a memory is still there: the step's codes.
BECAUSE: dict[str, str | Promise] = {
    "protected": gettext_lazy("kept on purpose, during the night"),
    "staff": gettext_lazy("the team stopped the night"),
    "patient": gettext_lazy("the patient stopped the night"),
    "safe-word": gettext_lazy("the safe word was said"),
    "abort": gettext_lazy("the night was aborted"),
    "withdrawn": gettext_lazy("consent was withdrawn"),
    "restored": gettext_lazy("a backup was restored"),
}
# What became of a thing that can be held, when the certificate was issued.
THINGS: dict[str, str | Promise] = {
    "destroyed": gettext_lazy("destroyed"),
    "returned": gettext_lazy("given back"),
    "open": gettext_lazy("still with the clinic"),
    "with-the-patient": gettext_lazy("never brought to the clinic"),
}


@dataclass(frozen=True)
class Looked:
    """One place of the verification: what it is called, what was found there, and in words."""

    name: str
    result: str
    words: str


def figure(number: int) -> str:
    """A number with narrow spaces between its thousands."""
    return f"{number:,}".replace(",", "\u202f")


def when(text: str | None, since: str | None = "") -> str:
    """A moment of the statement on the clinic's clock; its day is said once for two moments of one day."""
    moment, before = parse_datetime(text) if text else None, parse_datetime(since) if since else None
    if moment is None:
        return text or ""
    local = timezone.localtime(moment)
    same_day = before is not None and timezone.localdate(before) == local.date()
    return date_format(local, "H:i" if same_day else "DATETIME_FORMAT")


def damaged(statement: dict[str, Any]) -> int:
    """Memories that stayed, but not whole: the night had begun on them."""
    return sum(memory["passes"] > 0 for memory in statement["remains"]["spared"])


def figures(statement: dict[str, Any]) -> list[Row]:
    """What was destroyed and what was not, as the statement has it."""
    remains, destroyed = statement["remains"], statement["destroyed"]
    kept = [memory for memory in remains["spared"] if memory["because"] == "protected"]
    rows: list[Row] = [
        (_("Memories destroyed"), len(destroyed)),
        (_("Stored objects, their keys destroyed"), sum(memory["objects"] for memory in destroyed)),
        (_("Bytes they held"), figure(sum(memory["bytes"] for memory in destroyed))),
        (_("Kept on purpose beforehand"), remains["protected-beforehand"]),
        (_("Kept during the night"), len(kept)),
        (_("Not reached, or spared"), len(remains["spared"]) - len(kept)),
        (_("Copies found off the map"), len(remains["copies"])),
    ]
    return [row for place, row in enumerate(rows) if place < 4 or row[1]]


def opening(statement: dict[str, Any]) -> str:
    """The first sentence, up to the name of whose memories they were."""
    values = {"first": when(statement["started"]), "last": when(statement["finished"], statement["started"])}
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
    """The sentence goes on: how many were destroyed. In parts, of which the number is bold."""
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
    """What must be said beside the number: that it is not all, and that some of it is damaged."""
    said = []
    if statement["outcome"] == "partial":
        said.append(_("Not all that was on the map is gone. What remains is counted below."))
    elif statement["outcome"] == "stopped":
        said.append(_("What was not reached is whole. What was gone stays gone."))
    if n := damaged(statement):
        said.append(
            ngettext(
                "%(n)s memory stayed, but not whole: it had begun to fade.",
                "%(n)s memories stayed, but not whole: they had begun to fade.",
                n,
            )
            % {"n": n}
        )
    if n := sum(item["state"] == "open" for item in statement.get("things", [])):
        said.append(
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
        said.append(_("The verification afterwards found something left. The places are named below."))
    elif result(statement) != "clean":
        said.append(_("It was not verified afterwards."))
    return said


def result(statement: dict[str, Any]) -> str:
    """The verification's result: clean, found, or nothing where there was none."""
    return str(statement["verification"].get("result", ""))


def verified(statement: dict[str, Any]) -> str:
    """The verification's result in words."""
    return told(result(statement), "")


def things(statement: dict[str, Any]) -> list[Row]:
    """Things that can be held, and what became of each: people witnessed it, no key proves it."""
    return [_thing(item) for item in statement.get("things", [])]


def _thing(item: dict[str, Any]) -> Row:
    words = str(THINGS.get(item["state"], item["state"]))
    seen = _("seen by %(names)s") % {"names": ", ".join(item.get("witnesses", []))}
    return f"[{item['memory']}] {item['thing']}", f"{words}; {seen}" if item.get("witnesses") else words


def places(statement: dict[str, Any]) -> list[Looked]:
    """Every place that was looked into, and what was found there.

    A verification is either flat (each place's result by its name), or it lists `places` of
    {"place", "found", "why"}; certificates of both kinds have been given out.
    """
    found = statement["verification"]
    listed = found.get("places")
    if not isinstance(listed, list):
        listed = [{"place": name, "found": found.get(name), "why": ""} for name in NAMES]
    # What nobody can look into is told apart, under "beyond our reach".
    return [looked(one) for one in listed if one.get("place") in NAMES]


def looked(one: dict[str, Any]) -> Looked:
    name, result, why = str(one.get("place")), str(one.get("found") or ""), str(one.get("why") or "")
    return Looked(str(NAMES[name]), result, told(result, why))


def spared(statement: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Each memory that was to go and stayed: its number, why, and what of it is left."""
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
    """The outcome in words; a stopped night says who stopped it."""
    label = str(Run.Outcome(statement["outcome"]).label)
    why = statement.get("stopped-because")
    return f"{label}, {BECAUSE[why]}" if why in BECAUSE else label


def place(statement: dict[str, Any]) -> str:
    """Where it was done."""
    return str(Procedure.Place(statement["place"]).label)
