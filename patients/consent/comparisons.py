"""What of this package is compared with the log when it is verified: what each patient signed."""

from collections.abc import Mapping

from clinic.audit.comparisons import Rows, Said, register
from clinic.audit.models import Entry
from patients.consent.models import ConsentText, Signature

SIGNED, WITHDRAWN = "consent.signed", "consent.withdrawn"
NAMES = ("kind", "version", "text", "map", "may_extend")
# Only entries of signatures that have it say this. What it is otherwise:
LATER_NAMES = {"list": "", "paper": "", "witnessed": False}


def stored(signature_id: str | None) -> Mapping[str, Said]:
    """Return what each signature (or one) is under, by id."""
    rows = Signature.objects.select_related("text")
    return {
        str(row.pk): {
            "case": row.case_id,
            "signed by": f"user:{row.signed_by_id}",
            "kind": str(row.text.kind),
            "version": row.text.version,
            "text": row.text_digest,
            "map": row.map_digest,
            "may_extend": row.may_extend,
            "list": row.list_digest,
            "paper": row.paper_digest,
            "witnessed": row.witnessed,
            "withdrawn": row.withdrawn_at is not None,
        }
        for row in (rows.filter(pk=signature_id) if signature_id else rows)
    }


def logged(entries: list[Entry]) -> Said:
    """Return what the log says of a signature, and whether it was withdrawn."""
    said: dict[str, object] = {"withdrawn": any(entry.action == WITHDRAWN for entry in entries)}
    for entry in entries:
        said["case"] = entry.case
        if entry.action == SIGNED:
            said |= {"signed by": entry.actor, **{name: entry.details[name] for name in NAMES}}
            said |= {name: entry.details.get(name, usual) for name, usual in LATER_NAMES.items()}
    return said


def must_be_logged(said: Said) -> bool:
    """Return whether the log must have an entry on a signature: nothing is erased by a storage consent."""
    return said["kind"] == ConsentText.Kind.PROCEDURE.value


register("consents", Rows("signature", (SIGNED, WITHDRAWN), stored, logged, must_be_logged))
