"""A user's relations to a memory: the same as to its case."""

from uuid import UUID

from clinic.access.relations import relation
from clinic.accounts.models import User
from patients.cases.relations import standing_to
from patients.memories.models import Memory


@relation("memory")
def relations_to_memory(user: User, value: UUID) -> frozenset[str] | None:
    row = Memory.objects.filter(pk=value).select_related("case").first()
    return standing_to(user, row.case) if row else None
