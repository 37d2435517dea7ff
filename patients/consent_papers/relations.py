"""A user's relations to the paper of a consent are those to its case."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from patients.cases.relations import case_standing
from patients.consent_papers.models import ConsentPaper


@relation("consent_paper")
def to_consent_paper(user: User, value: UUID) -> Standing | None:
    cases = ConsentPaper.objects.filter(pk=value).values_list("signature__case_id", flat=True)
    return case_standing(user, cases.first())
