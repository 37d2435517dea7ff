"""Changing what is said of a keepsake, and where it belongs, until the map is locked."""

import dataclasses
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.editing import NotTaken, open_case_of
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject


@transaction.atomic
def change_keepsake(
    keepsake: Keepsake, words: dict[str, Any], *, memory: Memory | None, kind: str = "", by: User
) -> Keepsake:
    """Write a keepsake's paper and place it. What was returned is waiting for review again.

    Errors: NotTaken once the map is locked, or when it was taken back meanwhile.
    """
    case = open_case_of(keepsake.case)
    there = Keepsake.objects.select_for_update().filter(pk=keepsake.pk, case=case, gone_at__isnull=True)
    if (row := there.first()) is None:
        raise NotTaken(_("You have taken this one back meanwhile. It is destroyed."))
    row.write(dataclasses.replace(row.read(), **words))
    row.memory = memory
    if kind == Keepsake.Kind.PHOTO and hasattr(row, "custody"):
        raise NotTaken(_("The thing itself is with us, so this stays a photograph of a thing."))
    if kind and {kind, row.kind} <= {Keepsake.Kind.PHOTO, Keepsake.Kind.OBJECT}:
        row.kind = kind
    if row.review == Keepsake.Review.RETURNED:
        row.review = Keepsake.Review.WAITING
    row.save(update_fields=["sealed", "memory", "kind", "review"])
    StoredObject.objects.filter(keepsake=row).update(memory=memory)
    record(Act("keepsake.changed", f"keepsake:{row.pk}", actor=actor_of(by), case=case.pk))
    return row


@transaction.atomic
def hand_in(case: Case, *, by: User) -> None:
    """The patient is done for today: the clinic looks through what they brought.

    Errors: NotTaken once the map is locked, or when there is nothing to look through.
    """
    locked = open_case_of(case)
    keepsakes = Keepsake.objects.filter(case=locked, gone_at__isnull=True).count()
    if not keepsakes:
        raise NotTaken(_("There is nothing to hand in yet. Please bring something first."))
    Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.REVIEW)
    record(
        Act(
            "case.submitted",
            f"case:{locked.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={"keepsakes": keepsakes},
        )
    )
