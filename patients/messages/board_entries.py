"""Late answers: entries of the day board, and alerts of the people who are to answer."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.alerts.sources import Alert
from clinic.calendar.board import BoardSource, Need, Span
from clinic.calendar.durations import format_moment
from patients.cases.relations import board_patient, patient_label, roles_on
from patients.messages.lists import LINE_PAGES, find_threads
from patients.messages.models import MessageThread

MAX_ENTRIES = 40  # The board gives an overview. The inbox shows the rest.


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """Return a need for each overdue thread that `viewer` may know of, the longest overdue first.

    span: not used; these entries have no date.
    """
    threads = find_threads(MessageThread.objects.overdue(), viewer, field="answer_by", most=MAX_ENTRIES)
    cases = [thread.case_id for thread in threads]
    roles_by_page = {page: roles_on(viewer, cases, page) for page in LINE_PAGES} if cases else {}
    entries = []
    for thread in threads:
        roles = {role for found in roles_by_page.values() for role in found.get(thread.case_id, ())}
        may_open = thread.case_id in roles_by_page["patients:case-messages"]
        page = "patients:case-messages" if may_open else "patients:case"
        words = _("A message waits for an answer, promised by %(when)s.")
        entries.append(
            Need(
                patient_label(thread.case, roles, short=True),
                words % {"when": format_moment(thread.answer_by)} if thread.answer_by else words,
                reverse(page, args=[thread.case_id]),
                late=True,
                tag=_("overdue"),
                patient=board_patient(thread.case, roles),
            )
        )
    return entries


def message_alerts(user: User) -> Sequence[Alert]:
    """Return an alert for each thread that is assigned to `user` and whose answer is late."""
    late = MessageThread.objects.overdue().filter(assigned_to=user).select_related("case")
    threads = list(late.order_by("answer_by", "pk")[:MAX_ENTRIES])
    openable = roles_on(user, [one.case_id for one in threads], "patients:case-messages") if threads else {}
    found = []
    for thread in threads:
        if thread.case_id in openable and thread.answer_by:
            url = reverse("patients:case-messages", args=[thread.case_id])
            title = _("File %(file)s waits for your answer.") % {"file": thread.case.reference}
            when = format_moment(thread.answer_by)
            text = _("The clinic has promised to answer by %(when)s.") % {"when": when}
            found.append(Alert(title, text, url, _("Answer"), about=url))
    return found


BOARD_SOURCE = BoardSource(needs=needs)
