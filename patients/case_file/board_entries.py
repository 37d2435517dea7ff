"""This app's entries on the day board: cases that wait for staff or the patient, and new requests."""

from collections.abc import Sequence

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import Role, User
from clinic.calendar.board import Lane, Need, Span
from patients.cases.models import Case
from patients.cases.relations import patient_label, roles_on
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.requests.models import AppointmentRequest

# The board gives an overview. The list of cases shows the rest.
MAX_CASES = 40


def _with_counts(cases: QuerySet[Case]) -> QuerySet[Case]:
    """Annotate each case with the counts that `_pending_step` reads."""
    present = Q(keepsakes__gone_at__isnull=True)
    return cases.annotate(
        to_review=Count(
            "keepsakes", filter=present & Q(keepsakes__review=Keepsake.Review.WAITING), distinct=True
        ),
        unplaced=Count("keepsakes", filter=present & Q(keepsakes__memory__isnull=True), distinct=True),
        without_intensity=Count(
            "memories",
            filter=Q(memories__intensity__isnull=True, memories__zone=Memory.Zone.MAP),
            distinct=True,
        ),
    )


def _pending_step(case: Case) -> tuple[str, str] | None:
    """Return the next step of a case from `_with_counts`, as text and URL; None if there is nothing to do."""
    to_review, unplaced, without_intensity = (
        getattr(case, name) for name in ("to_review", "unplaced", "without_intensity")
    )
    bench = reverse("patients:mapping", args=[case.pk])
    match case.stage:
        case Case.Stage.BRINGING | Case.Stage.REVIEW if to_review:
            text = ngettext(
                "%(n)d keepsake waits for review.", "%(n)d keepsakes wait for review.", to_review
            ) % {"n": to_review}
            return text, reverse("patients:review", args=[case.pk])
        case Case.Stage.REVIEW if unplaced or without_intensity:
            return _("Reviewed. The mapping visit is not finished."), bench
        case Case.Stage.REVIEW:
            return _("Mapped. The map can be locked."), bench
        case Case.Stage.MAPPED:
            return _("Map locked, consent unsigned."), reverse("patients:case", args=[case.pk])
        case Case.Stage.CONSENTED:
            return _("Consent given, no night booked."), reverse("patients:case", args=[case.pk])
    return None


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """Return what waits in the cases that `viewer` may see, oldest first, and the new requests.

    span: not used; these entries have no date.
    """
    stages = [Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.MAPPED, Case.Stage.CONSENTED]
    visible = Case.objects.filter(stage__in=stages).visible_to(viewer)
    rows = list(_with_counts(visible).select_related("patient").order_by("opened_at", "pk")[:MAX_CASES])
    opening = roles_on(viewer, [case.pk for case in rows])
    at_bench = set(
        Case.objects.filter(pk__in=opening)
        .visible_to(viewer, "patients:mapping")
        .values_list("pk", flat=True)
    )
    entries = []
    for case in rows:
        if step := _pending_step(case):
            text, url = step if case.pk in at_bench else (step[0], reverse("patients:case", args=[case.pk]))
            entries.append(Need(patient_label(case, opening.get(case.pk, ()), short=True), text, url))
    if viewer.has_role(Role.RECEPTIONIST):
        new = AppointmentRequest.objects.filter(state=AppointmentRequest.State.NEW).count()
        if new:
            text = ngettext("%(n)d request waits for an answer.", "%(n)d requests wait for an answer.", new)
            entries.append(Need(_("Front desk"), text % {"n": new}, reverse("patients:requests")))
    return entries


LANE = Lane(needs=needs)
