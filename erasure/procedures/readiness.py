"""Why a booked procedure cannot start: one rule for the start itself, the day board and the case's status."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clinic.calendar.durations import format_moment
from clinic.configuration.values import value_of
from erasure.procedures.configuration import START_LEAD_MINUTES
from erasure.procedures.models import Procedure
from patients.cases.models import Case
from patients.cases.status import Hours, Review, review_fault
from patients.consent.signing import may_start_from
from patients.intake_review.reviewing import FAULTS_FOR_STAFF, reviews_of
from patients.memories.map_content import map_bodies, map_body, map_digest
from patients.memories.models import Memory

# By code: a few words for the day board, and a sentence for a person who wants to start the procedure.
FAULTS: dict[str, tuple[str | Promise, str | Promise]] = {
    "over": (_("started or canceled before"), _("This procedure was started or canceled before.")),
    "withdrawn": (_("consent withdrawn"), _("The patient's consent is no longer in force.")),
    "unsigned": (_("consent unsigned"), _("The patient's consent is no longer in force.")),
    "map": (_("consent unsigned"), _("The map has changed since the patient signed.")),
    "memories": (
        _("the memories have changed"),
        _("The memories are no longer those on the signed map."),
    ),
    "unreviewed": (_("intake not reviewed"), FAULTS_FOR_STAFF["unreviewed"]),
    "outdated": (_("intake changed since its review"), FAULTS_FOR_STAFF["outdated"]),
    "not-cleared": (_("not cleared by the doctor"), FAULTS_FOR_STAFF["not-cleared"]),
    "nothing": (_("nothing left to erase"), _("There is nothing on the map to erase.")),
    "cooling-off": (
        _("still within the time to think it over"),
        _("The patient is still within the time to think it over."),
    ),
}


def opens_at(procedure: Procedure) -> datetime:
    """Return from when on a person may start a procedure: some minutes before its booked time.

    The minutes are a setting. The time to think it over is never cut short. procedure: loaded with `consent`
    and `booking`.
    """
    lead = timedelta(minutes=value_of(START_LEAD_MINUTES))
    start = procedure.booking.starts_at
    return min(start, max(start - lead, may_start_from(procedure.consent)))


def hours_at(procedure: Procedure, now: datetime) -> Hours:
    """Return whether `now` is before the hours in which a procedure can be started, in them, or after them.

    procedure: loaded with `consent` and `booking`.
    """
    if now >= procedure.booking.ends_at:
        return Hours.OVER
    return Hours.BEFORE if now < opens_at(procedure) else Hours.OPEN


def _read_with_clock(procedure: Procedure) -> Any:
    """Read a procedure anew, with the time of the database's clock as its attribute `now`."""
    return Procedure.objects.select_related("consent", "booking").annotate(now=Now()).get(pk=procedure.pk)


def is_missed(procedure: Procedure) -> bool:
    """Return whether a procedure is booked and its hours have passed, by the database's clock."""
    row = _read_with_clock(procedure)
    return bool(row.state == Procedure.State.BOOKED and hours_at(row, row.now) == Hours.OVER)


def hours_fault(procedure: Procedure) -> str:
    """Return a sentence that says why a procedure cannot start at this hour, or "" if it can.

    The hours are read anew. They cannot change before the commit if the caller holds the procedure's lock.
    """
    row = _read_with_clock(procedure)
    hours = hours_at(row, row.now)
    words = {
        "start": format_moment(row.booking.starts_at),
        "end": format_moment(row.booking.ends_at),
        "first": format_moment(opens_at(row)),
    }
    if hours == Hours.OVER:
        return (
            gettext(
                "This night was booked from %(start)s to %(end)s. It has to be moved before it can start."
            )
            % words
        )
    if hours == Hours.BEFORE:
        return (
            gettext(
                "This night is booked from %(start)s to %(end)s, and can be started from %(first)s on."
                " To start it earlier, move it first."
            )
            % words
        )
    return ""


def faults_at_start(procedures: Collection[Procedure]) -> dict[UUID, str]:
    """Return for each procedure, by its id, the code of why it cannot start at its booked time, or "".

    The number of queries does not depend on that of the procedures, which are loaded with `consent`, `map`
    and `booking`.
    """
    booked = [one for one in procedures if one.state == Procedure.State.BOOKED]
    cases = {one.case_id for one in booked}
    bodies = map_bodies(cases) if booked else {}
    reviews = reviews_of(list(Case.objects.filter(pk__in=cases))) if booked else {}
    return {
        one.pk: _fault(one, bodies.get(one.case_id, {}), reviews.get(one.case_id)) or _cooling_off_fault(one)
        for one in procedures
    }


def fault_of(procedure: Procedure) -> str:
    """Return the code of why a procedure cannot start at any hour, or "" if nothing is in the way.

    The time to think it over is not checked here: the start compares it with the database's clock.
    """
    case = procedure.case
    return _fault(procedure, map_body(case), reviews_of([case]).get(case.pk))


def _cooling_off_fault(procedure: Procedure) -> str:
    return "cooling-off" if procedure.booking.starts_at < may_start_from(procedure.consent) else ""


def _fault(procedure: Procedure, body: dict[str, Any], review: Review | None) -> str:
    """Return a code of FAULTS, or "". body: the memories as they are now (see map_content.py)."""
    consent, locked = procedure.consent, procedure.map
    if procedure.state != Procedure.State.BOOKED:
        return "over"
    if consent.withdrawn_at:
        return "withdrawn"
    if consent.superseded_at:
        return "unsigned"
    if locked.unlocked_at or consent.map_digest != locked.digest:
        return "map"
    if map_digest(body) != locked.digest:
        return "memories"
    fates = {memory["fate"] for memory in body["memories"] if memory["zone"] == Memory.Zone.MAP}
    if Memory.Fate.TARGET not in fates:
        return "nothing"
    return review_fault(review, needed=locked.needs_review)
