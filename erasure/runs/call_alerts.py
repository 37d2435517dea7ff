"""Doctor calls as alerts: on every page of those who were told, and of who is responsible for the night."""

from collections.abc import Sequence

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.alerts.sources import Alert
from erasure.runs.calls import unanswered
from erasure.runs.models import DoctorCall

WHY: dict[str, str | Promise] = {
    DoctorCall.Why.ASKED: gettext_lazy("Somebody in the room asked for a doctor."),
    DoctorCall.Why.SAFE_WORD: gettext_lazy("The safe word was said."),
    DoctorCall.Why.HOLD: gettext_lazy("A copy was found off the map."),
    DoctorCall.Why.PRESENCE: gettext_lazy("Nobody of the team answered."),
    DoctorCall.Why.DAMAGED: gettext_lazy("A keepsake cannot be read. A doctor decides what becomes of it."),
    DoctorCall.Why.STORAGE: gettext_lazy("The storage does not answer."),
    DoctorCall.Why.FAULT: gettext_lazy("The machine failed."),
    DoctorCall.Why.STALLED: gettext_lazy("Nothing moves."),
}


def call_alerts(user: User) -> Sequence[Alert]:
    """Return an alert for each unanswered call that concerns `user` and that they may open."""
    concerned = Q(notices__user=user) | Q(run__responsible=user) | Q(run__taken_over_by=user)
    calls = unanswered().filter(concerned).distinct().select_related("run__procedure__case")
    found = []
    for call in calls.order_by("called_at", "pk"):
        kwargs = {"run": call.run_id}
        if allowed(user, "erasure:session", kwargs, "GET").allowed:
            url, label = reverse("erasure:session", kwargs=kwargs), _("Open the session")
        elif allowed(user, "erasure:call", kwargs, "GET").allowed:
            url, label = reverse("erasure:call", kwargs=kwargs), _("Open the call")
        else:
            continue
        values = {
            "file": call.run.procedure.case.reference,
            "at": time_format(timezone.localtime(call.called_at), "H:i"),
        }
        title = _("A doctor is called to the session of file %(file)s, and nobody has answered since %(at)s.")
        found.append(Alert(title % values, str(WHY[call.why]), url, label, about=url))
    return found
