"""Writes notes on a case, and strikes them out."""

from dataclasses import dataclass, replace
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from clinic.names import compose
from patients.cases.models import Case
from patients.notes.models import CaseNote, NoteFields
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many

MAX_NOTE_CHARACTERS = 2000
MAX_REASON_CHARACTERS = 200


class NoteRefused(Exception):
    """The note cannot be written or struck out; the message says why."""


@dataclass(frozen=True)
class Note:
    """A note as a page shows it. words, reason: "" once the case's key is destroyed.

    seen: the mark for the button that strikes it out; "" if the reader cannot strike it out.
    """

    row: CaseNote
    words: str
    reason: str
    seen: str


def _mark(row: CaseNote) -> str:
    return seen_mark(f"note:{row.pk}", row.struck_at)


def notes_of(case: Case, *, reader: User) -> list[Note]:
    """Return the notes on a case, the oldest first, in two queries."""
    rows = list(CaseNote.objects.filter(case=case).select_related("written_by").order_by("written_at", "pk"))
    fields_by_id = read_many(rows)
    notes = []
    for row in rows:
        fields = fields_by_id.get(row.pk, NoteFields())
        may_strike = row.written_by_id == reader.pk and row.struck_at is None and row.pk in fields_by_id
        notes.append(Note(row, fields.words, fields.reason, seen=_mark(row) if may_strike else ""))
    return notes


def _clean(text: str, most: int, if_empty: str) -> str:
    """Return a typed text as it is stored. most: characters. if_empty: the refusal if nothing was typed.

    Errors: NoteRefused.
    """
    text = compose(text.replace("\0", "").replace("\r\n", "\n")).strip()
    if not text:
        raise NoteRefused(if_empty)
    if len(text) > most:
        raise NoteRefused(_("That is too long. Please write at most %(most)d characters.") % {"most": most})
    return text


@transaction.atomic
def write_note(case: Case, words: str, *, note: UUID, by: User) -> CaseNote:
    """Add a note to a case and return it. A repeated call with the same id adds nothing.

    note: the id that the page's form carries. Errors: NoteRefused.
    """
    words = _clean(words, MAX_NOTE_CHARACTERS, _("Please write something first."))
    Case.objects.select_for_update().get(pk=case.pk)
    existing = CaseNote.objects.filter(pk=note).first()
    if existing is not None:
        if (existing.case_id, existing.written_by_id) != (case.pk, by.pk):
            raise NoteRefused(_("This form was used before. Please write the note in a new one."))
        return existing
    row = CaseNote(pk=note, case=case, written_by=by)
    try:
        row.write(NoteFields(words=words))
    except KeyGone:
        raise NoteRefused(_("The words of this file are destroyed, so no note can be added.")) from None
    row.save(force_insert=True)
    record(Act("note.written", f"note:{row.pk}", actor=actor_of(by), case=case.pk))
    return row


@transaction.atomic
def strike_note(note: CaseNote, reason: str, *, seen: str | None = None, by: User) -> CaseNote:
    """Strike out one's own note, with a reason. Its words stay legible.

    seen: the mark on the page; None where no page was shown. Errors: NoteRefused.
    """
    row = CaseNote.objects.select_for_update().get(pk=note.pk)
    if row.written_by_id != by.pk:
        raise NoteRefused(_("Only who wrote a note can strike it out. You can add one of your own."))
    if row.struck_at is not None or (seen is not None and not is_seen(seen, f"note:{row.pk}", row.struck_at)):
        raise NoteRefused(_("This note is struck out already."))
    reason = _clean(reason, MAX_REASON_CHARACTERS, _("Please say why the note is struck out."))
    try:
        row.write(replace(row.read(), reason=reason))
    except KeyGone:
        raise NoteRefused(_("The words of this file are destroyed, this note's too.")) from None
    row.struck_at = timezone.now()
    row.save(update_fields=["sealed", "struck_at"])
    record(Act("note.struck", f"note:{row.pk}", actor=actor_of(by), case=row.case_id))
    return row
