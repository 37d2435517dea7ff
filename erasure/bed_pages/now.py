"""What the page for the bed says of a night at one moment. It names nothing that is erased, and nobody."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from erasure.procedures.models import Procedure
from erasure.runs.models import DoctorCall, Run, Step


@dataclass(frozen=True)
class Now:
    """state: "before", "running", "paused" or "over". lines: sentences below the headline."""

    state: str
    headline: str
    lines: tuple[str, ...] = ()
    gone: int = 0
    total: int = 0
    run: Run | None = None


def clock(moment: datetime) -> str:
    """Return the time of day, in the clinic's time zone."""
    return formats.time_format(timezone.localtime(moment), "H:i")


def now_of(procedure: Procedure) -> Now:
    """Return what the page for the bed of a night says now."""
    run = Run.objects.select_related("safe_word").filter(procedure=procedure).first()
    if run is None:
        at = clock(procedure.booking.starts_at)
        return Now("before", _("The night has not begun."), (_("It is booked from %(at)s on.") % {"at": at},))
    gone = Step.objects.filter(run=run, state=Step.State.DESTROYED).count()
    total = run.expected_steps
    if run.state == Run.State.FINISHED:
        return Now("over", _("The night is over."), (), gone, total, run)
    if run.state == Run.State.STOPPING:
        return Now("over", _("The night is being ended."), (_("Nothing more fades."),), gone, total, run)
    progress = ngettext(
        "%(gone)s of %(total)s memory is gone.", "%(gone)s of %(total)s memories are gone.", total
    ) % {"gone": gone, "total": total}
    if run.state == Run.State.PAUSED:
        return Now("paused", _("The night is paused."), (_why_paused(run), progress), gone, total, run)
    called = DoctorCall.objects.filter(run=run, acknowledged_at__isnull=True).exists()
    lines = (progress, _("The doctor has been called.")) if called else (progress,)
    return Now("running", _("The night is under way."), lines, gone, total, run)


def _why_paused(run: Run) -> str:
    if run.safe_word is not None:
        return _(
            "The safe word was said at %(at)s. Only a doctor lets the night go on, after speaking with you."
        ) % {"at": clock(run.safe_word.said_at)}
    return _("Nothing is being destroyed.")
