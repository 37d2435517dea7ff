"""The erasure app's entries on the calendar's day board: patient, progress and what prevents a start."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.access.policy import NAME_ROLES
from clinic.accounts.models import STAFF_ROLES, User
from clinic.calendar.board import BoardSource, BookingLabel, Need, Progress, Span
from clinic.calendar.durations import format_duration, format_moment
from clinic.calendar.models import Booking
from clinic.calendar.state_lanes import State
from erasure.procedures.models import Procedure
from erasure.procedures.readiness import FAULTS, faults_at_start, hours_at
from erasure.runs.calls import unanswered
from erasure.runs.models import Hold, Run, Step, Trouble
from erasure.runs.passes import PASS_COUNT
from patients.cases.models import Case
from patients.cases.relations import board_patient, patient_label, roles_on
from patients.cases.status import Hours
from patients.memories.models import Memory
from patients.memories.silhouette import FILE, WALL, silhouettes

SILHOUETTE_TEMPLATE = "components/silhouette.html"
# Codes of FAULTS that no signature mends: the memories themselves are in the way.
OF_THE_MEMORIES = frozenset({"memories", "nothing"})


def start_faults(procedures: Collection[Procedure]) -> dict[UUID, str]:
    """Return by id, in a few words, why each procedure cannot start as things stand; "" if it can.

    The procedures should be loaded with `consent`, `map` and `booking`.
    """
    booked = [one for one in procedures if one.state == Procedure.State.BOOKED]
    faults = faults_at_start(booked)
    return {one.pk: str(FAULTS[fault][0]) if (fault := faults.get(one.pk, "")) else "" for one in procedures}


def describe_bookings(bookings: Sequence[Booking], viewer: User) -> dict[UUID, BookingLabel]:
    """Return labels by booking id: patient, place, number of memories; only "Erasure" for hidden cases.

    The patient is the file number for whoever opens the case without reading names.
    """
    of_case = Memory.objects.targets().filter(case=OuterRef("case")).order_by().values("case")
    targets = of_case.annotate(n=Count("pk"))
    procedures = list(
        Procedure.objects.filter(booking__in=bookings)
        .exclude(state=Procedure.State.CANCELED)
        .select_related("case__patient", "consent", "map", "booking", "run")
        # Not as a join with GROUP BY, for which SQLite walks along all nights that have been.
        .annotate(targets=Coalesce(Subquery(targets.values("n")), 0))
    )
    opening = roles_on(viewer, [procedure.case_id for procedure in procedures])
    faults = start_faults(procedures)
    return {
        procedure.booking_id: _label(
            procedure, faults[procedure.pk], opening.get(procedure.case_id, frozenset())
        )
        for procedure in procedures
    }


def _lane_state(procedure: Procedure) -> tuple[State, datetime | None]:
    """Return the board's state of a procedure, and when it began."""
    run: Run | None = getattr(procedure, "run", None)
    if run is None:
        missed = hours_at(procedure, timezone.now()) == Hours.OVER
        return (State.MISSED if missed else State.EXPECTED), None
    if run.state == Run.State.FINISHED:
        return State.DONE, run.finished_at
    return State.RUNNING, run.started_at


def _label(procedure: Procedure, fault: str, opening: frozenset[str]) -> BookingLabel:
    state, since = _lane_state(procedure)
    if not opening:
        return BookingLabel(what=_("Erasure"), held=bool(fault), state=state, since=since)
    if fault and state != State.MISSED:
        what = _("Held, %(why)s") % {"why": fault}
    else:
        # What is erased is a target no more: once begun, the run knows how many there were.
        run = getattr(procedure, "run", None)
        targets = run.expected_steps if run else getattr(procedure, "targets", 0)
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
    who = patient_label(procedure.case, opening, short=True)
    patient = board_patient(procedure.case, opening)
    return BookingLabel(who, what, url, held=bool(fault), state=state, since=since, patient=patient)


@dataclass
class RunCounts:
    """Counts for one run; `_count_runs` loads them for many runs in four queries.

    steps: number of steps by state. passes_done: committed passes of its unfinished steps. off_map: id and
    number of each memory with an open hold. called_at: when the open doctor call was made. troubles: kinds of
    what keeps it from going on.
    """

    steps: Counter[str] = field(default_factory=Counter)
    passes_done: int = 0
    off_map: list[tuple[UUID, int | None]] = field(default_factory=list)
    called_at: datetime | None = None
    troubles: list[str] = field(default_factory=list)


