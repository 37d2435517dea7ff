"""A user's relations to a memory: the same as to its case, also when the memory was removed from it."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from patients.cases.relations import case_standing
from patients.memories.models import Memory
from patients.vault.models import StoredObject


@relation("memory")
def relations_to_memory(user: User, value: UUID) -> Standing | None:
    """Return the relations of `user` to the case of a memory.

    The key of a removed memory still has its row, which names the case. So a patient with an older page may
    open the view, which shows what they typed. Otherwise it would be lost.
    """
    case = Memory.objects.filter(pk=value).values_list("case_id", flat=True).first()
    if case is None:
        removed = StoredObject.objects.filter(
            pk=value, role=StoredObject.Role.SEAL, keepsake__isnull=True, doomed_by="removal"
        )
        case = removed.values_list("case_id", flat=True).first()
    return case_standing(user, case)
