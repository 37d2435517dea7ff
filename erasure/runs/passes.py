"""One pass: every keepsake of one memory goes one frame down the chain, or none does.

1. compute frame k+1 from frame k, store it under a new durable key (pending);
2. one short transaction: the fence, the pointers, the doom of everything replaced. Its commit is the point
   of no return: pause, protect, withdrawal and abort win before it and never after it;
3. destroy what is doomed;
4. record it. Steps 3 and 4 may be repeated by anyone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from clinic.failpoints import hit
from erasure.fade import letter, pages, photo
from erasure.runs.events import NewEvent, emit
from erasure.runs.lease import held
from erasure.runs.models import Fence, Hold, Run, Step
from patients.consent.models import Signature
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, doom, publish, put, read

FRAMES = photo.FRAMES
JPEG = "image/jpeg"
# The last transition stores nothing: what is left after it is the constant blank, the same for everyone.
GONE = FRAMES + 1


class Refused(Exception):
    """The fence, the consent or the memory's fate no longer allows this pass. Nothing was changed."""


@dataclass(frozen=True)
class NextFrame:
    """What one keepsake will show once the pass commits; both None when nothing is left to show."""

    keepsake: Keepsake
    picture: StoredObject | None
    thumb: StoredObject | None

    @property
    def objects(self) -> list[StoredObject]:
        return list({row.pk: row for row in (self.picture, self.thumb) if row}.values())


def keepsakes_of(step: Step) -> list[Keepsake]:
    """The keepsakes that fade together in `step`: the memory's own, and copies the doctor put on the map."""
    extended = Hold.objects.filter(step=step, state=Hold.State.EXTENDED).values("copy")
    return list(
        Keepsake.objects.filter(Q(memory_id=step.memory_id) | Q(pk__in=extended), gone_at__isnull=True)
        .select_related("picture", "thumb")
        .order_by("added_at", "pk")
    )


def capacity_bits(keepsakes: Sequence[Keepsake]) -> int:
    """At most this many bits of these keepsakes are still stored in what can be seen of them.

    A picture of w x h pixels holds at most w * h * 24 bits; a letter 8 for each byte of its words. Sound and
    moving pictures are not in it: the first pass destroys them whole. It falls with every pass by
    construction; file sizes do not, because grain compresses badly (ERASURE.md, Fade).
    """
    return sum(keepsake.picture.capacity for keepsake in keepsakes if keepsake.picture)


def clear_leftovers(step: Step, keepsakes: Sequence[Keepsake]) -> None:
    """End what a killed predecessor made: a second noisy copy of a frame would average the noise away."""
    mine = StoredObject.objects.filter(keepsake__in=keepsakes)
    doom(mine.filter(state=StoredObject.State.PENDING), f"step:{step.pk}")
    destroy(mine)


def next_frame(keepsake: Keepsake, *, last: bool) -> NextFrame:
    """Compute and store frame k+1 of a keepsake from its frame k; none if it is the `last` transition.

    Its rows are pending until the commit. A keepsake that an earlier, stopped run has damaged is ahead of
    its step and is blank before it. What it is made of decides how it fades: a recording is its waveform, a
    video its first frame, a thing its photograph; what they were made from goes at the first pass.
    """
    if last or keepsake.level + 1 > FRAMES or keepsake.picture is None:
        return NextFrame(keepsake, None, None)
    owner: dict[str, Any] = {
        "case_id": keepsake.case_id,
        "memory_id": keepsake.memory_id,
        "keepsake_id": keepsake.pk,
        "role": StoredObject.Role.FRAME,
        "level": keepsake.level + 1,
    }
    current = read(keepsake.picture)
    if keepsake.form == Keepsake.Form.TEXT:
        words = letter.fade(current.decode(), keepsake.level)
        text = partial(put, words.encode(), media_type="text/plain", capacity=letter.capacity_bits(words))
        sheet = partial(put, letter.page(words), media_type=JPEG, size=letter.PAGE_SIZE)
        return NextFrame(keepsake, text(**owner), sheet(**owner))
    if keepsake.form == Keepsake.Form.PAGES:
        state = pages.fade(current, keepsake.level)
        one = pages.first(state, keepsake.level + 1)
        size, bits = (one.width, one.height), pages.capacity_bits(state, keepsake.level + 1)
        all_of_it = partial(put, state, media_type=pages.MEDIA_TYPE, size=size, capacity=bits)
        return NextFrame(keepsake, all_of_it(**owner), put(one.data, media_type=JPEG, size=size, **owner))
    focus = keepsake.read().focus
    frame = photo.fade(
        current,
        keepsake.level,
        origin=(keepsake.width, keepsake.height),
        focus=(focus[0], focus[1]) if len(focus) == 2 else None,
    )
    row = put(
        frame.data,
        media_type=JPEG,
        size=(frame.width, frame.height),
        capacity=photo.capacity_bits(frame.width, frame.height),
        **owner,
    )
    return NextFrame(keepsake, row, row)


