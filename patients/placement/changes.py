"""Changes many keepsakes in one action, and undoes it: all of them or none."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.edits.seen import is_seen, seen_mark
from patients.cases.editing import CaseLocked, open_case_of
from patients.cases.models import Case
from patients.keepsakes.models import OTHERS_LENGTH, Keepsake
from patients.keepsakes.removal import memory_mark, remove_memory
from patients.memories.forms import each_name_once, split_names
from patients.memories.models import Memory
from patients.memories.when import When
from patients.memories.writing import write_memory
from patients.placement.sheet import ReadKeepsake, read_keepsakes, state_of
from patients.placement.titles import common_day, proposed_title
from patients.vault.models import StoredObject


class CannotPlace(Exception):
    """The action is not possible, so nothing was changed. The message is for the patient.

    changed: the keepsakes that are not as the page showed them.
    """

    def __init__(self, message: str, changed: Sequence[UUID] = ()) -> None:
        super().__init__(message)
        self.changed = frozenset(changed)


@dataclass(frozen=True)
class Placing:
    """What one action does with the chosen keepsakes. A field that is empty changes nothing.

    memory: the id of the memory that they come into. new: whether they come into a new memory. title: of the
    new memory; if it is empty, a proposed title is used. when: the date that each keepsake gets, and the new
    memory. caption: replaces theirs. others: names to add to those of the people in them.
    """

    memory: UUID | None = None
    new: bool = False
    title: str = ""
    when: When | None = None
    caption: str = ""
    others: Sequence[str] = field(default_factory=tuple)

    @property
    def does_something(self) -> bool:
        return bool(self.memory or self.new or self.when or self.caption or self.others)


@transaction.atomic
def place_keepsakes(case: Case, ticks: Mapping[UUID, str], placing: Placing, *, by: User) -> UUID:
    """Do one action with many keepsakes of a case, or nothing at all. Return its id, by which it is undone.

    ticks: the mark that each keepsake had on the page (`ReadKeepsake.mark`), by its id. Errors: CannotPlace;
    CaseLocked if the map is locked.
    """
    locked = open_case_of(case.pk)
    keepsakes = _lock_keepsakes(locked, ticks)
    action = uuid4()
    memory, created_mark = _memory_for(locked, keepsakes, placing, by=by)
    # Each keepsake stores this, beside the values that its own fields had.
    shared_undo = {
        "action": str(action),
        "count": len(keepsakes),
        "made": str(memory.pk) if memory and created_mark else "",
        "made_mark": created_mark,
    }
    changed = [_apply(keepsake, placing, memory, shared_undo) for keepsake in keepsakes]
    _save(changed)
    record(*_audit_entries(changed, action, by=by))
    return action


def _lock_keepsakes(case: Case, ticks: Mapping[UUID, str]) -> list[ReadKeepsake]:
    """Lock the ticked keepsakes and return them as they are now.

    Errors: CannotPlace if none is ticked, or one of them is gone or not as the page showed it.
    """
    if not ticks:
        raise CannotPlace(_("Choose one or more first."))
    keepsakes = _lock_and_read(case, list(ticks))
    there = {keepsake.row.pk for keepsake in keepsakes}
    if missing := len(ticks.keys() - there):
        raise CannotPlace(
            ngettext(
                "%(n)d of these was taken back meanwhile. Nothing was changed; look and send it again.",
                "%(n)d of these were taken back meanwhile. Nothing was changed; look and send it again.",
                missing,
            )
            % {"n": missing}
        )
    changed = [
        one.row.pk for one in keepsakes if not is_seen(ticks[one.row.pk], *state_of(one.row, one.fields))
    ]
    if changed:
        raise CannotPlace(
            ngettext(
                "%(n)d of these was changed while your page was open, so nothing was saved. It is marked"
                " below; look at it and send it again.",
                "%(n)d of these were changed while your page was open, so nothing was saved. They are marked"
                " below; look at them and send it again.",
                len(changed),
            )
            % {"n": len(changed)},
            changed,
        )
    return sorted(keepsakes, key=lambda keepsake: keepsake.sort_key)


def _lock_and_read(case: Case, ids: Sequence[UUID] | None = None) -> list[ReadKeepsake]:
    """Lock the keepsakes of a case that are not gone, and return those that can be read, without memories.

    ids: only of these; None for all.
    """
    rows = Keepsake.objects.select_for_update().filter(case=case, gone_at__isnull=True)
    return read_keepsakes((rows if ids is None else rows.filter(pk__in=ids)).order_by("pk"), {})


def _memory_for(
    case: Case, keepsakes: Sequence[ReadKeepsake], placing: Placing, *, by: User
) -> tuple[Memory | None, str]:
    """Return the memory that the keepsakes come into, or None, and the mark of it if it is new, else "".

    Errors: CannotPlace if there is no such memory in the case any more.
    """
    if placing.new:
        day = common_day(keepsakes)
        date = placing.when or When(day, "")
        words = {"title": placing.title or proposed_title(keepsakes), "when": date.words, "day": date.day}
        made = write_memory(case, words, {}, by=by)
        return made, memory_mark(made)
    if placing.memory is None:
        return None, ""
    rows = Memory.objects.select_for_update().exclude(fate=Memory.Fate.ERASED)
    if (row := rows.filter(pk=placing.memory, case=case).first()) is None:
        raise CannotPlace(_("That memory was taken off your file meanwhile."))
    return row, ""


def _apply(
    keepsake: ReadKeepsake, placing: Placing, memory: Memory | None, shared_undo: dict[str, Any]
) -> Keepsake:
    """Change one keepsake and return its row, which the caller saves. It stores how to undo the change.

    shared_undo: what all keepsakes of the action store of it. Errors: CannotPlace if the names would be too
    long.
    """
    row, fields = keepsake.row, keepsake.fields
    before = {
        **{name: getattr(fields, name) for name in ("caption", "others", "when", "day")},
        "memory": str(row.memory_id or ""),
        "review": row.review,
    }
    if placing.when:
        fields = dataclasses.replace(fields, when=placing.when.words, day=placing.when.day)
    if placing.caption:
        fields = dataclasses.replace(fields, caption=placing.caption)
    if placing.others:
        fields = dataclasses.replace(fields, others=_with_names(fields.others, placing.others))
    if memory:
        row.memory = memory
    if row.review == Keepsake.Review.RETURNED:
        row.review = Keepsake.Review.WAITING
    after = seen_mark(*state_of(row, fields))
    row.write(dataclasses.replace(fields, undo={**shared_undo, "before": before, "after": after}))
    return row


def _with_names(there: str, added: Sequence[str]) -> str:
    """Return names with commas between: those that are there, then new ones, each once.

    Errors: CannotPlace if they are too long.
    """
    joined = ", ".join(each_name_once([*split_names(there), *added]))
    if len(joined) > OTHERS_LENGTH:
        raise CannotPlace(_("Those are too many names for one of the keepsakes. Nothing was changed."))
    return joined


def _save(rows: Sequence[Keepsake]) -> None:
    """Save changed keepsakes, and set the memory of each on its stored objects too."""
    Keepsake.objects.bulk_update(rows, ["sealed", "memory", "review"], batch_size=200)
    by_memory: dict[UUID | None, list[UUID]] = {}
    for row in rows:
        by_memory.setdefault(row.memory_id, []).append(row.pk)
    for memory, ids in by_memory.items():
        StoredObject.objects.filter(keepsake__in=ids).update(memory=memory)


def _audit_entries(rows: Sequence[Keepsake], action: UUID, *, by: User) -> list[Act]:
    """Return one audit entry for each keepsake, as for a single change, with the action's id."""
    return [
        Act(
            "keepsake.changed",
            f"keepsake:{row.pk}",
            actor=actor_of(by),
            case=row.case_id,
            details={"together": action},
        )
        for row in rows
    ]


