"""The status of a night as the page for the bed shows it. It names no person and no memory."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from erasure.procedures.models import Procedure
from erasure.runs.models import DoctorCall, Run, Step


@dataclass(frozen=True)
class BedStatus:
    """What the page for the bed shows of a night.

    state: "before", "running", "paused", or "over" (also while the run is stopping). lines: sentences below
    the headline. gone, total: numbers of memories. run: None if the night has not begun.
    """

    state: str
    headline: str
    lines: tuple[str, ...] = ()
    gone: int = 0
    total: int = 0
    run: Run | None = None


def time_of_day(moment: datetime) -> str:
    """Return the time of day as text such as "02:14", in the clinic's time zone."""
    return formats.time_format(timezone.localtime(moment), "H:i")


def bed_status(procedure: Procedure) -> BedStatus:
    """Return the present status of a night."""
    run = Run.objects.select_related("safe_word").filter(procedure=procedure).first()
    if run is None:
        at = time_of_day(procedure.booking.starts_at)
        return BedStatus(
            "before", _("The night has not begun."), (_("It is booked from %(at)s on.") % {"at": at},)
        )
    gone = Step.objects.filter(run=run, state=Step.State.DESTROYED).count()
    total = run.expected_steps
    if run.state == Run.State.FINISHED:
        return BedStatus("over", _("The night is over."), (), gone, total, run)
    if run.state == Run.State.STOPPING:
        return BedStatus(
            "over", _("The night is being ended."), (_("Nothing more fades."),), gone, total, run
        )
    progress = ngettext(
        "%(gone)s of %(total)s memory is gone.", "%(gone)s of %(total)s memories are gone.", total
    ) % {"gone": gone, "total": total}
    if run.state == Run.State.PAUSED:
        return BedStatus("paused", _("The night is paused."), (_why_paused(run), progress), gone, total, run)
    called = DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True).exists()
    lines = (progress, _("The doctor has been called.")) if called else (progress,)
    return BedStatus("running", _("The night is under way."), lines, gone, total, run)


def _why_paused(run: Run) -> str:
    if run.safe_word is not None:
        return _(
            "The safe word was said at %(at)s. Only a doctor lets the night go on, after speaking with you."
        ) % {"at": time_of_day(run.safe_word.said_at)}
    return _("Nothing is being destroyed.")
