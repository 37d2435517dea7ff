"""What of this package is compared with the log when it is verified: the digests of locked maps."""

from collections.abc import Mapping

from clinic.audit.comparisons import Rows, Said, register
from clinic.audit.models import Entry
from patients.memories.map_content import map_digest
from patients.memories.models import LockedMap


def stored(map_id: str | None) -> Mapping[str, Said]:
    """Return version and digest of each locked map (or of one), by id; also the digest of its body."""
    rows = LockedMap.objects.filter(pk=map_id) if map_id else LockedMap.objects.all()
    return {
        str(row.pk): {
            "case": row.case_id,
            "version": row.version,
            "digest": row.digest,
            "body": map_digest(row.body),
            "needs review": row.needs_review,
        }
        for row in rows
    }


def logged(entries: list[Entry]) -> Said:
    """Return what the log says of a locked map."""
    entry = entries[-1]
    return {
        "case": entry.case,
        "version": entry.details["version"],
        "digest": entry.details["digest"],
        "body": entry.details["digest"],
        # Entries of earlier releases, which locked maps without a review, do not say it.
        "needs review": entry.details.get("reviewed", False),
    }


register("locked maps", Rows("map", ("map.locked",), stored, logged))