def undoable(keepsakes: Sequence[ReadKeepsake], action: UUID | None) -> list[ReadKeepsake]:
    """Return those of `keepsakes` that an action changed; none if one of them was changed since or is gone.

    keepsakes: all keepsakes of the case.
    """
    changed = [
        keepsake for keepsake in keepsakes if action and keepsake.fields.undo.get("action") == str(action)
    ]
    same = [one for one in changed if is_seen(one.fields.undo["after"], *state_of(one.row, one.fields))]
    return same if same and len(same) == same[0].fields.undo["count"] else []


def undo(case: Case, action: UUID, *, by: User) -> int:
    """Undo an action: give its keepsakes back their words and memories. Return how many.

    A memory that was made for it is removed, unless it was changed or filled meanwhile. Errors: CaseLocked;
    CannotPlace if one of the keepsakes was changed since, or the action was undone already.
    """
    with transaction.atomic():
        locked = open_case_of(case.pk)
        keepsakes = undoable(_lock_and_read(locked), action)
        if not keepsakes:
            raise CannotPlace(_("Something was changed since, so it is not undone. Change it here by hand."))
        created = {(one.fields.undo["made"], one.fields.undo["made_mark"]) for one in keepsakes}
        former = {UUID(key) for one in keepsakes if (key := one.fields.undo["before"]["memory"])}
        memories = Memory.objects.exclude(fate=Memory.Fate.ERASED).filter(case=locked).in_bulk(former)
        restored = [_restore(keepsake, memories) for keepsake in keepsakes]
        _save(restored)
        record(*_audit_entries(restored, action, by=by))
    for memory, mark in created:
        if memory:
            _remove_created(locked, UUID(memory), mark, by=by)
    return len(restored)


