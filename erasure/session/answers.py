"""What a control answers: what truly happened and when, read back from the run's own events."""

from datetime import datetime
from uuid import UUID

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from erasure.runs.models import DoctorCall, Event


def clock(moment: datetime) -> str:
    """A time of day to the second, in the clinic's zone."""
    return formats.time_format(timezone.localtime(moment), "H:i:s")


def paused(run_id: UUID, changed: bool) -> str:
    """ "Paused after pass 7 of 12 at 23:14:05." from the event that made it true."""
    event = Event.objects.filter(run=run_id, kind="paused").order_by("-seq").first()
    if event is None:
        return _("Paused.")
    said = {"at": clock(event.at), "level": event.data.get("level"), "levels": event.data.get("levels")}
    if said["level"]:
        text = (
            _("Paused after pass %(level)s of %(levels)s at %(at)s.")
            if changed
            else _("It was paused already: after pass %(level)s of %(levels)s at %(at)s.")
        )
    else:
        text = (
            _("Paused between two memories at %(at)s.") if changed else _("It was paused already: at %(at)s.")
        )
    return text % said


def acknowledged(run_id: UUID, changed: bool) -> str:
    """Who answered the last call, where it was somebody faster."""
    call = DoctorCall.objects.filter(run=run_id, acknowledged_at__isnull=False).order_by("-pk").first()
    if changed or call is None or call.acknowledged_by is None or call.acknowledged_at is None:
        return _("The call is answered.")
    return _("%(who)s answered already, at %(at)s.") % {
        "who": call.acknowledged_by.short_name,
        "at": clock(call.acknowledged_at),
    }
