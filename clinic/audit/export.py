"""The log as a file that proves itself: JSON lines, signed, each entry's line the very bytes of its leaf."""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime

from clinic.audit.canonical import canonical, dump, moment
from clinic.audit.checkpoints import sign, verifier_key
from clinic.audit.models import Checkpoint, EntryQuerySet
from clinic.audit.proofs import BATCH, head_size


def export(entries: EntryQuerySet, asked: Mapping[str, str], at: datetime) -> bytes:
    """Return `entries` as signed JSON lines, oldest first.

    asked: the filters that chose them, as text. at: when. The first line says what this is; each line up to
    the last is one entry in canonical form, so that SHA-256(0x00 || line) is its leaf; the last line carries
    the newest checkpoint and the signature of every byte before it.
    """
    chosen = {name: value for name, value in sorted(asked.items()) if value}
    head = {"kind": "lacuna-audit-export", "v": 1, "at": moment(at), "filters": chosen, "log": head_size()}
    rows = entries.order_by("index")
    body = b"".join(line + b"\n" for line in [dump(head), *map(canonical, rows.iterator(chunk_size=BATCH))])
    newest = Checkpoint.objects.last()
    foot = {
        "kind": "signature",
        "key": verifier_key(),
        "sha256": hashlib.sha256(body).hexdigest(),
        "signature": base64.b64encode(sign(body)).decode(),
        "checkpoint": newest.note if newest else "",
    }
    return body + dump(foot) + b"\n"
