"""This app's entries on the day board: cases that wait for staff or the patient, and new requests."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import Role, User
from clinic.calendar.board import Lane, Need, Span
from patients.cases.facts import statuses_of
from patients.cases.models import Case
from patients.cases.status_words import wait_url, wait_words
from patients.requests.models import AppointmentRequest

# The board gives an overview. The list of cases shows the rest.
MAX_CASES = 40
WITH_NEEDS = [Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.MAPPED, Case.Stage.CONSENTED]
# The lane of erasure tells of nights (erasure/runs/board_entries.py).
NIGHTLY = frozenset({"called", "decide", "held"})


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """Return what waits in the cases that `viewer` may see, oldest first, and the new requests.

    span: not used; these entries have no date.
    """
    visible = Case.objects.visible_to(viewer).filter(stage__in=WITH_NEEDS)
    rows = Case.objects.filter(pk__in=visible.values("pk")).select_related("patient")
    cases = list(rows.order_by("opened_at", "pk")[:MAX_CASES])
    statuses = statuses_of(cases)
    entries = []
    for case in cases:
        status = statuses[case.pk]
        # What waits for the patient alone, and for a night, stands elsewhere on the board or on their page.
        told = [wait for wait in status.waits if wait.code not in NIGHTLY and wait_words(wait)]
        entries += [
            Need(case.patient.short_name, wait_words(wait), wait_url(wait, case.pk, status)) for wait in told
        ]
    if viewer.has_role(Role.RECEPTIONIST, Role.DOCTOR):
        new = AppointmentRequest.objects.filter(state=AppointmentRequest.State.NEW).count()
        if new:
            text = ngettext("%(n)d request waits for an answer.", "%(n)d requests wait for an answer.", new)
            entries.append(Need(_("Front desk"), text % {"n": new}, reverse("patients:requests")))
    return entries


LANE = Lane(needs=needs)
