"""One pass: every keepsake of one memory goes from frame k to frame k+1, or none does.

1. Compute frame k+1 from frame k and store it under a new durable key (pending).
2. One short transaction: check the fence, point the keepsakes to the new frames, mark what is replaced for
   destruction. Its commit is the point of no return: a pause, protection, withdrawal or abort before it
   prevents the pass.
3. Destroy what is doomed.
4. Record it. Any process may repeat steps 3 and 4.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy

from clinic.failpoints import hit
from clinic.unavailable import ServiceUnavailable
from erasure.fade import letter, pages, photo
from erasure.runs.events import NewEvent, emit
from erasure.runs.lease import claimed_run, may_store
from erasure.runs.models import Fence, Hold, Run, Step, Trouble
from patients.consent.models import Signature
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.keys import KeyGone, Unwanted
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, publish, put, read, storage_holds
from patients.vault.stream import Tampered

FRAMES = photo.FRAMES
JPEG = "image/jpeg"
# Number of passes. A level counts the passes made, so a memory of level PASS_COUNT is gone. The last pass
# stores nothing: after it the same constant blank is shown for all.
PASS_COUNT = FRAMES + 1
# Stores one frame; arguments as `patients.vault.objects.put`.
Store: TypeAlias = Callable[..., StoredObject]


class Refused(Exception):
    """The fence, the consent or the memory's fate no longer allows this pass. Nothing was changed."""


class Cause(models.TextChoices):
    """Why a keepsake cannot be read."""

    ALTERED = "altered", gettext_lazy("its file was altered")
    MISSING = "missing", gettext_lazy("its file is missing")
    KEY_GONE = "key-gone", gettext_lazy("its key is gone")
    NO_PICTURE = "no-picture", gettext_lazy("its file opens, but holds nothing that can fade")


@dataclass(frozen=True)
class Damage:
    """A keepsake whose current frame, or whose words, cannot be read, and a code of Cause.

    keepsake: None if it is not one of the step's own, but one that it is compared with.
    """

    keepsake: Keepsake | None
    cause: str


class Damaged(Exception):
    """Keepsakes of a memory cannot be read, so it cannot fade. Nothing was changed."""

    def __init__(self, found: Sequence[Damage]) -> None:
        super().__init__(", ".join(str(item.cause) for item in found))
        self.found = found


@dataclass(frozen=True)
class NextFrame:
    """What one keepsake will show once the pass has committed; both are None if nothing is left to show."""

    keepsake: Keepsake
    picture: StoredObject | None
    thumb: StoredObject | None

    @property
    def objects(self) -> list[StoredObject]:
        return list({row.pk: row for row in (self.picture, self.thumb) if row}.values())


def keepsakes_of(step: Step) -> list[Keepsake]:
    """Return the keepsakes that fade in `step`: the memory's own, and copies the doctor put on the map."""
    extended = Hold.objects.filter(step=step, state=Hold.State.EXTENDED).values("copy")
    return list(
        Keepsake.objects.filter(Q(memory_id=step.memory_id) | Q(pk__in=extended), gone_at__isnull=True)
        .select_related("picture", "thumb")
        .order_by("added_at", "pk")
    )


def capacity_bits(keepsakes: Sequence[Keepsake]) -> int:
    """Return the largest number of bits that the visible frames of these keepsakes can still hold.

    A picture of w x h pixels holds at most w * h * 24 bits, a letter 8 for each byte of its text. Sound and
    video are not counted: the first pass destroys them completely. The number falls with every pass by
    construction; file sizes do not, because grain compresses badly (ERASURE.md, Fade).
    """
    return sum(keepsake.picture.capacity for keepsake in keepsakes if keepsake.picture)


def clear_leftovers(fence: Fence, step: Step, keepsakes: Sequence[Keepsake]) -> None:
    """Destroy frames that a killed worker left: averaging two noisy copies of a frame removes the noise.

    Errors: Refused if the worker has lost the run: what is pending now is its successor's.
    """
    mine = StoredObject.objects.filter(keepsake__in=keepsakes)
    with transaction.atomic():
        if not may_store(fence):
            raise Refused("the worker has lost the run, or it is not running")
        mark_for_destruction(mine.filter(state=StoredObject.State.PENDING), f"step:{step.pk}")
    destroy(mine)


