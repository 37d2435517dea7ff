"""Counts what the reports show. Each function in FIGURES makes one figure, with a constant number of queries.

Every query filters an indexed column by the span. Nothing here reads a name of a person or decrypts a field:
outcomes, times and stages are columns.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import Invitation, Role
from clinic.availability.timetables import LOOK_BACK, Grid, holder_of, load_timetables
from clinic.calendar.models import PLACES, QUARTER, Booking, Resource
from erasure.procedures.models import Procedure
from erasure.reports.attendance import attendance
from erasure.reports.figures import Figure, Row, Value, counted, quantile
from erasure.reports.spans import Span
from erasure.runs.models import Run, Step
from patients.cases.models import Case
from patients.consent.models import Signature
from patients.requests.models import AppointmentRequest

DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)
# The order of the kinds of resources in the table of their use.
KIND_ORDER = (*PLACES, Resource.Kind.DOCTOR, Resource.Kind.TECHNICIAN)


def procedures(span: Span) -> Figure:
    """Count nights by outcome: those that ended in the span, and those booked for it that were canceled."""
    outcomes = dict(
        Run.objects.filter(span.contains("finished_at")).values_list("outcome").annotate(Count("pk"))
    )
    canceled = Procedure.objects.filter(
        span.contains("booking__starts_at"), state=Procedure.State.CANCELED
    ).count()
    rows = [Row(outcome.label, [counted(outcomes.get(outcome, 0))]) for outcome in Run.Outcome]
    return Figure(
        "procedures",
        gettext_lazy("Nights by outcome"),
        gettext_lazy("Nights that ended in this time. Canceled ones count at the time they were booked for."),
        [gettext_lazy("Nights")],
        [*rows, Row(gettext_lazy("canceled"), [counted(canceled)])],
    )


def memories(span: Span) -> Figure:
    """Count the memories of the nights that ended in the span, by what became of them."""
    conditions = {
        "erased": Q(state=Step.State.DESTROYED),
        "protected": Q(state=Step.State.SPARED, spared_because="protected"),
        "left_by_stop": Q(state=Step.State.SPARED) & ~Q(spared_because="protected"),
    }
    counts = Step.objects.filter(span.contains("run__finished_at")).aggregate(
        **{name: Count("pk", filter=condition) for name, condition in conditions.items()},
        **{
            f"{name}_people": Count("run", filter=condition, distinct=True)
            for name, condition in conditions.items()
        },
    )
    labels = {
        "erased": gettext_lazy("erased"),
        "protected": gettext_lazy("kept, as the patient wished in the night"),
        "left_by_stop": gettext_lazy("spared, because the night was stopped"),
    }
    return Figure(
        "memories",
        gettext_lazy("What became of the memories"),
        gettext_lazy("Memories of nights that ended in this time."),
        [gettext_lazy("Memories")],
        [
            Row(label, [Value(counts[name], people=counts[f"{name}_people"])])
            for name, label in labels.items()
        ],
    )


def use(span: Span) -> Figure:
    """Divide booked hours by working hours: of each room and kit, and of the people of each role together."""
    resources = list(Resource.objects.filter(in_use=True).order_by("label"))
    resources.sort(key=lambda one: KIND_ORDER.index(one.kind))
    grid = Grid.around(span.start, span.end, margin=timedelta())
    in_span = grid.inside(span.start, span.end)
    tables = load_timetables(resources, grid)
    booked = booked_bits(span, grid, resources)
    # All four by the same key: the id of a room or kit, or the kind of the people.
    booked_hours: dict[str, float] = defaultdict(float)
    working_hours: dict[str, float] = defaultdict(float)
    people: dict[str, set[UUID]] = defaultdict(set)
    labels: dict[str, str] = {}
    for one in resources:
        key = str(one.pk) if one.kind in PLACES else one.kind
        labels[key] = one.label if one.kind in PLACES else ROLE_LABELS[one.kind]()
        if one.kind not in PLACES:
            people[key].add(holder_of(one))
        booked_hours[key] += hours_in(booked[one.pk] & in_span)
        if tables[one.pk].weekly:  # without weekly hours a timetable is open at all times
            working_hours[key] += hours_in(tables[one.pk].open_bits() & in_span)
    rows = []
    for key, label in labels.items():
        count = len(people[key]) if key in people else None
        hours, working = booked_hours[key], working_hours[key] or None
        share = 100 * hours / working if working else None
        values = [
            Value(share, people=count, unit="%"),
            Value(hours, people=count, unit="h"),
            Value(working, people=count, unit="h"),
        ]
        rows.append(Row(label, values))
    return Figure(
        "use",
        gettext_lazy("Use of rooms, kits and people"),
        gettext_lazy(
            "Booked hours over working hours. Nights outside working hours count as booked, so it can be more"
            " than 100 %. People are counted by role."
        ),
        [gettext_lazy("Use"), gettext_lazy("Booked"), gettext_lazy("Working hours")],
        rows,
    )


def hours_in(quarters: int) -> float:
    """Return the hours of a bitmap of quarters of an hour."""
    return quarters.bit_count() * (QUARTER / timedelta(hours=1))


ROLE_LABELS: dict[str, Callable[[], str]] = {
    Resource.Kind.DOCTOR: lambda: _("Doctors"),
    Resource.Kind.TECHNICIAN: lambda: _("Technicians"),
}


def booked_bits(span: Span, grid: Grid, resources: Iterable[Resource]) -> dict[UUID, int]:
    """Return for each resource the quarters of the grid in which it is booked, without buffers."""
    rows = Booking.resources.through.objects.filter(
        booking__in=Booking.objects.in_force().filter(
            starts_at__gt=span.start - LOOK_BACK, starts_at__lt=span.end
        )
    ).values_list("resource_id", "booking__starts_at", "booking__ends_at", "booking__released_at")
    bits = {one.pk: 0 for one in resources}
    for resource, starts_at, ends_at, released_at in rows:
        until = min(ends_at, released_at) if released_at else ends_at
        if resource in bits and until > starts_at:
            bits[resource] |= grid.touched(starts_at, until)
    return bits


def waiting(span: Span) -> Figure:
    """Return how long people waited for the invitation, the consent and the night.

    A wait counts in the span in which it ended.
    """
    invited = AppointmentRequest.objects.filter(
        span.contains("decided_at"), state=AppointmentRequest.State.ACCEPTED
    ).values_list("created_at", "decided_at")
    earlier = Signature.objects.filter(
        case=OuterRef("case"), map__isnull=False, signed_at__lt=OuterRef("signed_at")
    )
    first_signatures = Signature.objects.filter(
        span.contains("signed_at"), ~Exists(earlier), map__isnull=False
    )
    invitation = Invitation.objects.filter(used_by=OuterRef("case__patient"), role=Role.PATIENT)
    signed = first_signatures.annotate(
        invited_at=Subquery(invitation.order_by("-created_at").values("created_at")[:1])
    ).values_list("invited_at", "signed_at")
    begun = Run.objects.filter(span.contains("started_at")).values_list(
        "procedure__consent__signed_at", "started_at"
    )
    steps = (
        (gettext_lazy("from the request to the invitation"), invited),
        (gettext_lazy("from the invitation to the consent"), signed),
        (gettext_lazy("from the consent to the night"), begun),
    )
    return Figure(
        "waiting",
        gettext_lazy("Waiting times"),
        gettext_lazy(
            "Days until a step that was reached in this time: half of the people waited no longer than the"
            " first number, nine of ten no longer than the second."
        ),
        [gettext_lazy("Median"), gettext_lazy("Nine of ten"), gettext_lazy("Number of people")],
        [Row(label, waits(pairs)) for label, pairs in steps],
        bar_columns=2,
    )


def waits(pairs: Iterable[tuple[datetime | None, datetime | None]]) -> Sequence[Value]:
    """Return the median and the 90th percentile of the days between the moments of each pair, and the count.

    A pair without one of its moments does not count.
    """
    days = [(end - start) / DAY for start, end in pairs if start is not None and end is not None]
    n = len(days)
    unit = gettext_lazy("days")
    return [
        Value(quantile(days, 0.5), people=n, unit=unit, decimals=1),
        Value(quantile(days, 0.9), people=n, unit=unit, decimals=1),
        counted(n),
    ]


def drop_outs(span: Span) -> Figure:
    """Count those who left, by stage: declined requests, expired invitations, and withdrawals."""
    declined = AppointmentRequest.objects.filter(
        span.contains("decided_at"), state=AppointmentRequest.State.DECLINED
    ).count()
    expired = Invitation.objects.filter(
        span.contains("expires_at"), expires_at__lt=timezone.now(), used_at__isnull=True, role=Role.PATIENT
    ).count()
    last_night = Procedure.objects.filter(case=OuterRef("pk")).order_by("-booked_at")
    signature = Signature.objects.filter(case=OuterRef("pk"), map__isnull=False)
    withdrawn = (
        Case.objects.filter(span.contains("closed_at"), stage=Case.Stage.WITHDRAWN)
        .annotate(
            night=Subquery(last_night.values("state")[:1]),
            night_finished_at=Subquery(last_night.values("run__finished_at")[:1]),
            signed=Exists(signature),
        )
        .aggregate(
            before_signing=Count("pk", filter=Q(signed=False)),
            after_signing=Count("pk", filter=Q(signed=True, night__isnull=True)),
            # A withdrawal cancels a booked night, so by now it can be in either state.
            before_night=Count("pk", filter=Q(night__in=[Procedure.State.BOOKED, Procedure.State.CANCELED])),
            # A withdrawal stops the night, which is finished only after it.
            in_night=Count(
                "pk",
                filter=Q(night=Procedure.State.STARTED)
                | Q(night=Procedure.State.DONE, night_finished_at__gte=F("closed_at")),
            ),
            after_night=Count(
                "pk", filter=Q(night=Procedure.State.DONE, night_finished_at__lt=F("closed_at"))
            ),
        )
    )
    rows = (
        (gettext_lazy("the request was declined"), declined),
        (gettext_lazy("the invitation ran out unused"), expired),
        (gettext_lazy("withdrew before signing for the procedure"), withdrawn["before_signing"]),
        (gettext_lazy("withdrew after signing, without a night"), withdrawn["after_signing"]),
        (gettext_lazy("withdrew when a night was booked"), withdrawn["before_night"]),
        (gettext_lazy("withdrew when the night had begun"), withdrawn["in_night"]),
        (gettext_lazy("withdrew after a night that was stopped"), withdrawn["after_night"]),
    )
    return Figure(
        "drop-outs",
        gettext_lazy("Where people left"),
        gettext_lazy("Requests, invitations and files that ended without a finished night in this time."),
        [gettext_lazy("Number of people")],
        [Row(label, [counted(number)]) for label, number in rows],
    )


def did_not_come(span: Span) -> Figure:
    """Count the appointments and nights to which nobody came, by kind."""
    rows = []
    for kind, one in attendance(span).items():
        share = 100 * one.missed / one.due if one.due else None
        values = [
            counted(one.missed),
            Value(share, people=one.missed, unit="%"),
            counted(one.due),
        ]
        rows.append(Row(Booking.Kind(kind).label, values))
    return Figure(
        "did-not-come",
        gettext_lazy("Did not come"),
        gettext_lazy("Appointments and nights of this time that are over. Canceled ones do not count."),
        [gettext_lazy("Missed"), gettext_lazy("Share"), gettext_lazy("Due")],
        rows,
    )


def regret(span: Span) -> Figure:
    """Count the withdrawals of the consent to the procedure, by the week of the cooling-off time."""
    rows = Signature.objects.filter(span.contains("withdrawn_at"), map__isnull=False).values_list(
        "signed_at", "withdrawn_at", "cooling_off_hours"
    )
    weeks, later = withdrawals_by_week(rows)
    table = [
        Row(
            _("week %(n)d of the cooling-off time") % {"n": week},
            [counted(number)],
        )
        for week, number in enumerate(weeks, start=1)
    ]
    return Figure(
        "regret",
        gettext_lazy("Regret"),
        gettext_lazy("Consents to the procedure that were taken back in this time."),
        [gettext_lazy("Withdrawals")],
        [*table, Row(gettext_lazy("after the cooling-off time"), [counted(later)])],
    )


def withdrawals_by_week(
    rows: Iterable[tuple[datetime, datetime | None, float]],
) -> tuple[Sequence[int], int]:
    """Return the withdrawals of each week of the cooling-off time, and those that came after it.

    rows: when each consent was signed and withdrawn (None: it was not), and its cooling-off time in hours.
    There are as many weeks as the longest of these has, and at least one.
    """
    weeks, later = [0], 0
    for signed_at, withdrawn_at, hours in rows:
        if withdrawn_at is None:
            continue
        cooling_off = timedelta(hours=hours)
        weeks_needed = math.ceil(cooling_off / WEEK)
        weeks += [0] * (weeks_needed - len(weeks))
        waited = withdrawn_at - signed_at
        if waited < cooling_off:
            weeks[waited // WEEK] += 1
        else:
            later += 1
    return weeks, later


FIGURES: dict[str, Callable[[Span], Figure]] = {
    "procedures": procedures,
    "memories": memories,
    "use": use,
    "waiting": waiting,
    "drop-outs": drop_outs,
    "did-not-come": did_not_come,
    "regret": regret,
}
