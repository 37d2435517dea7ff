"""A user's relations to a destruction are those to its case."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from erasure.destructions.models import Destruction
from patients.cases.relations import case_standing


@relation("destruction")
def to_destruction(user: User, value: UUID) -> Standing | None:
    return case_standing(user, Destruction.objects.filter(pk=value).values_list("case_id", flat=True).first())
