"""After a backup was restored: say in the log what end of it is gone, so that nobody must guess."""

from django.conf import settings
from django.db import transaction

from clinic.audit.canonical import Telling
from clinic.audit.checkpoints import Note, NoteInvalid, public_key, verify_note
from clinic.audit.models import Entry
from clinic.audit.proofs import head_size
from clinic.audit.record import Act, record


def newest_outside() -> Note | None:
    """Return the longest log that a note in the witness directory was signed over, if there is any."""
    notes = []
    for path in settings.LACUNA_WITNESS_DIR.glob("*.note"):
        try:
            notes.append(verify_note(path.read_bytes().decode(errors="replace"), public_key()))
        except NoteInvalid:  # verify_log says so; here it is merely no witness
            continue
    return max(notes, key=lambda note: note.size, default=None)


def declare_restored(actor: str) -> Entry | None:
    """Record that the log's end was lost to a restore, naming the newest outside checkpoint.

    Only for a caller that knows of the restore from the key store (rows whose keys are gone): a log that is
    merely shorter than its checkpoint was cut. Returns None where nothing that left is longer than the log.
    """
    newest = newest_outside()
    if newest is None or newest.size <= head_size():
        return None
    lost: dict[str, Telling] = {"size": newest.size, "root": newest.root.hex()}
    with transaction.atomic():
        (entry,) = record(Act("audit.restored", "log:checkpoint", actor, details=lost))
    return entry
