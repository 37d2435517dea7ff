"""A user's relations to a keepsake and to its stored objects are those to its case."""

from uuid import UUID

from clinic.access.relations import relation
from clinic.accounts.models import User
from patients.cases.relations import standing_to
from patients.keepsakes.models import Keepsake
from patients.vault.models import StoredObject


@relation("keepsake")
def to_keepsake(user: User, value: UUID) -> frozenset[str] | None:
    row = Keepsake.objects.filter(pk=value).select_related("case").first()
    return standing_to(user, row.case) if row else None


@relation("picture")
def to_picture(user: User, value: UUID) -> frozenset[str] | None:
    row = StoredObject.objects.filter(pk=value).select_related("case").first()
    return standing_to(user, row.case) if row else None