def next_frame(keepsake: Keepsake, *, last: bool, store: Store = put) -> NextFrame:
    """Compute frame k+1 of a keepsake from its frame k and store it; store nothing in the `last` pass.

    The new rows are pending until the commit. A keepsake that an earlier, stopped run damaged is further
    than its step, and is blank earlier. The form decides how it fades: a recording fades as its waveform, a
    video as its first frame, an object as its photograph. The first pass destroys what these were made from.
    Errors: Damaged if the frame k cannot be read; OSError from the vault.
    """
    if last or keepsake.level + 1 > FRAMES or keepsake.picture is None:
        return NextFrame(keepsake, None, None)
    try:
        current = read(keepsake.picture)
        focus = keepsake.read().focus if keepsake.form == Keepsake.Form.PICTURE else []
    except Tampered as error:
        raise Damaged([Damage(keepsake, Cause.ALTERED)]) from error
    except FileNotFoundError as error:
        if not storage_holds(StoredObject.objects.exclude(pk=keepsake.picture.pk)):
            raise ServiceUnavailable(
                "The storage of the vault has none of the files it should have."
            ) from error
        raise Damaged([Damage(keepsake, Cause.MISSING)]) from error
    except KeyGone as error:
        raise Damaged([Damage(keepsake, Cause.KEY_GONE)]) from error
    try:
        calls = faded(keepsake, current, focus, store)
    except MemoryError:
        raise
    except Exception as error:  # whatever a decoder raises for bytes that are no picture
        raise Damaged([Damage(keepsake, Cause.NO_PICTURE)]) from error
    rows = [
        put_it(
            case_id=keepsake.case_id,
            memory_id=keepsake.memory_id,
            keepsake_id=keepsake.pk,
            role=StoredObject.Role.FRAME,
            level=keepsake.level + 1,
        )
        for put_it in calls
    ]
    return NextFrame(keepsake, rows[0], rows[-1])


def faded(
    keepsake: Keepsake, current: bytes, focus: Sequence[float], store: Store
) -> list[Callable[..., StoredObject]]:
    """Return frame k+1 of a keepsake, computed from its frame k (`current`): calls of `store`.

    The first call stores what fades on, the last what is shown; a picture is both.
    """
    level = keepsake.level
    if keepsake.form == Keepsake.Form.TEXT:
        words = letter.fade(current.decode(), level)
        bits = letter.capacity_bits(words)
        return [
            partial(store, words.encode(), media_type="text/plain", capacity=bits),
            partial(store, letter.draw_page(words), media_type=JPEG, size=letter.PAGE_SIZE),
        ]
    if keepsake.form == Keepsake.Form.PAGES:
        state = pages.fade(current, level)
        first = pages.first(state, level + 1)
        size, bits = (first.width, first.height), pages.capacity_bits(state, level + 1)
        return [
            partial(store, state, media_type=pages.MEDIA_TYPE, size=size, capacity=bits),
            partial(store, first.data, media_type=JPEG, size=size),
        ]
    frame = photo.fade(
        current,
        level,
        origin=(keepsake.width, keepsake.height),
        focus=(focus[0], focus[1]) if len(focus) == 2 else None,
    )
    size = (frame.width, frame.height)
    bits = photo.capacity_bits(*size)
    return [partial(store, frame.data, media_type=JPEG, size=size, capacity=bits)]


def replace_frames(frames: Sequence[NextFrame], step: Step) -> None:
    """Point the keepsakes to their new frames and mark what is replaced for destruction.

    Call it inside the transaction. Errors: Refused if a keepsake or a new frame has changed meanwhile.
    """
    new_rows = [row for frame in frames for row in frame.objects]
    if not publish(new_rows):
        raise Refused("a new frame was doomed")
    for frame in frames:
        moved = Keepsake.objects.filter(
            pk=frame.keepsake.pk, level=frame.keepsake.level, gone_at__isnull=True
        ).update(
            picture=frame.picture,
            thumb=frame.thumb,
            level=frame.keepsake.level + 1,
            gone_at=None if frame.picture else timezone.now(),
        )
        if moved != 1:
            raise Refused("another pass was faster")
    replaced = StoredObject.objects.filter(keepsake__in=[frame.keepsake for frame in frames]).exclude(
        pk__in=[row.pk for row in new_rows]
    )
    if step.level + 1 < PASS_COUNT:
        replaced = replaced.exclude(role=StoredObject.Role.SEAL)
    else:
        everything = StoredObject.objects.filter(
            Q(memory_id=step.memory_id) | Q(keepsake__memory_id=step.memory_id)
        )
        mark_for_destruction(everything, f"step:{step.pk}")
        Memory.objects.filter(pk=step.memory_id).update(fate=Memory.Fate.ERASED)
    mark_for_destruction(replaced, f"step:{step.pk}")


