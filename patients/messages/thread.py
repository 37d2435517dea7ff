"""The thread of a case as a page shows it: oldest first, in pages of 50."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.http.keyset import Page, Start, page_of, read_start, take
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.messages.models import Message, MessageFields
from patients.vault.sealed import read_many

PAGE_SIZE = 50
# A page that ends before this moment is the newest one.
THE_END = Start(datetime(9000, 1, 1, tzinfo=UTC), UUID(int=0), backwards=True)


@dataclass(frozen=True)
class ShownKeepsake:
    """The keepsake that a message is about. title: its caption, or its kind if it has none.

    gone: it is destroyed, and the words of the message with it.
    """

    row: Keepsake
    title: str
    gone: bool


@dataclass(frozen=True)
class ShownMessage:
    """A message as a page shows it. words: "" if they are destroyed. author: "" for the reader's own.

    is_mine: the reader's side wrote it. is_new: the reader's side had not opened it. is_first_new: it is the
    first of these on the page.
    """

    row: Message
    words: str
    author: str
    keepsake: ShownKeepsake | None
    is_mine: bool
    is_new: bool
    is_first_new: bool


def thread_page(case: Case, query: Mapping[str, str], *, for_patient: bool) -> Page[Message]:
    """Return one page of the thread: the one that `query` asks for (clinic/http/keyset.py).

    By default it is the page that begins with the first unopened message of the other side, or the newest
    messages, whichever begins earlier. for_patient: the patient reads it.
    """
    messages = Message.objects.filter(case=case)

    def fetch(start: Start | None, most: int) -> list[Message]:
        rows = messages.select_related("author", "keepsake")
        return take([rows], "written_at", start, most, newest_first=False)

    start = read_start(query, messages, "written_at")
    if start is not None:
        return page_of(fetch, start, PAGE_SIZE)
    newest = page_of(fetch, THE_END, PAGE_SIZE)
    newest = replace(newest, after=None)  # `page_of` assumes rows after the start of a page read backwards
    unopened = messages.filter(from_clinic=for_patient, opened_at__isnull=True)
    first = unopened.order_by("written_at", "-pk").first()
    if first is None or any(row.pk == first.pk for row in newest.rows):
        return newest
    before = fetch(Start(first.written_at, first.pk, backwards=True), 1)
    return page_of(fetch, Start(before[0].written_at, before[0].pk) if before else None, PAGE_SIZE)


def shown_messages(page: Page[Message], reader: User, case: Case, *, patient_name: str) -> list[ShownMessage]:
    """Return the messages of a page, decrypted, in the same order.

    The caller has checked that `reader` may read the content of the case. patient_name: what the patient is
    called on the page.
    """
    fields_by_id = read_many(page.rows, skip_damaged=True)
    keepsakes = {row.keepsake.pk: row.keepsake for row in page.rows if row.keepsake}
    captions = read_many(keepsakes.values(), skip_damaged=True)
    for_patient = reader.pk == case.patient_id
    found: list[ShownMessage] = []
    for row in page.rows:
        is_mine = row.from_clinic != for_patient
        is_new = not is_mine and row.opened_at is None
        keepsake = None
        if row.keepsake:
            caption = captions[row.keepsake.pk].caption if row.keepsake.pk in captions else ""
            gone = row.keepsake.gone_at is not None
            keepsake = ShownKeepsake(row.keepsake, caption or str(row.keepsake.unnamed), gone)
        name = row.author.name if row.from_clinic else patient_name
        found.append(
            ShownMessage(
                row=row,
                words=fields_by_id.get(row.pk, MessageFields()).words,
                author="" if row.author_id == reader.pk else name,
                keepsake=keepsake,
                is_mine=is_mine,
                is_new=is_new,
                is_first_new=is_new and not any(one.is_new for one in found),
            )
        )
    return found


def title_of(keepsake: Keepsake) -> str:
    """Return what a keepsake is called: its caption, or its kind. Both sides of a thread may read it."""
    fields = read_many([keepsake], skip_damaged=True).get(keepsake.pk)
    return fields.caption if fields and fields.caption else str(keepsake.unnamed)


def keepsake_asked_for(case: Case, text: str) -> tuple[Keepsake | None, str]:
    """Return the keepsake of `case` that an address or a form names by its id, and the problem if it is gone.

    text: the id as it came; "" for none. The problem is a sentence for the reader; "" if there is none.
    """
    if not text:
        return None, ""
    try:
        pk = UUID(text)
    except ValueError:
        pk = UUID(int=0)
    row = Keepsake.objects.filter(pk=pk, case=case, gone_at__isnull=True).first()
    if row is None:
        return None, _("The thing that you wanted to write about is not here any more.")
    return row, ""
