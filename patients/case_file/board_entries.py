"""This app's entries on the day board: cases that wait for staff or the patient, and new requests."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import Role, User
from clinic.calendar.board import Lane, Need, Span
from patients.cases.facts import statuses_of
from patients.cases.models import Case
from patients.cases.relations import patient_label, roles_on
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
    visible = Case.objects.filter(stage__in=WITH_NEEDS).visible_to(viewer)
    cases = list(visible.select_related("patient").order_by("opened_at", "pk")[:MAX_CASES])
    opening = roles_on(viewer, [case.pk for case in cases])
    at_bench = set(
        Case.objects.filter(pk__in=opening)
        .visible_to(viewer, "patients:mapping")
        .values_list("pk", flat=True)
    )
    statuses = statuses_of(cases)
    entries = []
    for case in cases:
        status = statuses[case.pk]
        # What waits for the patient alone, and for a night, stands elsewhere on the board or on their page.
        told = [wait for wait in status.waits if wait.code not in NIGHTLY and wait_words(wait)]
        who = patient_label(case, opening.get(case.pk, ()), short=True)
        file = reverse("patients:case", args=[case.pk])
        entries += [
            Need(who, wait_words(wait), wait_url(wait, case.pk, status) if case.pk in at_bench else file)
            for wait in told
        ]
    if viewer.has_role(Role.RECEPTIONIST):
        new = AppointmentRequest.objects.filter(state=AppointmentRequest.State.NEW).count()
        if new:
            text = ngettext("%(n)d request waits for an answer.", "%(n)d requests wait for an answer.", new)
            entries.append(Need(_("Front desk"), text % {"n": new}, reverse("patients:requests")))
    return entries


LANE = Lane(needs=needs)
