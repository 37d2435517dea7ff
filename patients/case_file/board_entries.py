"""This app's entries on the day board: cases that wait for staff or the patient, and new requests."""

from collections.abc import Collection, Sequence
from uuid import UUID

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import Role, User
from clinic.calendar.board import BoardSource, Need, Span
from patients.cases.facts import statuses_of
from patients.cases.models import Case
from patients.cases.relations import board_patient, patient_label, roles_on
from patients.cases.status_words import wait_page, wait_url, wait_words
from patients.requests.models import AppointmentRequest

# The board gives an overview. The list of cases shows the rest.
MAX_CASES = 40
# The stages in which something may wait for staff, besides the intake.
STAGES_WITH_NEEDS = [Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.MAPPED, Case.Stage.CONSENTED]
# The codes of waits about nights, which the lane of erasure shows (erasure/runs/board_entries.py).
NIGHT_WAITS = frozenset({"called", "decide", "held", "missed"})


def _cases_whose_page_opens(viewer: User, cases: Collection[UUID], page: str) -> set[UUID]:
    """Return those of `cases` whose page `page` (a URL name) `viewer` may open."""
    return set(Case.objects.filter(pk__in=cases).visible_to(viewer, page).values_list("pk", flat=True))


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """Return what waits in the cases that `viewer` may see, oldest first, and the new requests.

    span: not used; these entries have no date.
    """
    rows = Case.objects.select_related("patient")
    # Cases in the intake are fetched apart, the newest first. Most of them wait for their patient, some for
    # months; only an alarming answer waits for staff. Oldest first, they would fill the places of all others.
    in_intake = rows.newest_visible(viewer, most=MAX_CASES, stages=[Case.Stage.INTAKE])
    cases = in_intake + rows.newest_visible(
        viewer, most=MAX_CASES, stages=STAGES_WITH_NEEDS, oldest_first=True
    )
    roles_by_case = roles_on(viewer, [case.pk for case in cases])
    cases_by_page = {
        page: _cases_whose_page_opens(viewer, roles_by_case, page)
        for page in ("patients:mapping", "patients:intake-review")
    }
    statuses = statuses_of(cases)
    entries = []
    for case in cases:
        status = statuses[case.pk]
        # A wait that has no words for staff is the patient's, who reads it on their own page.
        shown_waits = [wait for wait in status.waits if wait.code not in NIGHT_WAITS and wait_words(wait)]
        who = patient_label(case, roles_by_case.get(case.pk, ()), short=True)
        case_url = reverse("patients:case", args=[case.pk])
        patient = board_patient(case, roles_by_case.get(case.pk, ()))
        for wait in shown_waits:
            # The other pages on which staff act open for those for whom the mapping page opens.
            may_act = case.pk in cases_by_page.get(wait_page(wait), cases_by_page["patients:mapping"])
            url = wait_url(wait, case.pk, status) if may_act else case_url
            entries.append(Need(who, wait_words(wait), url, patient=patient))
    if viewer.has_role(Role.RECEPTIONIST):
        new = AppointmentRequest.objects.filter(state=AppointmentRequest.State.NEW).count()
        if new:
            text = ngettext("%(n)d request waits for an answer.", "%(n)d requests wait for an answer.", new)
            entries.append(Need(_("Front desk"), text % {"n": new}, reverse("patients:requests")))
    return entries


BOARD_SOURCE = BoardSource(needs=needs)
