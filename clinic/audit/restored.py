"""After a backup was restored: records in the log which of its last entries were lost."""

from django.conf import settings
from django.db import transaction

from clinic.audit.checkpoints import Note, NoteInvalid
from clinic.audit.keyring import verify_ours
from clinic.audit.models import Entry
from clinic.audit.proofs import Tree, head_size
from clinic.audit.record import Act, record


def witness_notes() -> list[Note]:
    """Return the notes in the witness directory that we signed."""
    notes = []
    for path in settings.LACUNA_WITNESS_DIR.glob("*.note"):
        try:
            notes.append(verify_ours(path.read_bytes().decode(errors="replace")))
        except NoteInvalid:  # verify_log reports it; here it is ignored
            continue
    return notes


def newest_outside() -> Note | None:
    """Return the note over the most entries in the witness directory, or None if there is none."""
    return max(witness_notes(), key=lambda note: note.size, default=None)


def declare_restored(actor: str, *, whole: bool = False) -> list[Entry]:
    """Record that the last entries of the log were lost in a restore, with the newest witness checkpoint.

    Call it only if a restore is known, from the mark that it leaves or from the key store (rows whose keys
    are gone). Without a restore, a log that is shorter than a checkpoint was cut by somebody. A checkpoint
    that is declared already is not declared again.

    whole: True if the log is, to its last entry, that of a backup with our valid signature. Then witness
    checkpoints that are not longer than the log but do not match it are declared too, an entry for each: an
    older backup had been restored, the log grew from there and was signed, and then this backup was restored
    instead. In any other log such checkpoints are evidence that the log was rewritten.

    Returns the new entries; none if the log matches all checkpoints.
    """
    notes, size = witness_notes(), head_size()
    longest = max((note.size for note in notes), default=0)
    lost = {note.root: note for note in notes if note.size == longest > size}
    if whole:
        tree = Tree(kept=False)
        mismatched = [note for note in notes if note.size <= size and note.root != tree.root(0, note.size)]
        lost |= {note.root: note for note in sorted(mismatched, key=lambda note: note.size)}
    # The restored log may have declarations already, if its backup was made after an earlier restore.
    declared_roots = set(
        Entry.objects.filter(action="audit.restored").values_list("details__root", flat=True)
    )
    acts = [
        Act("audit.restored", "log:checkpoint", actor, details={"size": note.size, "root": note.root.hex()})
        for note in lost.values()
        if note.root.hex() not in declared_roots
    ]
    with transaction.atomic():
        return record(*acts) if acts else []