def _count_runs(runs: Sequence[Run]) -> dict[UUID, RunCounts]:
    counts: dict[UUID, RunCounts] = defaultdict(RunCounts)
    for run, state, level in Step.objects.filter(run__in=runs).values_list("run_id", "state", "level"):
        counts[run].steps[state] += 1
        counts[run].passes_done += level if state in {Step.State.WAITING, Step.State.FADING} else 0
    holds = Hold.objects.waiting().filter(step__run__in=runs)
    for run, memory, number in holds.values_list("step__run_id", "step__memory_id", "step__memory__number"):
        counts[run].off_map.append((memory, number))
    for run, called_at in unanswered().filter(run__in=runs).values_list("run_id", "called_at"):
        counts[run].called_at = called_at
    troubles = Trouble.objects.filter(run__in=runs, state=Trouble.State.OPEN).order_by("kind")
    for run, kind in troubles.values_list("run_id", "kind").distinct():
        counts[run].troubles.append(kind)
    return counts


def _clock(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "H:i")


def _state(run: Run, counts: RunCounts) -> dict[str, object]:
    """Return the state fields of a run's Progress: word, mark, colour."""
    if counts.off_map:
        return {"state": _("Off the map"), "mark": "alarm", "kind": "alarm", "alarm": True}
    if counts.called_at:
        ended = run.state == Run.State.FINISHED
        return {
            "state": _("Doctor called"),
            "mark": "call",
            "kind": "alarm",
            "alarm": True,
            "open": not ended,
        }
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


def _overrun(run: Run, now: datetime) -> str:
    """Return since when a run that goes on is past its booked hours, in words, or "" if it is not."""
    ends_at = run.procedure.booking.ends_at
    if run.state == Run.State.FINISHED or now < ends_at:
        return ""
    return _("booked until %(time)s, it goes on") % {"time": _clock(ends_at)}


def _text(run: Run, counts: RunCounts, now: datetime) -> str:
    gone, total = counts.steps[Step.State.DESTROYED], run.expected_steps
    parts = [_("%(gone)d of %(total)d") % {"gone": gone, "total": total}]
    if counts.off_map:
        numbers = " ".join(
            f"[{number}]" for _memory, number in sorted(counts.off_map, key=lambda row: row[1] or 0)
        )
        parts = [_("a copy of %(numbers)s is in childhood") % {"numbers": numbers}]
    parts += [str(Trouble.Kind(kind).label) for kind in counts.troubles]
    if counts.called_at:
        parts.append(_("doctor called %(time)s") % {"time": _clock(counts.called_at)})
    elif run.state == Run.State.PAUSED and run.held_at:
        parts.append(_("since %(time)s") % {"time": _clock(run.held_at)})
    elif run.state == Run.State.FINISHED and run.finished_at:
        parts.append(_("ended %(time)s") % {"time": _clock(run.finished_at)})
    elif (pace := run.procedure.pace_seconds) and run.state == Run.State.RUNNING and not counts.off_map:
        left = counts.steps[Step.State.WAITING] + counts.steps[Step.State.FADING]
        seconds = max(0.0, left * pace - counts.passes_done * pace / PASS_COUNT)
        parts.append(_("%(time)s left") % {"time": format_duration(seconds)})
    if overrun := _overrun(run, now):
        parts.append(overrun)
    return ", ".join(parts)


def initials(name: str) -> str:
    """Return initials such as 'J. B.', for the public screen."""
    return " ".join(f"{word[0]}." for word in name.split()[:2] if word)


def _initials_for(viewer: User, case: Case) -> str:
    """Return the initials for the public screen, or the file number for a viewer who reads no names."""
    named = viewer.roles & STAFF_ROLES & NAME_ROLES
    return initials(case.patient.name) if named else case.reference