def point(frames: Sequence[NextFrame], step: Step) -> None:
    """Move the pointers and doom what they leave behind. Errors: Refused when any of it has moved."""
    fresh = [row for frame in frames for row in frame.objects]
    if not publish(fresh):
        raise Refused("a new frame was swept")
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
        pk__in=[row.pk for row in fresh]
    )
    if step.level + 1 < GONE:
        replaced = replaced.exclude(role=StoredObject.Role.SEAL)
    else:
        whole = StoredObject.objects.filter(
            Q(memory_id=step.memory_id) | Q(keepsake__memory_id=step.memory_id)
        )
        doom(whole, f"step:{step.pk}")
        Memory.objects.filter(pk=step.memory_id).update(fate=Memory.Fate.ERASED)
    doom(replaced, f"step:{step.pk}")


def commit(fence: Fence, step: Step, frames: Sequence[NextFrame], due: datetime) -> None:
    """Transaction (2). `due`: when the run's next pass is. Errors: Refused; then nothing changed."""
    with transaction.atomic():
        run = held(fence).filter(state=Run.State.RUNNING)
        # This update takes the run row's lock; whoever controls the run takes the same one first.
        if run.update(next_due_at=due) != 1:
            raise Refused("not ours any more, or not running")
        consent = Signature.objects.in_force().filter(procedures__run=fence.run_id)
        if not consent.select_for_update(of=("self",)).exists():
            raise Refused("no consent in force")
        if not Memory.objects.targets().filter(pk=step.memory_id).exists():
            raise Refused("the memory is kept")
        moved = Step.objects.filter(
            pk=step.pk, level=step.level, state__in=[Step.State.WAITING, Step.State.FADING]
        ).update(
            level=step.level + 1,
            state=Step.State.FADING,
            started_at=step.started_at or timezone.now(),
        )
        if moved != 1:
            raise Refused("the step has moved")
        point(frames, step)
        emit(fence.run_id, *news(step, frames))
        hit("before-commit")


def news(step: Step, frames: Sequence[NextFrame]) -> list[NewEvent]:
    """What watchers are told of this pass: the frame that exists now, and how much it can hold at most."""
    after = [Keepsake(kind=frame.keepsake.kind, picture=frame.picture) for frame in frames]
    shown: UUID | None = next((frame.thumb.pk for frame in frames if frame.thumb), None)
    passed = NewEvent(
        "pass",
        {
            "n": step.memory.number,
            "level": step.level + 1,
            "levels": GONE,
            "bits": capacity_bits(after),
            "picture": str(shown) if shown else None,
        },
    )
    started = NewEvent("memory-started", {"n": step.memory.number})
    return [started, passed] if step.level == 0 else [passed]


def make_pass(fence: Fence, step: Step, *, due: datetime) -> None:
    """Take `step` one frame further. Errors: Refused (nothing changed), OSError from the vault."""
    keepsakes = keepsakes_of(step)
    clear_leftovers(step, keepsakes)
    frames = [next_frame(keepsake, last=step.level + 1 == GONE) for keepsake in keepsakes]
    hit("frames-made")
    try:
        commit(fence, step, frames, due)
    except Refused:
        # What was computed in vain must not live on beside the frame that stays. Only ours: a worker that
        # was fenced off must not end the frame its successor is making.
        vain = StoredObject.objects.filter(pk__in=[row.pk for frame in frames for row in frame.objects])
        doom(vain, f"step:{step.pk}")
        destroy(vain)
        raise
    hit("after-commit")
    destroy(StoredObject.objects.filter(doomed_by=f"step:{step.pk}"))
