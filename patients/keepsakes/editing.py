"""Change a keepsake's fields and its memory, as long as the map is not locked."""

import dataclasses
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.editing import CaseLocked, open_case_of
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject

# The audit actions by which a keepsake's fields change, to say who did it last.
CHANGES = ("keepsake.brought", "keepsake.changed", "keepsake.accepted", "keepsake.returned")


def lock_keepsake(keepsake: UUID) -> Keepsake | None:
    """Lock a keepsake and its case, and return it as it is now; None if there is none.

    Call in a transaction.
    """
    case = Keepsake.objects.filter(pk=keepsake).values_list("case_id", flat=True).first()
    if case is None:
        return None
    Case.objects.select_for_update().get(pk=case)
    rows = Keepsake.objects.select_for_update(of=("self",)).select_related("case", "picture", "thumb")
    return rows.filter(pk=keepsake).first()


@transaction.atomic
def change_keepsake(
    keepsake: Keepsake, values: dict[str, Any], *, memory: Memory | None, kind: str = "", by: User
) -> Keepsake:
    """Update a keepsake's sealed fields with `values` and assign it to `memory` (None: to no memory).

    A keepsake that the clinic had returned waits for review again.
    Errors: CaseLocked if the map is locked, if the patient has removed the keepsake meanwhile, or if a photo
    is requested for an object that is in the clinic's custody; Memory.DoesNotExist if `memory` is gone from
    the case.
    """
    case = open_case_of(keepsake.case_id)
    rows = Keepsake.objects.select_for_update().filter(pk=keepsake.pk, case=case, gone_at__isnull=True)
    if (row := rows.first()) is None:
        raise CaseLocked(_("You have taken this one back meanwhile. It is destroyed."))
    row.write(dataclasses.replace(row.read(), **values))
    row.memory = Memory.objects.select_for_update().get(pk=memory.pk, case=case) if memory else None
    if kind == Keepsake.Kind.PHOTO and hasattr(row, "custody"):
        raise CaseLocked(_("The thing itself is with us, so this stays a photograph of a thing."))
    if kind and {kind, row.kind} <= {Keepsake.Kind.PHOTO, Keepsake.Kind.OBJECT}:
        row.kind = kind
    if row.review == Keepsake.Review.RETURNED:
        row.review = Keepsake.Review.WAITING
    row.save(update_fields=["sealed", "memory", "kind", "review"])
    StoredObject.objects.filter(keepsake=row).update(memory=memory)
    record(Act("keepsake.changed", f"keepsake:{row.pk}", actor=actor_of(by), case=case.pk))
    return row


@transaction.atomic
def submit_for_review(case: Case, *, by: User) -> None:
    """Submit the case for review: the patient has uploaded everything for now.

    Errors: CaseLocked if the map is locked, or if the case has no keepsakes.
    """
    locked = open_case_of(case.pk)
    keepsakes = Keepsake.objects.filter(case=locked, gone_at__isnull=True).count()
    if not keepsakes:
        raise CaseLocked(_("There is nothing to hand in yet. Please bring something first."))
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
