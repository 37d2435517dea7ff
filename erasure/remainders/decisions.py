"""What a night left half gone stays sealed until the patient says: give it back as it is, or destroy it.

Each is the patient's own act, recorded, and possible only while no night is booked for it or under way.
"""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from erasure.procedures.models import Procedure
from erasure.runs.models import Hold, Remainder, Run, Step
from erasure.runs.passes import GONE, capacity_bits
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import destroy as destroy_doomed
from patients.vault.objects import doom, read


class NotNow(Exception):
    """This cannot be decided now; the message says why in plain words."""


@dataclass(frozen=True)
class Left:
    """One memory that is half gone, as its patient sees it."""

    step: Step
    keepsakes: list[Keepsake]
    title: str
    state: str  # of the Remainder; empty while nothing was decided

    @property
    def memory_id(self) -> UUID:
        return self.step.memory_id

    @property
    def number(self) -> int | None:
        return self.step.memory.number

    @property
    def bits(self) -> int:
        """At most this many bits of it are stored."""
        return capacity_bits(self.keepsakes)

    @property
    def passes(self) -> int:
        return GONE


def _damaged(patient: User) -> "list[Step]":
    """Steps that ended between the first pass and the last; of several nights the latest for each memory."""
    steps = (
        Step.objects.filter(
            run__procedure__case__patient=patient,
            run__state=Run.State.FINISHED,
            state=Step.State.SPARED,
            level__gt=0,
            level__lt=GONE,
        )
        .exclude(memory__fate=Memory.Fate.ERASED)
        .select_related("memory__case", "run__procedure", "remainder")
        .order_by("run__started_at", "position")
    )
    return list({step.memory_id: step for step in steps}.values())


def left_of(patient: User) -> list[Left]:
    """What is left half gone of all of a patient's nights, newest memory first."""
    return [_left(step) for step in _damaged(patient)]


def _faded_with(step: Step) -> Q:
    """The keepsakes of a step: the memory's own, and copies off the map that faded with them."""
    extended = Hold.objects.filter(step__memory=step.memory_id, state=Hold.State.EXTENDED)
    return Q(memory_id=step.memory_id) | Q(pk__in=extended.values("copy"), level__gt=0)


def _left(step: Step) -> Left:
    keepsakes = Keepsake.objects.filter(_faded_with(step), gone_at__isnull=True)
    try:
        title = step.memory.read().title
    except KeyGone:
        title = ""
    decided: Remainder | None = getattr(step, "remainder", None)
    rows = list(keepsakes.select_related("picture", "thumb").order_by("added_at", "pk"))
    return Left(step, rows, title, decided.state if decided else "")


def undecided(patient: User) -> int:
    """How many half gone memories wait for their patient's word."""
    return sum(1 for step in _damaged(patient) if not hasattr(step, "remainder"))


def one(memory_id: UUID, patient: User) -> Left | None:
    """The half gone memory of this id, if it is one of the patient's."""
    step = next((step for step in _damaged(patient) if step.memory_id == memory_id), None)
    return _left(step) if step else None


def _held_still(memory_id: UUID, by: User) -> Step:
    """Lock the memory's row and return its step. Errors: NotNow."""
    memory = Memory.objects.select_for_update().get(pk=memory_id)
    step = next((step for step in _damaged(by) if step.memory_id == memory_id), None)
    if step is None or memory.fate == Memory.Fate.ERASED:
        raise NotNow(_("Nothing of this memory is left to decide on."))
    going_on = Procedure.objects.filter(
        case=memory.case_id, state__in=[Procedure.State.BOOKED, Procedure.State.STARTED]
    )
    if going_on.exists():
        raise NotNow(_("A night is booked for this map. Nothing can be decided on its memories until then."))
    return step


def _decide(step: Step, state: str, by: User) -> None:
    given = {"given_at": Now()} if state == Remainder.State.GIVEN_BACK else {}
    Remainder.objects.update_or_create(
        step=step, defaults={"state": state, "decided_by": by, "decided_at": Now(), **given}
    )


def _record(action: str, step: Step, by: User, **details: int) -> None:
    record(
        Act(
            action,
            f"memory:{step.memory_id}",
            actor=actor_of(by),
            case=step.memory.case_id,
            run=step.run_id,
            details={"level": step.level, **details},
        )
    )


def _state_of(step: Step) -> str:
    return Remainder.objects.filter(step=step).values_list("state", flat=True).first() or ""


@transaction.atomic
def give_back(memory_id: UUID, *, by: User) -> bool:
    """Let the patient fetch what is left of a memory; False where that was so already. Errors: NotNow."""
    step = _held_still(memory_id, by)
    if _state_of(step) == Remainder.State.GIVEN_BACK:
        return False
    _decide(step, Remainder.State.GIVEN_BACK, by)
    _record("remainder.given-back", step, by)
    return True


@transaction.atomic
def keep(memory_id: UUID, *, by: User) -> bool:
    """Leave what is left sealed in the house; nobody fetches it then. Errors: NotNow."""
    step = _held_still(memory_id, by)
    if _state_of(step) == Remainder.State.KEPT:
        return False
    _decide(step, Remainder.State.KEPT, by)
    _record("remainder.kept", step, by)
    return True


def destroy(memory_id: UUID, *, by: User) -> int:
    """Destroy what is left of a memory, words and all; returns how many objects. Errors: NotNow.

    The commit dooms them; what a crash leaves undone after it, the sweep of the vault ends.
    """
    with transaction.atomic():
        step = _held_still(memory_id, by)
        rows = Keepsake.objects.select_for_update(of=("self",)).filter(_faded_with(step))
        mine = [
            row.pk for row in rows.order_by("pk")
        ]  # the locks: no pass points to a new frame from here on
        whole = StoredObject.objects.filter(Q(memory_id=memory_id) | Q(keepsake__in=mine))
        rows.filter(gone_at__isnull=True).update(picture=None, thumb=None, gone_at=Now())
        doomed = doom(whole, f"remainder:{step.pk}")
        Memory.objects.filter(pk=memory_id).update(fate=Memory.Fate.ERASED)
        _decide(step, Remainder.State.DESTROYED, by)
        _record("remainder.destroyed", step, by, objects=doomed)
    destroy_doomed(StoredObject.objects.filter(doomed_by=f"remainder:{step.pk}"))
    return doomed


def fetch(keepsake: Keepsake, *, by: User) -> tuple[bytes, str]:
    """Return what is left of a keepsake that was given back, and its media type.

    Errors: NotNow where it was not given back or is gone.
    """
    found = next((left for left in left_of(by) if keepsake in left.keepsakes), None)
    if found is None or found.state != Remainder.State.GIVEN_BACK or keepsake.picture is None:
        raise NotNow(_("This is not given back to you."))
    try:
        data = read(keepsake.picture)
    except (KeyGone, FileNotFoundError) as error:
        raise NotNow(_("Nothing of this memory is left to decide on.")) from error
    with transaction.atomic():
        _record("remainder.fetched", found.step, by)
    return data, keepsake.picture.media_type or "application/octet-stream"
