"""Makes the paper of a consent: a PDF with the text, the list and the signatures, as they were signed.

It shows no picture. A picture on it would be one more copy to destroy, and the patient takes the paper home.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from clinic.audit.canonical import dump
from clinic.papers.typesetting import fonts_for, missing_letters, typeset, without_letters
from patients.cases.models import Case
from patients.consent.cooling_off import CoolingOff
from patients.consent.models import ConsentText
from patients.consent_papers.consent_list import ConsentList, ListedMemory
from patients.consent_papers.list_words import beyond_reach


@dataclass(frozen=True)
class Signing:
    """What is signed, and by whom.

    name, witness: as they were typed; witness is "" if there is none. at: when the paper was made. listed,
    cooling_off: None for a consent to keep what is brought. may_extend: whether the doctor may erase a copy
    that is found outside the map.
    """

    case: Case
    text: ConsentText
    name: str
    at: datetime
    listed: ConsentList | None = None
    cooling_off: CoolingOff | None = None
    map_version: int = 0
    may_extend: bool = False
    witness: str = ""


def render_paper(signing: Signing) -> bytes:
    """Return the paper as PDF/A-3 in the active language. The same content gives the same bytes.

    Two files are attached: the list as canonical JSON, whose SHA-256 is the digest that is signed, and the
    names of those who sign, with that digest.
    """
    language = (get_language() or "en")[:2]
    listed = signing.listed
    words = {
        "lang": language,
        "fonts": fonts_for(language),
        "title": _("Consent to the procedure") if listed else _("Consent to keeping what is brought"),
        "reference": signing.case.reference,
        "opening": _("%(name)s has read this, and signed it.") % {"name": signing.case.patient.name},
        "text": [" ".join(part.split()) for part in signing.text.body.split("\n\n")],
        "list": _list_parts(listed) if listed else [],
        "beyond": {"title": _("What we cannot do"), "items": beyond_reach(listed) if listed else []},
        "facts": {"title": _("What was signed"), "rows": _facts(signing)},
        "signatures": _signatures(signing),
        "warning": _(
            "This paper names what you want to forget, and we cannot destroy your copy of it. Nobody can open"
            " ours any more once the first thing on it is destroyed."
        ),
        "attached": {
            "list": _("The list, as it is signed: the digest of these bytes is in the clinic’s log"),
            "signed": _("What was signed, and the names as they were written"),
        },
    }
    remark = _(
        "The typefaces of this paper lack some letters. The attached files have everything as it is written."
    )
    missing = missing_letters(words, language)
    data = {
        **without_letters(words, missing),
        "remark": remark if missing else "",
        "list_file": listed.file.decode() if listed else "",
        "signed_file": dump(_signed(signing)).decode(),
    }
    return typeset("patients/consent_papers/paper.typ", data, signing.at)


def _list_parts(listed: ConsentList) -> list[dict[str, Any]]:
    """Return the parts of the list: each with a title, a sentence if it needs one, and its memories."""
    n = len(listed.erased)
    erased = ngettext("%(n)d memory is erased", "%(n)d memories are erased, in this order", n) % {"n": n}
    parts = [_part(erased, listed.erased)]
    if not (listed.protected or listed.childhood or listed.unplaced):
        parts.append(_part(_("What stays"), note=_("Nothing you brought stays.")))
    if listed.protected:
        parts.append(_part(_("What stays: kept on purpose"), listed.protected))
    if listed.childhood:
        parts.append(_part(_("What stays: your childhood"), listed.childhood))
    if listed.unplaced:
        things = [one.described for one in listed.unplaced]
        part = _part(_("What stays: in no memory"))
        parts.append({**part, "memories": [{"number": "", "title": "", "words": "", "keepsakes": things}]})
    if listed.gone:
        numbers = " ".join(f"[{number}]" for number in listed.gone)
        parts.append(_part(_("Gone already, in an earlier night"), note=numbers))
    return parts


def _part(title: str, memories: tuple[ListedMemory, ...] = (), *, note: str = "") -> dict[str, Any]:
    return {"title": title, "note": note, "memories": _memories(memories)}


def _memories(listed: tuple[ListedMemory, ...]) -> list[dict[str, Any]]:
    return [
        {
            "number": f"[{one.number}]" if one.number else "",
            "title": one.name,
            "words": one.described,
            "keepsakes": [keepsake.described for keepsake in one.keepsakes],
        }
        for one in listed
    ]


def _facts(signing: Signing) -> list[tuple[str, str, bool]]:
    """Return the rows of what was signed: label, value, and whether the value is a digest."""
    rows = [
        (_("Made"), date_format(timezone.localtime(signing.at), "DATETIME_FORMAT"), False),
        (_("Text"), _("version %(version)s") % {"version": signing.text.version}, False),
        (_("Digest of the text"), signing.text.digest, True),
    ]
    if (listed := signing.listed) is None:
        return rows
    extended = (
        _("The doctor may erase a copy that is found outside the map.")
        if signing.may_extend
        else _("The doctor may not erase a copy that is found outside the map.")
    )
    hours = f"{signing.cooling_off.hours:g}" if signing.cooling_off else "0"
    return [
        *rows,
        (_("Map"), _("version %(version)s") % {"version": signing.map_version}, False),
        (_("Digest of the map"), listed.map_digest, True),
        (_("Digest of the list"), listed.digest, True),
        (_("Copies"), extended, False),
        (_("Time to think it over"), _("%(hours)s hours from the signature") % {"hours": hours}, False),
    ]


def _signatures(signing: Signing) -> list[dict[str, str]]:
    """Return the signatures: the name as it was typed, and who that is."""
    found = [{"name": signing.name, "who": _("Signed by %(name)s") % {"name": signing.case.patient.name}}]
    if signing.witness:
        found.append({"name": signing.witness, "who": _("Signed as a witness, who was there")})
    return found


def _signed(signing: Signing) -> dict[str, Any]:
    """Return what was signed as data: digests, the answers, and the names as they were written."""
    return {
        "consent": str(signing.text.kind),
        "text": signing.text.digest,
        "map": signing.listed.map_digest if signing.listed else "",
        "list": signing.listed.digest if signing.listed else "",
        "may-extend": signing.may_extend,
        "signed": signing.name,
        "witness": signing.witness,
    }