def commit(fence: Fence, step: Step, frames: Sequence[NextFrame], due: datetime) -> None:
    """Run transaction 2 of the pass. due: when the next pass is due. Errors: Refused (nothing is changed)."""
    with transaction.atomic():
        run = claimed_run(fence).filter(state=Run.State.RUNNING)
        # This update locks the run row; every user action on the run locks it first, too.
        if run.update(next_due_at=due) != 1:
            raise Refused("the worker has lost the run, or it is not running")
        consent = Signature.objects.in_force().filter(procedures__run=fence.run_id)
        if not consent.select_for_update(of=("self",)).exists():
            raise Refused("no consent in force")
        if not Memory.objects.targets().filter(pk=step.memory_id).exists():
            raise Refused("the memory is no target")
        moved = Step.objects.filter(
            pk=step.pk, level=step.level, state__in=[Step.State.WAITING, Step.State.FADING]
        ).update(
            level=step.level + 1,
            state=Step.State.FADING,
            started_at=step.started_at or timezone.now(),
        )
        if moved != 1:
            raise Refused("the step has changed")
        replace_frames(frames, step)
        # Whatever kept the run or this memory from going on no longer does. A decision to destroy stands.
        over = Q(step=step) | ~Q(kind=Trouble.Kind.DAMAGED)
        ended = Trouble.objects.filter(over, run=fence.run_id, state=Trouble.State.OPEN).update(
            state=Trouble.State.OVER, ended_at=Now()
        )
        emit(fence.run_id, *([NewEvent("moves-again")] if ended else []), *pass_events(step, frames))
        hit("before-commit")


def pass_events(step: Step, frames: Sequence[NextFrame]) -> list[NewEvent]:
    """Return the events of this pass: which frame is shown now, and how many bits it can hold at most."""
    after_pass = [Keepsake(kind=frame.keepsake.kind, picture=frame.picture) for frame in frames]
    shown: UUID | None = next((frame.thumb.pk for frame in frames if frame.thumb), None)
    pass_event = NewEvent(
        "pass",
        {
            "n": step.memory.number,
            "level": step.level + 1,
            "levels": PASS_COUNT,
            "bits": capacity_bits(after_pass),
            "picture": str(shown) if shown else None,
        },
    )
    started = NewEvent("memory-started", {"n": step.memory.number})
    return [started, pass_event] if step.level == 0 else [pass_event]


def make_frames(step: Step, keepsakes: Sequence[Keepsake], store: Store) -> list[NextFrame]:
    """Compute and store the next frame of each keepsake of `step`, each by `store`.

    A damaged keepsake that the doctor decided to destroy as it is gets none: the pass dooms its objects.
    Errors: Damaged, with all keepsakes that cannot be read; OSError from the vault.
    """
    unfaded = set(
        Trouble.objects.filter(step=step, state=Trouble.State.DESTROY).values_list("keepsake_id", flat=True)
    )
    frames: list[NextFrame] = []
    found: list[Damage] = []
    for keepsake in keepsakes:
        last = step.level + 1 == PASS_COUNT or keepsake.pk in unfaded
        try:
            frames.append(next_frame(keepsake, last=last, store=store))
        except Damaged as damaged:
            found += damaged.found
    if found:
        raise Damaged(found)
    return frames


def destroy_unused(step: Step, rows: Sequence[StoredObject]) -> None:
    """Destroy new frames that no pass uses: they must not remain beside the current ones.

    Only those given: a worker that has lost the run must not destroy a frame that its successor is making.
    """
    unused = StoredObject.objects.filter(pk__in=[row.pk for row in rows])
    mark_for_destruction(unused, f"step:{step.pk}")
    destroy(unused)


def make_pass(fence: Fence, step: Step, *, due: datetime) -> None:
    """Take `step` one frame further.

    Errors: Refused and Damaged (nothing is changed), OSError from the vault.
    """
    keepsakes = keepsakes_of(step)
    clear_leftovers(fence, step, keepsakes)
    hit("cleared")
    stored: list[StoredObject] = []

    def store(data: bytes, **fields: Any) -> StoredObject:
        stored.append(put(data, permitted=partial(may_store, fence), **fields))
        return stored[-1]

    try:
        frames = make_frames(step, keepsakes, store)
        hit("frames-made")
        commit(fence, step, frames, due)
    except (Refused, Unwanted, Damaged) as refusal:
        destroy_unused(step, stored)
        if isinstance(refusal, Unwanted):
            raise Refused("a frame is not wanted any more") from refusal
        raise
    hit("after-commit")
    destroy(StoredObject.objects.filter(doomed_by=f"step:{step.pk}"))
