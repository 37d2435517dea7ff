"""The relations of a user to an entry and to an offer of the waitlist: the same as to its case."""

from uuid import UUID

from clinic.access.relations import Standing, relation
from clinic.accounts.models import User
from patients.cases.relations import case_standing
from patients.waitlist.models import WaitlistEntry, WaitlistOffer


@relation("waitlist_entry")
def to_waitlist_entry(user: User, value: UUID) -> Standing | None:
    return case_standing(
        user, WaitlistEntry.objects.filter(pk=value).values_list("case_id", flat=True).first()
    )


@relation("waitlist_offer")
def to_waitlist_offer(user: User, value: UUID) -> Standing | None:
    return case_standing(
        user, WaitlistOffer.objects.filter(pk=value).values_list("case_id", flat=True).first()
    )
