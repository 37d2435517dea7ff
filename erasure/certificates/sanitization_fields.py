"""The second page of a certificate: fields modelled on the sample certificate in NIST SP 800-88."""

from collections import Counter
from typing import Any, NamedTuple

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from clinic.accounts.models import Role
from erasure.certificates import summary
from erasure.verification.result_texts import BEYOND
from patients.keepsakes.models import Keepsake

CUSTODY = {
    "wrapped-slot": gettext_lazy(
        "The key above all keys stood in a slot of its own, wrapped by a root key. A residue of that slot"
        " together with a copied root key would be the weakest point."
    ),
    "token": gettext_lazy(
        "The key above all keys existed only inside a hardware token, and was destroyed there."
    ),
}


class Fact(NamedTuple):
    """One row. mono: the value is set in monospace, because people compare it digit by digit."""

    label: str
    value: str
    mono: bool = False


class Section(NamedTuple):
    title: str
    rows: list[Fact]


def sections(statement: dict[str, Any], digest: str) -> list[Section]:
    """Return everything stated except what is on the first page and in the table of memories."""
    things = [Fact(label, str(words)) for label, words in summary.things(statement)]
    return [
        Section(_("What was destroyed"), destroyed_rows(statement)),
        *([Section(_("Things, witnessed by people and proved by no key"), things)] if things else []),
        Section(_("How"), method_rows(statement)),
        Section(_("Who, when and where"), people_rows(statement)),
        Section(_("Looked at afterwards"), verification_rows(statement)),
        Section(_("In the log"), log_rows(statement, digest)),
    ]


def destroyed_rows(statement: dict[str, Any]) -> list[Fact]:
    kinds: Counter[str] = Counter()
    for memory in statement["destroyed"]:
        kinds.update(memory.get("kinds", {}))
    labels = dict(Keepsake.Kind.choices)
    keepsakes = ", ".join(f"{labels.get(kind, kind)} {n}" for kind, n in sorted(kinds.items()))
    objects = sum(memory["objects"] for memory in statement["destroyed"])
    size = summary.group_thousands(sum(memory["bytes"] for memory in statement["destroyed"]))
    stored = ngettext(
        "%(n)s stored object, %(size)s bytes", "%(n)s stored objects, %(size)s bytes", objects
    ) % {"n": objects, "size": size}
    return [
        Fact(_("Outcome"), capfirst(summary.outcome(statement))),
        *([Fact(_("Keepsakes"), capfirst(keepsakes))] if keepsakes else []),
        Fact(_("Objects"), stored),
        *(
            Fact(_("Not faded, destroyed as it was"), f"{label}: {why}")
            for label, why in summary.unfaded(statement)
        ),
        *([Fact(_("Map, SHA-256"), statement["map"], mono=True)] if "map" in statement else []),
    ]


def method_rows(statement: dict[str, Any]) -> list[Fact]:
    method, keys, policies = statement["method"], statement["keys"], statement["policies"]
    if summary.is_night(statement):
        technique = _(
            "Each picture was computed from the one before it and fresh noise, and stored under a key of its"
            " own; then the key before was destroyed. At the end every key was."
        )
    else:
        technique = _(
            "Nothing faded: the key of every stored object and of all its words was destroyed at once."
        )
    destruction = _(
        "Each key was overwritten in place, flushed and read back; then the key above all keys was replaced."
    )
    rows = [
        Fact(_("Method"), technique),
        Fact(_("Cipher"), method["cipher"]),
        Fact(_("Keys"), destruction),
        Fact(_("Key above all keys"), str(CUSTODY.get(keys["custody"], keys["custody"]))),
        Fact(_("Mirrors of the keys"), str(keys["mirrors"])),
        *(
            Fact(_("Limit"), f"{warning['place']}: {warning['file-system']}, {warning['reason']}")
            for warning in keys["warnings"]
        ),
        Fact(_("Tool"), ", ".join(filter(None, [f"Lacuna {method['tool-version']}", method.get("runs-on")]))),
    ]
    if made_in := demonstration_words(policies):
        rows.append(Fact(_("Policies"), made_in))
    return rows


def demonstration_words(policies: dict[str, Any]) -> str:
    """Return that it was made in the demonstration, and under which policies; "" for any other clinic."""
    if not policies["demonstration"]:
        return ""
    if "cooling-off-hours" not in policies:  # what a patient had destroyed outside a night
        return _("Made in the demonstration clinic.")
    return _(
        "Made in the demonstration clinic. Hours to think it over: %(hours)s. Minutes between two presence "
        "checks: %(minutes)s. 0: none."
    ) % {"hours": policies["cooling-off-hours"], "minutes": policies["presence-check-minutes"]}


def _people_rows_outside(statement: dict[str, Any]) -> list[Fact]:
    """Return who ordered a destruction outside a night, and when it was done."""
    consent = statement["consent-to-keep"] or {}
    by_patient = statement["asked-by"] == "patient"
    rows = [
        Fact(_("Ordered by"), _("the patient") if by_patient else _("nobody: the time of keeping was over")),
        Fact(_("Ordered"), summary.format_time(statement["asked"])),
        Fact(_("Consent to keep, signed"), summary.format_time(consent.get("signed"))),
        Fact(_("Consent withdrawn"), summary.format_time(consent.get("withdrawn"))),
        Fact(_("Begun"), summary.format_time(statement["started"])),
        Fact(_("Ended"), summary.format_time(statement["finished"])),
        Fact(_("Issued"), summary.format_time(statement["issued"])),
    ]
    return [row for row in rows if row.value]


def people_rows(statement: dict[str, Any]) -> list[Fact]:
    if not summary.is_night(statement):
        return _people_rows_outside(statement)
    roles = dict(Role.choices)
    consent = statement["consent"]
    rows = [
        Fact(capfirst(str(roles.get(one["role"], one["role"]))), one["name"]) for one in statement["team"]
    ]
    rows += [
        Fact(_("Consent signed"), summary.format_time(consent["signed"])),
        Fact(_("Begun"), summary.format_time(statement["started"])),
        Fact(_("Ended"), summary.format_time(statement["finished"])),
        Fact(_("Issued"), summary.format_time(statement["issued"])),
        Fact(pgettext("place", "Where"), capfirst(summary.place(statement))),
    ]
    if consent["withdrawn"]:
        rows.insert(len(rows) - 4, Fact(_("Consent withdrawn"), summary.format_time(consent["withdrawn"])))
    return rows


def verification_rows(statement: dict[str, Any]) -> list[Fact]:
    return [Fact(capfirst(place.name), place.words) for place in summary.places(statement)]


def log_rows(statement: dict[str, Any], digest: str) -> list[Fact]:
    proofs = statement["log"]
    _origin, size, root = proofs["checkpoint"].split("\n")[:3]
    numbers = sorted(entry.get("index", 0) for entry in proofs["entries"])
    return [
        Fact(_("Log"), proofs["origin"], mono=True),
        Fact(_("Entries proved"), number_ranges(numbers), mono=True),
        Fact(_("Checkpoint"), f"{size} / {root}", mono=True),
        Fact(_("Verifier key"), proofs["verifier-key"], mono=True),
        Fact(_("SHA-256 of the signed statement"), digest, mono=True),
    ]


def number_ranges(numbers: list[int]) -> str:
    """Return "3 5-9 12" for sorted numbers."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return " ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in ranges)


def unverifiable(statement: dict[str, Any]) -> list[str]:
    """Return what nobody can check from here, translated where there is a translation."""
    return [str(_(BEYOND.get(key, text))) for key, text in statement["beyond-our-reach"].items()]
