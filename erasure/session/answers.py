"""Replies of the session's controls: what happened and when, read from the run's committed events."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django_htmx.http import reswap, retarget

from clinic.http.requests import wants_fragment
from erasure.runs.models import DoctorCall, Event, Run


def clock_time(moment: datetime) -> str:
    """Return the time of day to the second, in the clinic's time zone."""
    return formats.time_format(timezone.localtime(moment), "H:i:s")


def paused_reply(run_id: UUID, changed: bool) -> str:
    """Return "Paused after pass 7 of 12 at 23:14:05." with the figures of the last `paused` event.

    changed: False if the run was paused already.
    """
    event = Event.objects.filter(run=run_id, kind="paused").order_by("-seq").first()
    if event is None:
        return _("Paused.")
    values = {
        "at": clock_time(event.at),
        "level": event.data.get("level"),
        "levels": event.data.get("levels"),
    }
    if values["level"]:
        text = (
            _("Paused after pass %(level)s of %(levels)s at %(at)s.")
            if changed
            else _("It was paused already: after pass %(level)s of %(levels)s at %(at)s.")
        )
    else:
        text = (
            _("Paused between two memories at %(at)s.") if changed else _("It was paused already: at %(at)s.")
        )
    return text % values


def done(request: HttpRequest, run: Run, text: str) -> HttpResponse:
    """Reply that something is done: in the place of its whole form for htmx, else on the session page."""
    if wants_fragment(request):
        answer = render(request, "erasure/session/_done.html", {"text": text, "run": run})
        return reswap(retarget(answer, "#sheet"), "innerHTML")
    messages.success(request, text)
    return redirect("erasure:session", run=run.pk)


def presence_reply(run_id: UUID, changed: bool) -> str:
    """Return that somebody of the team is there, and whether the run goes on.

    changed: False if somebody answered before.
    """
    if not changed:
        return _("Somebody answered already.")
    if Run.objects.filter(pk=run_id, state=Run.State.PAUSED).exists():
        return _("Thank you. The session stays paused.")
    return _("Thank you. It goes on.")


def decided_reply(run_id: UUID) -> str:
    """Return that a copy is decided on, and whether the run goes on."""
    if Run.objects.filter(pk=run_id, state=Run.State.PAUSED).exists():
        return _("Decided. The session stays paused.")
    return _("Decided. The procedure goes on.")


def acknowledged_reply(run_id: UUID, changed: bool) -> str:
    """Return that the doctor call is answered.

    changed: False if another doctor was faster; the reply then says who and when.
    """
    call = DoctorCall.objects.filter(run=run_id, acknowledged_at__isnull=False).order_by("-pk").first()
    if changed or call is None or call.acknowledged_by is None or call.acknowledged_at is None:
        return _("The call is answered.")
    return _("%(who)s answered already, at %(at)s.") % {
        "who": call.acknowledged_by.short_name,
        "at": clock_time(call.acknowledged_at),
    }


def damage_decided_reply(run_id: UUID, changed: bool) -> str:
    """Return that the decision is recorded, and whether the session goes on."""
    if Run.objects.filter(pk=run_id, state=Run.State.RUNNING).exists():
        return _("Decided. The procedure goes on.")
    return _("Decided. The session stays paused.")
