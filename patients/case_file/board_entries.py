"""What this room tells the day board: cases that wait for somebody in the house, or for the patient."""

from collections.abc import Sequence

from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import Role, User
from clinic.calendar.board import Lane, Need, Span
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.requests.models import AppointmentRequest

# The board is for a glance; who wants all of them opens the list of files.
MOST = 40


def _waiting(cases: QuerySet[Case]) -> QuerySet[Case]:
    here = Q(keepsakes__gone_at__isnull=True)
    return cases.annotate(
        to_review=Count(
            "keepsakes", filter=here & Q(keepsakes__review=Keepsake.Review.WAITING), distinct=True
        ),
        unplaced=Count("keepsakes", filter=here & Q(keepsakes__memory__isnull=True), distinct=True),
        unweighed=Count(
            "memories",
            filter=Q(memories__intensity__isnull=True, memories__zone=Memory.Zone.MAP),
            distinct=True,
        ),
    )


def _said(case: Case) -> tuple[str, str] | None:
    """What `case` (annotated) waits for, and the address where it is done; None when for nobody here."""
    to_review, unplaced, unweighed = (getattr(case, name) for name in ("to_review", "unplaced", "unweighed"))
    bench = reverse("patients:mapping", args=[case.pk])
    match case.stage:
        case Case.Stage.BRINGING | Case.Stage.REVIEW if to_review:
            text = ngettext(
                "%(n)d keepsake waits for review.", "%(n)d keepsakes wait for review.", to_review
            ) % {"n": to_review}
            return text, reverse("patients:review", args=[case.pk])
        case Case.Stage.REVIEW if unplaced or unweighed:
            return _("Reviewed. The mapping visit is not finished."), bench
        case Case.Stage.REVIEW:
            return _("Mapped. The map can be locked."), bench
        case Case.Stage.MAPPED:
            return _("Map locked, consent unsigned."), reverse("patients:case", args=[case.pk])
        case Case.Stage.CONSENTED:
            return _("Consent given, no night booked."), reverse("patients:case", args=[case.pk])
    return None


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """What waits in the cases `viewer` may know of, oldest first, and new requests at the front desk."""
    stages = [Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.MAPPED, Case.Stage.CONSENTED]
    visible = Case.objects.visible_to(viewer).filter(stage__in=stages)
    rows = _waiting(Case.objects.filter(pk__in=visible.values("pk"))).select_related("patient")
    out = []
    for case in rows.order_by("opened_at", "pk")[:MOST]:
        if said := _said(case):
            out.append(Need(case.patient.short_name, *said))
    if viewer.has_role(Role.RECEPTIONIST, Role.DOCTOR):
        new = AppointmentRequest.objects.filter(state=AppointmentRequest.State.NEW).count()
        if new:
            text = ngettext("%(n)d request waits for an answer.", "%(n)d requests wait for an answer.", new)
            out.append(Need(_("Front desk"), text % {"n": new}, reverse("patients:requests")))
    return out


LANE = Lane(needs=needs)
