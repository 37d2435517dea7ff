"""Why a booked procedure cannot start: one rule for the start itself, the day board and the case's status."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from erasure.procedures.models import Procedure
from patients.consent.signing import may_start_from
from patients.memories.map_content import map_bodies, map_body, map_digest
from patients.memories.models import Memory

# By code: a few words for the day board, and a sentence for whoever wants to start.
FAULTS: dict[str, tuple[str | Promise, str | Promise]] = {
    "over": (_("started or canceled before"), _("This procedure was started or canceled before.")),
    "withdrawn": (_("consent withdrawn"), _("The patient's consent is no longer in force.")),
    "unsigned": (_("consent unsigned"), _("The patient's consent is no longer in force.")),
    "map": (_("consent unsigned"), _("The map has changed since the patient signed.")),
    "memories": (
        _("the memories have changed"),
        _("The memories are no longer those on the signed map."),
    ),
    "nothing": (_("nothing left to erase"), _("There is nothing on the map to erase.")),
    "cooling-off": (
        _("still within the time to think it over"),
        _("The patient is still within the time to think it over."),
    ),
}


def faults_at_start(procedures: Collection[Procedure]) -> dict[UUID, str]:
    """Return for each procedure, by its id, the code of why it cannot start at its booked time, or "".

    The number of queries is the same for any number of procedures. Load them with `consent`, `map` and
    `booking`.
    """
    booked = [one for one in procedures if one.state == Procedure.State.BOOKED]
    bodies = map_bodies({one.case_id for one in booked}) if booked else {}
    return {one.pk: _fault(one, bodies.get(one.case_id, {})) or _early(one) for one in procedures}


def fault_of(procedure: Procedure) -> str:
    """Return the code of why a procedure cannot start, whenever it is, or "" if nothing is in the way.

    The time to think it over is judged apart: the start itself compares it with the database's clock.
    """
    return _fault(procedure, map_body(procedure.case))


def _early(procedure: Procedure) -> str:
    return "cooling-off" if procedure.booking.starts_at < may_start_from(procedure.consent) else ""


def _fault(procedure: Procedure, body: dict[str, Any]) -> str:
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
    return "" if Memory.Fate.TARGET in fates else "nothing"
