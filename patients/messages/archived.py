"""The messages of a case, as entries of the archive with which a patient takes things back."""

from collections.abc import Collection

from django.db.models import QuerySet

from patients.archives.archive import MessageEntry
from patients.cases.models import Case
from patients.messages.models import Message, MessageFields
from patients.vault.sealed import read_many


def _messages_of(cases: Collection[Case]) -> QuerySet[Message]:
    return Message.objects.filter(case__in=cases).order_by("case__opened_at", "case", "written_at", "-pk")


def has_messages(case: Case) -> bool:
    """Return whether anything was ever written in the thread of a case."""
    return _messages_of([case]).exists()


def message_entries(*cases: Case) -> list[MessageEntry]:
    """Return all messages of one case after the other, oldest first.

    A destroyed message has writer and time, but no words.
    """
    rows = list(_messages_of(cases).select_related("author", "keepsake"))
    fields_by_id = read_many(rows, skip_damaged=True)
    captions = read_many({row.keepsake for row in rows if row.keepsake}, skip_damaged=True)
    found = []
    for row in rows:
        about = ""
        if row.keepsake:
            fields = captions.get(row.keepsake.pk)
            about = fields.caption if fields and fields.caption else str(row.keepsake.unnamed)
        words = fields_by_id.get(row.pk, MessageFields()).words
        found.append(MessageEntry(row.author.name, row.written_at, about, words))
    return found
