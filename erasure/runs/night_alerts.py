"""Nights as alerts on every page: one that is offered to the reader, and a missed one of theirs."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.alerts.sources import Alert
from clinic.calendar.durations import format_moment
from erasure.procedures.models import Procedure
from erasure.runs.models import Handover, Run
from patients.cases.relations import roles_on


def handover_alerts(user: User) -> Sequence[Alert]:
    """Return an alert for each run under way that a technician has offered to `user`."""
    offers = Handover.objects.filter(offered_to=user, state=Handover.State.OFFERED)
    offers = offers.exclude(run__state=Run.State.FINISHED).select_related("run__procedure__case")
    found = []
    for offer in offers.order_by("offered_at", "pk"):
        kwargs = {"run": offer.run_id}
        if not allowed(user, "erasure:handover", kwargs, "GET").allowed:
            continue
        values = {"file": offer.run.procedure.case.reference, "at": _moment(offer.offered_at, "H:i")}
        url = reverse("erasure:handover", kwargs=kwargs)
        title = _("The night of file %(file)s has been offered to you since %(at)s.") % values
        text = _("Whoever is responsible now stays so until you accept.")
        found.append(Alert(title, text, url, _("Answer"), about=url))
    return found


def missed_alerts(user: User) -> Sequence[Alert]:
    """Return an alert for each missed night for which `user` is booked, until it is moved or cancelled."""
    nights = Procedure.objects.filter(
        state=Procedure.State.BOOKED, booking__ends_at__lte=Now(), booking__resources__user=user
    )
    rows = list(nights.select_related("case", "booking").order_by("booking__starts_at", "pk").distinct())
    opening = roles_on(user, [row.case_id for row in rows]) if rows else {}
    found = []
    for row in rows:
        if row.case_id not in opening:
            continue
        values = {
            "file": row.case.reference,
            "start": format_moment(row.booking.starts_at),
        }
        url = reverse("patients:case", args=[row.case_id])
        title = _("The night of file %(file)s was missed.") % values
        text = _("It was to begin %(start)s. It has to be moved to a new time, or canceled.") % values
        found.append(Alert(title, text, url, _("Open the file"), about=url))
    return found


def _moment(moment: datetime, form: str) -> str:
    return date_format(timezone.localtime(moment), form)
