"""The relations of a user to what a certificate is of: a run, or a destruction outside a night."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from erasure.destructions.models import Destruction
from erasure.runs.models import Run
from patients.cases.relations import case_standing


@relation("work")
def to_work(user: User, value: UUID) -> Standing | None:
    run = Run.objects.filter(pk=value).values_list("procedure__case", flat=True).first()
    of_destruction = Destruction.objects.filter(pk=value).values_list("case", flat=True)
    return case_standing(user, run or of_destruction.first())
