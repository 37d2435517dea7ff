"""A restore gives up the end of the log: who declares that, how, and what was declared.

`manage.py restore` signs a restore note (checkpoints.py) that names the head of the restored log and every
checkpoint over entries that it gave up. The next start records it in the log. Nothing else signs one, except
an operator who says afterwards that there was a restore: else whoever can write to the database could have
a cut log declared by the next start.
"""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from clinic.audit.canonical import DetailInput
from clinic.audit.checkpoints import (
    AFTERWARDS,
    RESTORED,
    Head,
    Note,
    NoteInvalid,
    keep_outside,
    read_note,
    write_restore_note,
)
from clinic.audit.keyring import verify_ours
from clinic.audit.models import Checkpoint, Entry, TreeHead
from clinic.audit.proofs import Tree, head_size
from clinic.audit.record import Act, record

DECLARED = "audit.restored"


def witness_notes() -> list[Note]:
    """Return the notes in the witness directory that we signed."""
    return [note for _text, note in _witness_texts()]


def _witness_texts() -> list[tuple[str, Note]]:
    """Return text and content of each note in the witness directory that we signed."""
    notes = []
    for path in sorted(settings.LACUNA_WITNESS_DIR.glob("*.note")):
        text = path.read_bytes().decode(errors="replace")
        try:
            notes.append((text, verify_ours(text)))
        except NoteInvalid:  # verify_log reports it; here it is ignored
            continue
    return notes


def newest_outside() -> Note | None:
    """Return the note over the most entries in the witness directory, or None if there is none."""
    return max(witness_notes(), key=lambda note: note.size, default=None)


@dataclass(frozen=True)
class Comparison:
    """What the notes in the witness directory say of the stored log.

    head: of the stored log. lost: heads that do not match it and that no restore note explains, longest
    first. told: heads that restore notes explained which are themselves of a log that was given up. notes:
    text and content of the restore notes that match.
    """

    head: Head
    lost: tuple[Head, ...]
    told: tuple[Head, ...]
    notes: tuple[tuple[str, Note], ...]


def compare_with_witness() -> Comparison:
    """Compare the stored log with every note in the witness directory. Reads all entries' leaf hashes.

    Errors: LookupError if the log has gaps, or its head is not that of its entries; ValueError if the head
    contradicts itself.
    """
    row = TreeHead.objects.first() or TreeHead()
    head, tree, texts = (row.size, row.as_frontier().root()), Tree(kept=False), _witness_texts()
    if tree.root(0, row.size) != head[1]:
        raise LookupError("the log's head is not that of its entries")

    def is_of_this_log(note: Note) -> bool:
        return note.size <= head[0] and note.root == tree.root(0, note.size)

    matching = tuple((text, note) for text, note in texts if note.restored and is_of_this_log(note))
    explained = {one for _text, note in matching for one in note.lost}
    others = [note for _text, note in texts if note.head not in explained and not is_of_this_log(note)]
    lost = tuple(sorted({note.head for note in others}, reverse=True))
    told = {one for note in others for one in note.lost} - explained - set(lost)
    return Comparison(head, lost, tuple(sorted(told, reverse=True)), matching)


def sign_restore() -> Note | None:
    """Sign which checkpoints the restored log gave up, and return the note; None if it gave up none.

    Call it only after a backup was restored whose signature was checked, before anything is added to its log.
    The note's file is durable on return. Its row is added by the next start: the tables may be of an older
    version. Errors: OSError, LookupError if the log has gaps.
    """
    found = compare_with_witness()
    if not found.lost:
        return None
    text = write_restore_note(found.head, found.lost + found.told, RESTORED)
    keep_outside(text)
    return read_note(text)


def declare_restored(actor: str) -> list[Entry]:
    """Record in the log that its former end was lost in a restore. Return the new entries.

    Call it only if a restore is known, from the mark that it leaves or from the key store (rows whose keys
    are gone). Each restore note that is not recorded yet gets an entry, and a row beside the checkpoints.
    Without a note, the newest checkpoint of a longer log is recorded as not signed, and verify_log reports
    it. Nothing is recorded twice, and nothing in a log with gaps, which verify_log reports.
    """
    try:
        found = compare_with_witness()
    except (LookupError, ValueError):
        return []
    kept = set(Checkpoint.objects.filter(reason=RESTORED).values_list("note", flat=True))
    signed = {max(note.lost): note for _text, note in found.notes if note.restored == RESTORED}
    acts = [_act(actor, head, signed=True, heads=len(note.lost)) for head, note in sorted(signed.items())]
    acts += [_act(actor, head, signed=False, heads=1) for head in found.lost[:1] if head[0] > found.head[0]]
    # The restored log may have declarations already, if its backup was made after an earlier restore.
    known = set(Entry.objects.filter(action=DECLARED).values_list("details__root", flat=True))
    acts = [act for act in acts if act.details["root"] not in known]
    with transaction.atomic():
        for text, note in found.notes:
            if text not in kept:
                keep_row(text, note)
        return record(*acts) if acts else []


def _act(actor: str, head: Head, *, signed: bool, heads: int) -> Act:
    size, root = head
    details: dict[str, DetailInput] = {"size": size, "root": root.hex(), "signed": signed, "heads": heads}
    return Act(DECLARED, "log:checkpoint", actor, details=details)


def keep_row(text: str, note: Note) -> Checkpoint:
    """Store a restore note beside the checkpoints, and return its row."""
    return Checkpoint.objects.create(
        size=note.size, root=note.root, note=text, reason=RESTORED, at=timezone.now()
    )


def declare_afterwards(reason: str) -> Note | None:
    """Sign now, and record, that the checkpoints that do not match the log were lost in a restore.

    For restores that no note declares: those of older versions, and databases restored without the command.
    The note says that it was signed afterwards. reason: as the operator typed it, for the log. Return None if
    every checkpoint matches or is explained. Errors: OSError, LookupError if the log has gaps, ValueError.
    """
    found = compare_with_witness()
    if not found.lost:
        return None
    text = write_restore_note(found.head, found.lost + found.told, AFTERWARDS)
    note, (size, root) = read_note(text), found.lost[0]
    details: dict[str, DetailInput] = {
        "size": size,
        "root": root.hex(),
        "signed": True,
        "heads": len(note.lost),
    }
    with transaction.atomic():
        # The file first: if a row has no file, somebody removed the file.
        keep_outside(text)
        keep_row(text, note)
        act = Act("audit.restore-signed", "log:checkpoint", "system:operator", details=details, reason=reason)
        record(act)
    return note


def declared_notes() -> list[Note]:
    """Return the stored restore notes that we signed and that are over the stored log."""
    tree, found, size = Tree(), [], head_size()
    for row in Checkpoint.objects.filter(reason=RESTORED).order_by("pk"):
        try:
            note = verify_ours(row.note)
            if note.restored and note.size <= size and note.root == tree.root(0, note.size):
                found.append(note)
        except (NoteInvalid, LookupError):  # verify_log reports it
            continue
    return found


def restore_declared_at() -> datetime | None:
    """Return when a restore was last declared by a note that we signed over the stored log, or None."""
    return max((datetime.fromisoformat(note.at) for note in declared_notes()), default=None)
