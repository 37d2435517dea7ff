"""A user's relations to a memory: the same as to its case."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from patients.cases.relations import case_standing
from patients.memories.models import Memory


@relation("memory")
def relations_to_memory(user: User, value: UUID) -> Standing | None:
    return case_standing(user, Memory.objects.filter(pk=value).values_list("case_id", flat=True).first())
