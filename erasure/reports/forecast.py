"""The forecast: how many nights will be needed in the coming eight weeks, and how many can still be booked.

How the demand is computed: take a request or a case that has waited 20 days in its stage. It is compared with
those of the past that reached the same stage, were not over 20 days later, and are over by now. Within these
days they may have gone on to a later stage. If 3 of 10 had their night in the third week after the 20 days,
then 0.3 nights are expected of it in the third week from now. With fewer than ten to compare with, no number
is shown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from erasure.procedures.models import Procedure
from erasure.reports.capacity import free_nights
from erasure.reports.figures import Figure, Row, Value, counted, quantile
from erasure.reports.journeys import Journey, Stage, ended_journeys, waiting_days
from erasure.reports.spans import Span

WEEKS = 8
MIN_COMPARED = 10  # ended journeys; with fewer no number is shown
UNKNOWN = gettext_lazy("too little known")


@dataclass(frozen=True)
class Demand:
    """The expected nights of those who wait in one stage.

    waiting: how many wait. left_out: how many of them `weeks` leaves out, because too few of the past lasted
    as long. weeks: the expected nights of each week; None if too little is known. past: ended journeys.
    """

    waiting: int
    left_out: int
    weeks: Sequence[float] | None
    past: Sequence[Journey]

    @property
    def included(self) -> int:
        return self.waiting - self.left_out


def coming_weeks(today: date) -> list[Span]:
    """Return the coming weeks, each of seven days, the first beginning with today."""
    firsts = [today + timedelta(weeks=number) for number in range(WEEKS)]
    return [Span(first, first + timedelta(days=6)) for first in firsts]


def expected_nights(waited: float, past: Sequence[Journey]) -> list[float] | None:
    """Return the expected nights (0 to 1) in each coming week of one that has waited so many days.

    None if fewer than MIN_COMPARED of the past lasted longer than that.
    """
    compared = [journey for journey in past if journey.days_to_end > waited]
    if len(compared) < MIN_COMPARED:
        return None
    nights = [journey.days_to_night for journey in compared if journey.days_to_night is not None]
    return [
        sum(waited + 7 * week < days <= waited + 7 * (week + 1) for days in nights) / len(compared)
        for week in range(WEEKS)
    ]


def demand_of(waited: Sequence[float], past: Sequence[Journey]) -> Demand:
    """Return the demand of one stage. waited: for each that waits in it, how many days."""
    each = [nights for days in waited if (nights := expected_nights(days, past)) is not None]
    left_out = len(waited) - len(each)
    if len(past) < MIN_COMPARED or (waited and not each):
        return Demand(len(waited), left_out, None, past)
    weeks = [sum(nights[week] for nights in each) for week in range(WEEKS)]
    return Demand(len(waited), left_out, weeks, past)


def demands(now: datetime) -> Mapping[str, Demand]:
    """Return the demand of each stage, by the stage."""
    waited, past = waiting_days(now), ended_journeys(now)
    return {stage.value: demand_of(waited[stage], past[stage]) for stage in Stage}


def by_week() -> Figure:
    """Return the table of the coming weeks: nights expected, nights still free, and nights booked already."""
    now = timezone.now()
    weeks, demand_by_stage = coming_weeks(timezone.localdate(now)), demands(now)
    free = free_nights(weeks, now)
    people = sum(one.included for one in demand_by_stage.values() if one.weeks)
    waiting = sum(one.waiting for one in demand_by_stage.values())
    known = not waiting or any(one.weeks for one in demand_by_stage.values() if one.waiting)
    booked = Procedure.objects.filter(state=Procedure.State.BOOKED, booking__starts_at__gte=now)
    starts = list(booked.values_list("booking__starts_at", flat=True))
    rows = []
    for number, week in enumerate(weeks):
        expected = sum(one.weeks[number] for one in demand_by_stage.values() if one.weeks)
        rows.append(
            Row(
                _("week from %(day)s") % {"day": date_format(week.first, "MONTH_DAY_FORMAT")},
                [
                    Value(expected if known else None, people, decimals=1, nothing=UNKNOWN),
                    Value(free[number], None),
                    counted(sum(week.start <= at < week.end for at in starts)),
                ],
            )
        )
    return Figure(
        "forecast-weeks",
        gettext_lazy("Demand and free nights by week"),
        gettext_lazy(
            "Upper bar: nights that those who wait are expected to need. Lower bar: nights that can still be "
            "booked, one doctor, one technician and one place each, with hours, absences, rest, limits, and "
            "the extra hours of seasons. Nights that are booked already are in neither."
        ),
        [gettext_lazy("Expected"), gettext_lazy("Free"), gettext_lazy("Booked already")],
        rows,
        bar_columns=2,
    )


def by_stage() -> Figure:
    """Return the table of those who wait, by stage: the nights expected of them, and what that rests on."""
    rows = []
    for stage, one in demands(timezone.now()).items():
        nights = [journey.days_to_night for journey in one.past if journey.days_to_night is not None]
        enough = len(one.past) >= MIN_COMPARED
        share = 100 * len(nights) / len(one.past) if enough else None
        days = quantile(nights, 0.5) if enough else None
        people = len(nights) if enough else None
        rows.append(
            Row(
                Stage(stage).label,
                [
                    counted(one.waiting),
                    Value(sum(one.weeks) if one.weeks else None, one.included, decimals=1, nothing=UNKNOWN),
                    counted(one.left_out),
                    Value(share, people, "%", nothing=UNKNOWN),
                    Value(days, people, gettext_lazy("days"), decimals=1, nothing=UNKNOWN),
                    counted(len(one.past)),
                ],
            )
        )
    return Figure(
        "forecast-stages",
        gettext_lazy("Those who wait, by stage"),
        gettext_lazy(
            "Each is compared with the clinic's own requests and files of the last three years that reached "
            "the same stage, waited there at least as long, and ended, with a night or without. What still "
            "goes on is not compared, so a clinic that grows or slows down is guessed too fast. Below ten "
            "such cases nothing is said, and whoever has waited longer than nearly all before is only “not "
            "counted”."
        ),
        [
            gettext_lazy("Waiting"),
            gettext_lazy("Nights expected in eight weeks"),
            gettext_lazy("Not counted"),
            gettext_lazy("Came to a night"),
            gettext_lazy("Median until it"),
            gettext_lazy("Ended cases"),
        ],
        rows,
    )


FORECASTS: dict[str, Callable[[], Figure]] = {"forecast-weeks": by_week, "forecast-stages": by_stage}