def progress(span: Span, viewer: User, wall: bool) -> Sequence[Progress]:
    """Return every run under way and those that finished in `span`.

    wall: for the public screen. It shows the runs of all patients and the procedures still to come, except
    those in which `viewer` is patient or subject: the screen shows what the person it was opened by may know.
    """
    now = timezone.now()
    # Also by the time, as the index on it finds both.
    under_way = Q(
        finished_at__isnull=True, state__in=[Run.State.RUNNING, Run.State.PAUSED, Run.State.STOPPING]
    )
    ended = Q(finished_at__gte=span.start, finished_at__lt=span.end)
    shown = under_way | ended if span.contains(now) else ended
    # Sorted here: for an order by the start SQLite walks along all runs that have been.
    runs = sorted(
        Run.objects.filter(shown).select_related("procedure__case__patient", "procedure__booking"),
        key=lambda run: (run.started_at, run.pk),
    )
    upcoming = _upcoming(span, now) if wall else []
    concerned = [one.case_id for one in (*(run.procedure for run in runs), *upcoming)]
    opening = roles_on(viewer, concerned)
    inside = set(roles_on(viewer, concerned, "erasure:session"))
    if wall:
        hidden = Case.objects.filter(pk__in=concerned).conflicting(viewer)
        runs = [run for run in runs if run.procedure.case_id not in hidden]
        upcoming = [procedure for procedure in upcoming if procedure.case_id not in hidden]
    else:
        runs = [run for run in runs if run.procedure.case_id in opening]
    counts = _count_runs(runs)
    faults = start_faults(upcoming)
    off_map_memories = {memory for one in counts.values() for memory, _number in one.off_map}
    cases = [run.procedure.case_id for run in runs] + [procedure.case_id for procedure in upcoming]
    maps = silhouettes(cases, WALL if wall else FILE, held=off_map_memories)
    return [
        Progress(
            name=patient_label(run.procedure.case, opening.get(run.procedure.case_id, ()), short=True),
            initials=_initials_for(viewer, run.procedure.case),
            text=_text(run, counts[run.pk], now),
            url=reverse("erasure:session", args=[run.pk]) if run.procedure.case_id in inside else "",
            patient=board_patient(run.procedure.case, opening.get(run.procedure.case_id, ())),
            drawing=maps[run.procedure.case_id],
            template=SILHOUETTE_TEMPLATE,
            **_state(run, counts[run.pk]),  # type: ignore[arg-type]
        )
        for run in runs
    ] + [
        Progress(
            name="",
            initials=_initials_for(viewer, procedure.case),
            state=_("Held") if (fault := faults[procedure.pk]) else _("Booked"),
            kind="amber" if fault else "",
            text=fault or _("begins %(time)s") % {"time": _clock(procedure.booking.starts_at)},
            open=False,
            drawing=maps[procedure.case_id],
            template=SILHOUETTE_TEMPLATE,
        )
        for procedure in upcoming
    ]


def _upcoming(span: Span, now: datetime) -> list[Procedure]:
    booked = Procedure.objects.filter(
        state=Procedure.State.BOOKED, booking__starts_at__lt=span.end, booking__ends_at__gt=now
    )
    return list(
        booked.select_related("case__patient", "consent", "map", "booking").order_by("booking__starts_at")
    )


def needs(span: Span, viewer: User) -> Sequence[Need]:
    """Return a need for each booked procedure in `span` that cannot start or is over 5 minutes late.

    From its first minute on, one that may not start says why. On the board of today all missed nights are
    there, however long ago: each waits until somebody moves or cancels it.
    """
    now = timezone.now()
    wanted = Q(booking__starts_at__lt=span.end, booking__ends_at__gt=span.start)
    if span.contains(now):
        wanted |= Q(booking__ends_at__lte=now)
    booked = (
        Procedure.objects.filter(wanted, state=Procedure.State.BOOKED)
        .select_related("case__patient", "consent", "map", "booking")
        .order_by("booking__starts_at", "pk")
    )
    opening = roles_on(viewer, [procedure.case_id for procedure in booked])
    at_start = set(roles_on(viewer, opening, "erasure:start"))
    overdue_before = now - timedelta(minutes=5)
    found = []
    codes = faults_at_start(booked)
    for procedure in booked:
        if procedure.case_id not in opening:
            continue
        code = codes[procedure.pk]
        missed = hours_at(procedure, now) == Hours.OVER
        if missed:
            text = _("The night of %(start)s was missed. Move it to a new time, or cancel it.") % {
                "start": format_moment(procedure.booking.starts_at)
            }
        elif code in OF_THE_MEMORIES and procedure.booking.starts_at <= now:
            text = _("Was to begin at %(time)s and cannot. %(why)s") % {
                "time": _clock(procedure.booking.starts_at),
                "why": FAULTS[code][1],
            }
        elif code:
            text = _("Tonight is held: %(why)s.") % {"why": FAULTS[code][0]}
        elif procedure.booking.starts_at < overdue_before:
            text = _("Was to begin at %(time)s and has not.") % {"time": _clock(procedure.booking.starts_at)}
        else:
            continue
        url = reverse("patients:case", args=[procedure.case_id])
        if procedure.case_id in at_start and not missed:
            url = reverse("erasure:start", args=[procedure.pk])
        who = patient_label(procedure.case, opening[procedure.case_id], short=True)
        patient = board_patient(procedure.case, opening[procedure.case_id])
        tag = _("missed") if missed else ""
        found.append(Need(who, text, url, late=True, tag=tag, patient=patient))
    return found


BOARD_SOURCE = BoardSource(describe_bookings=describe_bookings, progress=progress, needs=needs)
