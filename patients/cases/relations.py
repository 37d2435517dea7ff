"""How a person stands to a case, and the rules of the access policy that ask for it."""

import unicodedata
from uuid import UUID

from clinic.access.policy import roles, with_relation
from clinic.access.relations import CONFLICT, relation
from clinic.accounts.models import Role, User
from patients.cases.models import Case
from patients.vault.keys import KeyGone

OWN = with_relation(Role.PATIENT, "own")
CASE_TECHNICIAN = with_relation(Role.TECHNICIAN, "assigned", "mapping")
CASE_TEAM = roles(Role.DOCTOR, CASE_TECHNICIAN)
BOOKED_TECHNICIAN = with_relation(Role.TECHNICIAN, "assigned")
BOOKED_TEAM = roles(Role.DOCTOR, BOOKED_TECHNICIAN)

# Stages in which the clinic's technicians work on a case before any of them is booked for its night.
MAPPING = {Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.MAPPED, Case.Stage.CONSENTED}


def standing_to(user: User, case: Case) -> frozenset[str]:
    """Return the relations of `user` to `case`. Its patient, and its subject, are nothing else to it."""
    if case.patient_id == user.pk:
        return frozenset({"own", CONFLICT})
    if user.is_staff_member and is_subject(user, case):
        return frozenset({CONFLICT})
    found = {"mapping"} if case.stage in MAPPING else set()
    # Through the reverse relation: the booking's procedure belongs to a higher room.
    if case.procedures.filter(booking__resources__user=user, booking__canceled_at__isnull=True).exists():
        found.add("assigned")
    return frozenset(found)


def is_subject(user: User, case: Case) -> bool:
    """Whether the case is about forgetting `user`: the same first and last name, compared unsealed in memory.

    A first name alone tells nobody apart, so it is no match.
    """
    name = _plain(user.name)
    if " " not in name:
        return False
    try:
        return _plain(case.read().subject_name) == name
    except KeyGone:
        return False


def _plain(name: str) -> str:
    """A name without accents, case and spare spaces: people write the same name in many ways."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(sign for sign in letters if not unicodedata.combining(sign)).split())


@relation("case")
def to_case(user: User, value: UUID) -> frozenset[str] | None:
    row = Case.objects.filter(pk=value).first()
    return standing_to(user, row) if row else None