def _restore(keepsake: ReadKeepsake, memories: Mapping[UUID, Memory]) -> Keepsake:
    """Give a keepsake back the fields that it had, and return its row, which the caller saves.

    memories: those that are not erased, by id. Errors: CannotPlace if the one that it was in is not among
    them.
    """
    row, before = keepsake.row, keepsake.fields.undo["before"]
    row.memory = None
    if before["memory"]:
        row.memory = memories.get(UUID(before["memory"]))
        if row.memory is None:
            raise CannotPlace(_("The memory in which they were was taken off your file meanwhile."))
    if row.review == Keepsake.Review.WAITING and before["review"] == Keepsake.Review.RETURNED:
        row.review = Keepsake.Review.RETURNED
    words = {name: before[name] for name in ("caption", "others", "when", "day")}
    row.write(dataclasses.replace(keepsake.fields, **words, undo={}))
    return row


def _remove_created(case: Case, memory: UUID, mark: str, *, by: User) -> None:
    """Remove a memory that an undone action created. `remove_memory` keeps it if it is not as `mark` says."""
    if (row := Memory.objects.filter(pk=memory, case=case).first()) is None:
        return
    try:
        remove_memory(row, seen=mark, by=by)
    except CaseLocked:
        return


@transaction.atomic
def dismiss(case: Case, ids: Sequence[UUID], *, by: User) -> int:
    """Dismiss the proposal that these keepsakes belong in one memory. Return how many are still there.

    Errors: CaseLocked if the map is locked; CannotPlace if none is there.
    """
    locked = open_case_of(case.pk)
    keepsakes = _lock_and_read(locked, ids)
    if not keepsakes:
        raise CannotPlace(_("These were taken back meanwhile."))
    dismissal = uuid4()
    for keepsake in keepsakes:
        dismissed = [*keepsake.fields.dismissed, str(dismissal)]
        keepsake.row.write(dataclasses.replace(keepsake.fields, dismissed=dismissed))
    Keepsake.objects.bulk_update([keepsake.row for keepsake in keepsakes], ["sealed"], batch_size=200)
    details: dict[str, Any] = {"keepsakes": len(keepsakes), "together": dismissal}
    record(
        Act("proposal.dismissed", f"case:{locked.pk}", actor=actor_of(by), case=locked.pk, details=details)
    )
    return len(keepsakes)


@transaction.atomic
def recall_dismissed(case: Case, *, by: User) -> int:
    """Take back all dismissals of proposals in a case. Return how many keepsakes had one.

    Errors: CaseLocked if the map is locked.
    """
    locked = open_case_of(case.pk)
    dismissed = [keepsake for keepsake in _lock_and_read(locked) if keepsake.fields.dismissed]
    for keepsake in dismissed:
        keepsake.row.write(dataclasses.replace(keepsake.fields, dismissed=[]))
    Keepsake.objects.bulk_update([keepsake.row for keepsake in dismissed], ["sealed"], batch_size=200)
    if dismissed:
        record(
            Act(
                "proposal.recalled",
                f"case:{locked.pk}",
                actor=actor_of(by),
                case=locked.pk,
                details={"keepsakes": len(dismissed)},
            )
        )
    return len(dismissed)
