"""Who and what can be booked in the extra hours of a season: people who agreed, and rooms and kits chosen.

An agreement holds for the hours that were agreed to. When they change, everybody is asked again.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.calendar.models import Resource
from clinic.calendar.span_changes import span_changed
from clinic.seasons.changes import SeasonRefused, lock_season
from clinic.seasons.models import Season, SeasonAgreement


def agreements_in_force() -> QuerySet[SeasonAgreement]:
    """Return the agreements that count: not taken back, and to the extra hours as they are now."""
    rows = SeasonAgreement.objects.filter(ended_at=None, hours_version=F("season__hours_version"))
    return rows.filter(season__canceled_at=None).exclude(season__extra_days="")


def agreements_in_span(resources: Collection[UUID], first: date, last: date) -> QuerySet[SeasonAgreement]:
    """Return these resources' agreements in force to seasons that have any day from `first` to `last`."""
    rows = agreements_in_force().filter(resource__in=resources)
    rows = rows.filter(season__first__lte=last, season__last__gte=first)
    return rows.select_related("season")


def agreements_of(season: Season) -> list[SeasonAgreement]:
    """Return the agreements to a season that are in force, in the order of the resources' labels."""
    rows = agreements_in_force().filter(season=season).select_related("resource__user", "agreed_by")
    return sorted(rows, key=lambda row: row.resource.label)


def agreed_resources(season: Season) -> set[UUID]:
    """Return the ids of the resources that can be booked in the extra hours of a season."""
    return set(agreements_in_force().filter(season=season).values_list("resource", flat=True))


def own_resources(person: User) -> list[Resource]:
    """Return the resources as which a person can be booked: one for each of their roles."""
    return list(Resource.objects.filter(user=person, in_use=True).order_by("kind"))


def _check_extra_hours(season: Season | None, seen_version: int) -> Season:
    """Return the season. Raises SeasonRefused if it has no extra hours any more, or other ones.

    seen_version: the `hours_version` that the page showed.
    """
    if season is None or season.is_over or not season.extra_days:
        raise SeasonRefused(_("This season has no extra hours any more."))
    if season.hours_version != seen_version:
        raise SeasonRefused(_("The extra hours were changed meanwhile. They are shown now as they are."))
    return season


@transaction.atomic
def agree_to(season: Season, *, agrees: bool, seen_version: int, by: User) -> bool:
    """Record that `by` agrees to be booked in the extra hours of a season, or does not any more.

    seen_version: the `hours_version` that the page showed. Return whether anything changed. What is booked
    already stays booked. Raises SeasonRefused if the page showed other hours, or if `by` cannot be booked.
    """
    locked = _check_extra_hours(lock_season(season.pk), seen_version)
    resources = own_resources(by)
    if not resources:
        raise SeasonRefused(_("You cannot be booked, so there is nothing to agree to."))
    return _set_agreements(locked, resources, [one.pk for one in resources] if agrees else [], by)


@transaction.atomic
def open_places(season: Season, chosen: Collection[UUID], *, seen_version: int, by: User) -> bool:
    """Set which rooms and kits can be booked in the extra hours of a season. Return whether anything changed.

    seen_version: the `hours_version` that the page showed. Raises SeasonRefused if it showed other hours.
    """
    locked = _check_extra_hours(lock_season(season.pk), seen_version)
    places = list(Resource.objects.filter(user=None, in_use=True))
    return _set_agreements(locked, places, chosen, by)


def _set_agreements(season: Season, among: Sequence[Resource], chosen: Collection[UUID], by: User) -> bool:
    """Record an agreement for each chosen resource of `among`, and end those of the others.

    Return whether anything changed. The caller holds the lock of the season.
    """
    now, acts = timezone.now(), []
    rows = SeasonAgreement.objects.filter(season=season, resource__in=among, ended_at=None)
    row_of = {row.resource_id: row for row in rows}
    for resource in among:
        row, wanted = row_of.get(resource.pk), resource.pk in chosen
        is_in_force = row is not None and row.hours_version == season.hours_version
        if is_in_force == wanted:
            continue
        if row is not None:
            row.ended_at, row.ended_by = now, by
            row.save(update_fields=["ended_at", "ended_by"])
        if wanted:
            SeasonAgreement.objects.create(
                season=season, resource=resource, hours_version=season.hours_version, agreed_by=by
            )
        acts.append(
            Act(
                "season.agreed" if wanted else "season.agreement-ended",
                f"season:{season.pk}",
                actor=actor_of(by),
                details={"resource": resource.pk, "version": season.hours_version},
            )
        )
    if acts:
        record(*acts)
        # The extra hours of the last day may end on the next morning.
        begin, end = (
            timezone.make_aware(datetime.combine(day, time.min))
            for day in (season.first, season.last + timedelta(days=2))
        )
        span_changed(begin, end)
    return bool(acts)
