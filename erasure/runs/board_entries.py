"""What this room tells the day board: whose nights they are, how they go, and what they still lack."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import User
from clinic.calendar.board import BookingLabel, Lane, Need, Progress, Span
from clinic.calendar.durations import lasting
from clinic.calendar.models import Booking
from erasure.procedures.models import Procedure
from erasure.runs.models import DoctorCall, Hold, Run, Step
from erasure.runs.passes import GONE
from patients.cases.models import Case
from patients.consent.signing import may_start_from
from patients.memories.silhouette import FILE, WALL, silhouettes

DRAWN_BY = "components/silhouette.html"


def consent_fault(procedure: Procedure) -> str:
    """Why a booked night (with `consent` and `map` loaded) cannot begin as things stand, or nothing."""
    consent = procedure.consent
    if procedure.state != Procedure.State.BOOKED:
        return ""
    if consent.withdrawn_at:
        return _("consent withdrawn")
    if consent.superseded_at or procedure.map.unlocked_at or consent.map_digest != procedure.map.digest:
        return _("consent unsigned")
    if procedure.booking.starts_at < may_start_from(consent):
        return _("still within the time to think it over")
    return ""


def _visible(viewer: User, cases: Collection[UUID]) -> set[UUID]:
    return set(Case.objects.visible_to(viewer).filter(pk__in=cases).values_list("pk", flat=True))


def describe_bookings(bookings: Sequence[Booking], viewer: User) -> dict[UUID, BookingLabel]:
    """Say of each booked night whose it is, where, and of how many memories."""
    procedures = list(
        Procedure.objects.filter(booking__in=bookings)
        .exclude(state=Procedure.State.CANCELED)
        .select_related("case__patient", "consent", "map", "booking")
        .annotate(
            targets=Count(
                "case__memories", filter=Q(case__memories__zone="map") & ~Q(case__memories__fate="protected")
            )
        )
    )
    known = _visible(viewer, [procedure.case_id for procedure in procedures])
    return {procedure.booking_id: _told(procedure, procedure.case_id in known) for procedure in procedures}


def _told(procedure: Procedure, known: bool) -> BookingLabel:
    fault = consent_fault(procedure)
    if not known:
        return BookingLabel(what=_("Erasure"), held=bool(fault))
    if fault:
        what = _("Held, %(why)s") % {"why": fault}
    else:
        targets = getattr(procedure, "targets", 0)
        words = {
            Procedure.Place.HOME: ngettext(
                "Erasure at home, %(n)d memory", "Erasure at home, %(n)d memories", targets
            ),
            Procedure.Place.CLINIC: ngettext(
                "Erasure here, %(n)d memory", "Erasure here, %(n)d memories", targets
            ),
        }
        what = words[Procedure.Place(procedure.place)] % {"n": targets}
    url = reverse("patients:case", args=[procedure.case_id])
    return BookingLabel(procedure.case.patient.short_name, what, url, held=bool(fault))


@dataclass
class Night:
    """What is counted of one run, gathered for many at once."""

    steps: Counter[str] = field(default_factory=Counter)
    levels: int = 0
    off: list[tuple[UUID, int | None]] = field(default_factory=list)
    called: datetime | None = None


def _nights(runs: Sequence[Run]) -> dict[UUID, Night]:
    nights: dict[UUID, Night] = defaultdict(Night)
    for run, state, level in Step.objects.filter(run__in=runs).values_list("run_id", "state", "level"):
        nights[run].steps[state] += 1
        nights[run].levels += level if state in {Step.State.WAITING, Step.State.FADING} else 0
    holds = Hold.objects.filter(step__run__in=runs, state=Hold.State.OPEN)
    for run, memory, number in holds.values_list("step__run_id", "step__memory_id", "step__memory__number"):
        nights[run].off.append((memory, number))
    calls = DoctorCall.objects.filter(run__in=runs, acknowledged_at__isnull=True)
    for run, called in calls.values_list("run_id", "called_at"):
        nights[run].called = called
    return nights


def _clock(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "H:i")


def _state(run: Run, night: Night) -> dict[str, object]:
    """The word for a run with its mark and colour."""
    if night.off:
        return {"state": _("Off the map"), "mark": "alarm", "kind": "alarm", "alarm": True}
    if night.called:
        return {"state": _("Doctor called"), "mark": "call", "kind": "alarm", "alarm": True}
    if run.state == Run.State.PAUSED:
        return {"state": _("Paused"), "mark": "paused", "kind": "amber"}
    if run.state == Run.State.STOPPING:
        return {"state": _("Stopping"), "mark": "stop", "kind": "amber"}
    if run.state == Run.State.FINISHED:
        words = {
            Run.Outcome.COMPLETE: _("Complete"),
            Run.Outcome.PARTIAL: _("Partial"),
            Run.Outcome.STOPPED: _("Stopped"),
        }
        return {"state": words[Run.Outcome(run.outcome)], "mark": "gone", "open": False}
    return {"state": _("Erasing")}


def _text(run: Run, night: Night) -> str:
    gone, total = night.steps[Step.State.DESTROYED], run.expected_steps
    said = [_("%(gone)d of %(total)d") % {"gone": gone, "total": total}]
    if night.off:
        numbers = " ".join(
            f"[{number}]" for _memory, number in sorted(night.off, key=lambda row: row[1] or 0)
        )
        said = [_("a copy of %(numbers)s is in childhood") % {"numbers": numbers}]
    if night.called:
        said.append(_("doctor called %(time)s") % {"time": _clock(night.called)})
    elif run.state == Run.State.PAUSED and run.held_at:
        said.append(_("since %(time)s") % {"time": _clock(run.held_at)})
    elif run.state == Run.State.FINISHED and run.finished_at:
        said.append(_("ended %(time)s") % {"time": _clock(run.finished_at)})
    elif (pace := run.procedure.pace_seconds) and run.state == Run.State.RUNNING and not night.off:
        left = night.steps[Step.State.WAITING] + night.steps[Step.State.FADING]
        said.append(
            _("%(time)s left") % {"time": lasting(max(0.0, left * pace - night.levels * pace / GONE))}
        )
    return ", ".join(said)


def initials(name: str) -> str:
    """'J. B.' for a screen that anyone may pass by."""
    return " ".join(f"{word[0]}." for word in name.split()[:2] if word)


def progress(span: Span, viewer: User, wall: bool) -> Sequence[Progress]:
    """Every run under way, those that ended in `span`, and on the wall the nights still to come."""
    now = timezone.now()
    under_way = Q(state__in=[Run.State.RUNNING, Run.State.PAUSED, Run.State.STOPPING])
    ended = Q(finished_at__gte=span.start, finished_at__lt=span.end)
    shown = under_way | ended if span.holds(now) else ended
    runs = list(
        Run.objects.filter(shown).select_related("procedure__case__patient").order_by("started_at", "pk")
    )
    if not wall:
        known = _visible(viewer, [run.procedure.case_id for run in runs])
        runs = [run for run in runs if run.procedure.case_id in known]
    nights = _nights(runs)
    ahead = _ahead(span, now) if wall else []
    held = {memory for night in nights.values() for memory, _number in night.off}
    cases = [run.procedure.case_id for run in runs] + [procedure.case_id for procedure in ahead]
    maps = silhouettes(cases, WALL if wall else FILE, held=held)
    return [
        Progress(
            name=run.procedure.case.patient.short_name,
            initials=initials(run.procedure.case.patient.name),
            text=_text(run, nights[run.pk]),
            url=reverse("erasure:session", args=[run.pk]),
            drawing=maps[run.procedure.case_id],
            template=DRAWN_BY,
            **_state(run, nights[run.pk]),  # type: ignore[arg-type]
        )
        for run in runs
    ] + [
        Progress(
            name="",
            initials=initials(procedure.case.patient.name),
            state=_("Held") if (fault := consent_fault(procedure)) else _("Booked"),
            kind="amber" if fault else "",
            text=fault or _("begins %(time)s") % {"time": _clock(procedure.booking.starts_at)},
            open=False,
            drawing=maps[procedure.case_id],
            template=DRAWN_BY,
        )
        for procedure in ahead
    ]


def _ahead(span: Span, now: datetime) -> list[Procedure]:
    booked = Procedure.objects.filter(
        state=Procedure.State.BOOKED, booking__starts_at__lt=span.end, booking__ends_at__gt=now
    )
    return list(
        booked.select_related("case__patient", "consent", "map", "booking").order_by("booking__starts_at")
    )


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """What the nights that begin in `span` lack, and nights whose hour has passed without a beginning."""
    booked = (
        Procedure.objects.filter(
            state=Procedure.State.BOOKED, booking__starts_at__lt=span.end, booking__ends_at__gt=span.start
        )
        .select_related("case__patient", "consent", "map", "booking")
        .order_by("booking__starts_at", "pk")
    )
    known = _visible(viewer, [procedure.case_id for procedure in booked])
    late = timezone.now() - timedelta(minutes=5)
    out = []
    for procedure in booked:
        if procedure.case_id not in known:
            continue
        if fault := consent_fault(procedure):
            text = _("Tonight is held: %(why)s.") % {"why": fault}
        elif procedure.booking.starts_at < late:
            text = _("Was to begin at %(time)s and has not.") % {"time": _clock(procedure.booking.starts_at)}
        else:
            continue
        url = reverse("erasure:start", args=[procedure.pk])
        out.append(Need(procedure.case.patient.short_name, text, url, late=True))
    return out


LANE = Lane(describe_bookings=describe_bookings, progress=progress, needs=needs)
