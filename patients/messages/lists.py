"""The clinic's inbox: one line for each thread, what is overdue first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from clinic.access.policy import NAME_ROLES
from clinic.accounts.models import Role, User
from clinic.http.keyset import Page, Start, page_of, read_start, take
from patients.cases.models import Case
from patients.cases.relations import patient_label, roles_on
from patients.messages.models import Message, MessageThread, MessageThreadQuerySet

WAITING, MINE, ALL = "", "mine", "all"
FILTERS = {WAITING: _("Waits for an answer"), MINE: _("Assigned to me"), ALL: _("All")}
# A line shows the patient's name, so it is for the roles that read names.
LINE_ROLES = NAME_ROLES - {Role.PATIENT}
# Whoever may open one of these pages of a case sees the line of its thread.
LINE_PAGES = ("patients:case", "patients:case-messages")


@dataclass(frozen=True)
class InboxLine:
    """One thread of the list. who: the patient. is_open: the reader may open the thread.

    is_new: the patient wrote something that nobody at the clinic has opened. is_overdue: the answer is late.
    """

    thread: MessageThread
    who: str
    is_open: bool
    is_new: bool
    is_overdue: bool


def find_threads(
    rows: MessageThreadQuerySet, viewer: User, *, field: str, start: Start | None = None, most: int
) -> list[MessageThread]:
    """Return the first `most` of these threads that `viewer` may know of. Conflicts are left out.

    field: the time by which they are ordered, "answer_by" ascending or "last_at" descending. The database
    reads one batch by an index. Then the subjects' names of this batch alone are decrypted, to find
    conflicts. If some threads are left out, another batch is read.
    """
    cases = Case.objects.before_conflicts(viewer, LINE_PAGES, LINE_ROLES)
    seen = rows.filter(Exists(cases.filter(pk=OuterRef("case_id")))).select_related(
        "case__patient", "assigned_to"
    )
    found: list[MessageThread] = []
    while len(found) < most:
        wanted = most - len(found)
        batch = take([seen], field, start, wanted, newest_first=field == "last_at")
        cases_of_batch = Case.objects.filter(pk__in=[row.case_id for row in batch])
        hidden = cases_of_batch.conflicting(viewer) if batch else set()
        found += [row for row in batch if row.case_id not in hidden]
        if len(batch) < wanted:
            break
        start = Start(getattr(batch[-1], field), batch[-1].pk, bool(start and start.backwards))
    return found


def inbox_page(query: Mapping[str, str], chosen: str, viewer: User) -> Page[MessageThread]:
    """Return one page of the inbox. chosen: a key of FILTERS."""
    rows = MessageThread.objects.all()
    if chosen == WAITING:
        rows = rows.waiting()
    elif chosen == MINE:
        rows = rows.filter(assigned_to=viewer)
    field = "answer_by" if chosen == WAITING else "last_at"

    def fetch(start: Start | None, most: int) -> list[MessageThread]:
        return find_threads(rows, viewer, field=field, start=start, most=most)

    return page_of(fetch, read_start(query, MessageThread.objects.all(), field))


def lines_of(threads: Sequence[MessageThread], viewer: User) -> list[InboxLine]:
    """Return the lines of threads that `viewer` may know of."""
    cases = [thread.case_id for thread in threads]
    roles_by_page = {page: roles_on(viewer, cases, page) for page in LINE_PAGES} if cases else {}
    unopened = Message.objects.filter(case__in=cases, from_clinic=False, opened_at__isnull=True)
    new = set(unopened.values_list("case", flat=True)) if cases else set()
    return [
        InboxLine(
            thread=thread,
            who=patient_label(
                thread.case,
                {role for found in roles_by_page.values() for role in found.get(thread.case_id, ())},
            ),
            is_open=thread.case_id in roles_by_page["patients:case-messages"],
            is_new=thread.case_id in new,
            is_overdue=thread.is_overdue,
        )
        for thread in threads
    ]
