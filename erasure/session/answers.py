"""Replies of the session's controls: what happened and when, read from the run's committed events."""

from datetime import datetime
from uuid import UUID

from django.utils import formats, timezone
from django.utils.translation import gettext as _

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
