"""Declares that a restore lost the end of the log, and reads what was declared.

A restored log ends where the backup was made. `manage.py restore` signs a restore note (checkpoints.py) that
names the head of the restored log and every checkpoint over entries that were lost. The next start records
the note in the log. Only this command signs one, and an operator who says afterwards that there was a
restore. The start signs none: otherwise somebody who can write to the database could cut the log, and the
next start would declare that a restore did it.
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
    """Return each note in the witness directory that we signed: its text and its content."""
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
    """How the notes in the witness directory agree with the stored log.

    head: the head of the stored log. notes: text and content of the restore notes that match it. lost: heads
    of notes that do not match it and that none of these restore notes explains, the longest log first. told:
    other heads that are named only in restore notes which do not match.
    """

    head: Head
    lost: tuple[Head, ...]
    told: tuple[Head, ...]
    notes: tuple[tuple[str, Note], ...]


def compare_with_witness() -> Comparison:
    """Compare the stored log with every note in the witness directory. Reads the leaf hash of every entry.

    Errors: LookupError if the log has gaps, or the stored head does not belong to the entries; ValueError if
    the head contradicts itself.
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
    """Sign and return a note that names the checkpoints that the restore lost; None if it lost none.

    Call it only after restoring a backup whose signature was checked, and before anything is added to its
    log. When it returns, the note's file is on the disk. The next start adds the note's row, because the
    restored tables may be of an older version. Errors: OSError, LookupError if the log has gaps.
    """
    found = compare_with_witness()
    if not found.lost:
        return None
    text = write_restore_note(found.head, found.lost + found.told, RESTORED)
    keep_outside(text)
    return read_note(text)


def declare_restored(actor: str) -> list[Entry]:
    """Record in the log that its former end was lost in a restore. Return the new entries.

    Call it only if there certainly was a restore: it left its mark, or the key store lacks keys of rows. Each
    restore note that is not recorded yet gets an entry, and a row beside the checkpoints. If no note explains
    the newest checkpoint of a longer log, the entry says that it is not signed, and verify_log reports it.
    Nothing is recorded twice. Nothing is recorded in a log with gaps, which verify_log reports too.
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

    It is for restores that no note declares: those by older versions, and those without the command. Returns
    the note, which says that it was signed afterwards; None if every checkpoint matches or is explained.
    reason: as the operator typed it, for the log. Errors: OSError, ValueError; LookupError if the log has
    gaps.
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
    """Return the stored restore notes that we signed and that match the stored log."""
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
    """Return when the newest of `declared_notes` was signed, or None if there are none."""
    return max((datetime.fromisoformat(note.at) for note in declared_notes()), default=None)
