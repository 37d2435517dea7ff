"""The messages of a case in the archive of what a patient takes back."""

from django.db.models import QuerySet

from patients.archives.archive import MessageEntry
from patients.cases.models import Case
from patients.messages.models import Message, MessageFields
from patients.vault.sealed import read_many


def _messages_of(case: Case) -> QuerySet[Message]:
    return Message.objects.filter(case=case).order_by("written_at", "-pk")


def has_messages(case: Case) -> bool:
    """Return whether anything was ever written in the thread of a case."""
    return _messages_of(case).exists()


def message_entries(case: Case) -> list[MessageEntry]:
    """Return all messages of a case, oldest first. Of those that are destroyed, writer and time are left."""
    rows = list(_messages_of(case).select_related("author", "keepsake"))
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
