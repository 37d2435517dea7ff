"""Changes hours, absences and limits: one function for each, with one audit entry."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.availability.models import AvailabilityException, NightLimits, WorkingHours
from clinic.availability.offers import DAYS_AHEAD
from clinic.availability.timetables import clock_moment
from clinic.calendar.bookings import with_other_roles
from clinic.calendar.models import Resource
from clinic.calendar.span_changes import span_changed

Spans = Sequence[tuple[time, time]]
LONGEST_EXCEPTION = timedelta(days=731)


class ChangeRefused(Exception):
    """Nothing was changed. The message is a sentence for the user."""


def lock_resource(resource: UUID) -> Resource | None:
    """Return a resource with its row locked, or None if there is none. Call it inside a transaction."""
    return Resource.objects.select_for_update(of=("self",)).select_related("user").filter(pk=resource).first()


def weekly_hours_of(resource: Resource) -> list[WorkingHours]:
    """Return all weekly hours of a person, room or kit, past and future, in the order of time."""
    rows = WorkingHours.objects.filter(resource__in=with_other_roles([resource])).select_related("made_by")
    return list(rows.order_by("valid_from", "weekday", "starts"))


def week_on(rows: Sequence[WorkingHours], day: date) -> dict[int, list[WorkingHours]]:
    """Return those of `rows` that are valid on `day`, by weekday."""
    week: dict[int, list[WorkingHours]] = {weekday: [] for weekday in range(7)}
    for row in rows:
        if row.valid_from <= day and (row.valid_until is None or day <= row.valid_until):
            week[row.weekday].append(row)
    return week


# The days of a week in the audit log.
DAY_KEYS = ("mo", "tu", "we", "th", "fr", "sa", "su")


def _audit_text(spans: Spans) -> str:
    """Return the hours of a day as the audit log takes them: "0900-1230.1300-1700", or "none"."""
    return ".".join(f"{starts:%H%M}-{ends:%H%M}" for starts, ends in spans) or "none"


@transaction.atomic
def change_week(
    resource: Resource, week: Mapping[int, Spans], *, valid_from: date, reason: str, by: User
) -> None:
    """Set the weekly hours from a day on. The hours before it end on the day before.

    week: by weekday, 0 is Monday. Raises ChangeRefused if the week is empty, or if the day has passed.
    """
    if valid_from < timezone.localdate():
        raise ChangeRefused(_("Hours can be changed from today on. The past stays as it was."))
    if not any(week.values()):
        raise ChangeRefused(_("A week needs hours on at least one day. Enter an absence instead."))
    old = WorkingHours.objects.filter(resource__in=with_other_roles([resource]))
    before = {
        weekday: [(row.starts, row.ends) for row in rows]
        for weekday, rows in week_on(list(old.order_by("starts")), valid_from).items()
    }
    old.filter(valid_from__gte=valid_from).delete()  # they have not begun
    old.valid_on_or_after(valid_from).update(valid_until=valid_from - timedelta(days=1))
    WorkingHours.objects.bulk_create(
        WorkingHours(
            resource=resource,
            weekday=weekday,
            starts=starts,
            ends=ends,
            valid_from=valid_from,
            made_by=by,
        )
        for weekday, spans in week.items()
        for starts, ends in spans
    )
    start = clock_moment(valid_from, time(0))
    span_changed(start, max(start, timezone.now()) + timedelta(days=DAYS_AHEAD))
    details = {"valid": valid_from.isoformat()}
    for weekday, key in enumerate(DAY_KEYS):
        old_hours, new_hours = _audit_text(before[weekday]), _audit_text(week.get(weekday, ()))
        if old_hours != new_hours:
            details |= {f"{key}_before": old_hours, key: new_hours}
    record(
        Act("hours.changed", f"resource:{resource.pk}", actor=actor_of(by), details=details, reason=reason)
    )


@transaction.atomic
def add_exception(
    resource: Resource | None, *, adds: bool, starts_at: datetime, ends_at: datetime, reason: str, by: User
) -> AvailabilityException:
    """Add a span in which a resource (None: the clinic) cannot be booked, or (adds) in which it can.

    Bookings in the span stay. Raises ChangeRefused if the span is over, too long, or has no length.
    """
    if ends_at <= starts_at:
        raise ChangeRefused(_("The end must be after the start."))
    if ends_at <= timezone.now():
        raise ChangeRefused(_("This time is over already."))
    if ends_at - starts_at > LONGEST_EXCEPTION:
        raise ChangeRefused(_("That is more than two years. Please look at the dates again."))
    row = AvailabilityException.objects.create(
        resource=resource, adds=adds, starts_at=starts_at, ends_at=ends_at, reason=reason, made_by=by
    )
    span_changed(starts_at, ends_at)
    action = "hours.closed" if resource is None else "hours.added" if adds else "hours.absence"
    record(
        Act(
            action,
            f"resource:{resource.pk}" if resource else f"closure:{row.pk}",
            actor=actor_of(by),
            details={"exception": row.pk, "from": starts_at, "to": ends_at},
            # The reason of an absence can be about somebody's health: only the row has it, not the log.
            reason=reason if resource is None or resource.user_id is None else "",
        )
    )
    return row


@transaction.atomic
def end_exception(exception: UUID, *, resource: Resource | None, by: User) -> None:
    """Take back an exception of this resource (None: of the clinic). The part of it that is over stays.

    Raises ChangeRefused if it was taken back before, is over, or belongs to somebody else.
    """
    rows = AvailabilityException.objects.select_for_update()
    if resource is None:
        rows = rows.filter(resource=None)
    else:
        rows = rows.filter(resource__in=with_other_roles([resource]))
    row = rows.filter(pk=exception, ended_at=None).first()
    now = timezone.now()
    if row is None or row.ends_at <= now:
        raise ChangeRefused(_("It was taken back before, or it is over."))
    planned_end = row.ends_at
    span_changed(max(row.starts_at, now), planned_end)
    if row.starts_at >= now:
        row.ended_at, row.ended_by = now, by
        row.save(update_fields=["ended_at", "ended_by"])
    else:  # the part that is over stays as it was
        row.ends_at = now
        row.ended_by = by
        row.save(update_fields=["ends_at", "ended_by"])
    record(
        Act(
            "hours.exception-ended",
            f"resource:{resource.pk}" if resource else f"closure:{row.pk}",
            actor=actor_of(by),
            details={"exception": row.pk, "until": planned_end},
        )
    )


@transaction.atomic
def change_limits(resource: Resource, *, nights_a_week: int | None, rest_hours: int | None, by: User) -> None:
    """Set how many nights a week a person may have, and how long they rest after one. None: no limit."""
    old = limits_of(resource)
    NightLimits.objects.filter(resource__in=with_other_roles([resource])).exclude(resource=resource).delete()
    NightLimits.objects.update_or_create(
        resource=resource, defaults={"nights_a_week": nights_a_week, "rest_hours": rest_hours}
    )
    span_changed(timezone.now(), timezone.now() + timedelta(days=DAYS_AHEAD))
    details = {
        "nights_before": (old.nights_a_week if old else None) or 0,
        "nights": nights_a_week or 0,
        "rest_before": (old.rest_hours if old else None) or 0,
        "rest": rest_hours or 0,
    }
    record(Act("hours.limits", f"resource:{resource.pk}", actor=actor_of(by), details=details))


def limits_of(resource: Resource) -> NightLimits | None:
    """Return the limits of a person, whichever of their resources has them; None if there are none."""
    return NightLimits.objects.filter(resource__in=with_other_roles([resource])).first()
