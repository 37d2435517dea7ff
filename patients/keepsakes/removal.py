"""Remove a keepsake or a memory before the map is locked. What the patient removes is destroyed."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.editing import LOCKED, CaseLocked
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction


def remove_keepsake(keepsake: Keepsake, *, by: User) -> None:
    """Destroy all of a keepsake; do nothing if it is gone already.

    Errors: CaseLocked if the map is locked.
    """
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=keepsake.case_id)
        if not case.map_is_open:
            raise CaseLocked(str(LOCKED))
        gone = Keepsake.objects.filter(pk=keepsake.pk, gone_at__isnull=True).update(
            picture=None, thumb=None, gone_at=timezone.now()
        )
        if not gone:
            return
        mine = StoredObject.objects.filter(keepsake=keepsake)
        mark_for_destruction(mine, "removal")
        record(Act("keepsake.removed", f"keepsake:{keepsake.pk}", actor=actor_of(by), case=case.pk))
    destroy(mine)


def remove_memory(memory: Memory, *, by: User) -> None:
    """Delete a memory and destroy its text.

    Errors: CaseLocked if it has keepsakes, the map is locked, or a stopped night had it.
    """
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=memory.case_id)
        if not case.map_is_open:
            raise CaseLocked(str(LOCKED))
        if Keepsake.objects.filter(memory=memory, gone_at__isnull=True).exists():
            raise CaseLocked(_("Take its keepsakes out of it first."))
        # Through the reverse relation: steps belong to erasure, which this app must not import.
        if memory.steps.exists():
            raise CaseLocked(_("A night has begun on this memory, so it stays on your file."))
        mine = StoredObject.objects.filter(memory=memory)
        mark_for_destruction(mine, "removal")
        record(Act("memory.removed", f"memory:{memory.pk}", actor=actor_of(by), case=case.pk))
        mine.update(memory=None)
        Keepsake.objects.filter(memory=memory).update(memory=None)
        Memory.objects.filter(pk=memory.pk).delete()
    destroy(StoredObject.objects.filter(pk=memory.pk))
