"""After a backup was restored: say in the log what end of it is gone, so that nobody must guess."""

from django.conf import settings
from django.db import transaction

from clinic.audit.checkpoints import Note, NoteInvalid
from clinic.audit.keyring import verify_ours
from clinic.audit.models import Entry
from clinic.audit.proofs import Tree, head_size
from clinic.audit.record import Act, record


def outside() -> list[Note]:
    """Return what the notes in the witness directory state, those that we signed."""
    notes = []
    for path in settings.LACUNA_WITNESS_DIR.glob("*.note"):
        try:
            notes.append(verify_ours(path.read_bytes().decode(errors="replace")))
        except NoteInvalid:  # verify_log says so; here it is merely no witness
            continue
    return notes


def newest_outside() -> Note | None:
    """Return the longest log that a note in the witness directory was signed over, if there is any."""
    return max(outside(), key=lambda note: note.size, default=None)


def declare_restored(actor: str, *, whole: bool = False) -> list[Entry]:
    """Record that the log's end was lost to a restore, naming the newest outside checkpoint; once.

    Only for a caller that knows of the restore, from its mark or from the key store (rows whose keys are
    gone): a log that is merely shorter than its checkpoint was cut. `whole`: the log is, to its last entry,
    that of a backup as the house signed it. Then outside checkpoints no longer than it that it does not give
    are declared too, each by itself: an older backup was brought back before, the log grew from there and
    was signed, and now this one was brought back in its stead. In any other log they are the marks of a
    rewriting. Returns the entries, none where nothing that left lacks its log.
    """
    notes, size = outside(), head_size()
    longest = max((note.size for note in notes), default=0)
    lost = {note.root: note for note in notes if note.size == longest > size}
    if whole:
        tree = Tree(kept=False)
        signed = [note for note in notes if note.size <= size and note.root != tree.root(0, note.size)]
        lost |= {note.root: note for note in sorted(signed, key=lambda note: note.size)}
    # A backup made after a restore declares already what that one lost, and not what went since.
    said = set(Entry.objects.filter(action="audit.restored").values_list("details__root", flat=True))
    acts = [
        Act("audit.restored", "log:checkpoint", actor, details={"size": note.size, "root": note.root.hex()})
        for note in lost.values()
        if note.root.hex() not in said
    ]
    with transaction.atomic():
        return record(*acts) if acts else []
