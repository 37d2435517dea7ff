"""The relations of a user to a case, and the access rules that depend on them."""

from uuid import UUID

from clinic.access.policy import roles, with_relation
from clinic.access.relations import CONFLICT, relation
from clinic.accounts.models import Role, User
from clinic.names import name_key
from patients.cases.models import Case
from patients.vault.keys import KeyGone

OWN = with_relation(Role.PATIENT, "own")
CASE_TECHNICIAN = with_relation(Role.TECHNICIAN, "assigned", "mapping")
CASE_TEAM = roles(Role.DOCTOR, CASE_TECHNICIAN)
BOOKED_TECHNICIAN = with_relation(Role.TECHNICIAN, "assigned")
BOOKED_TEAM = roles(Role.DOCTOR, BOOKED_TECHNICIAN)

# In these stages every technician may work on the case: none is booked for its procedure yet.
MAPPING_STAGES = {Case.Stage.BRINGING, Case.Stage.REVIEW, Case.Stage.MAPPED, Case.Stage.CONSENTED}


def standing_to(user: User, case: Case) -> frozenset[str]:
    """Return the relations of `user` to `case`.

    The patient gets "own" and CONFLICT only, a member of staff who is the subject CONFLICT only: neither
    may work on the case as staff.
    """
    if case.patient_id == user.pk:
        return frozenset({"own", CONFLICT})
    if user.is_staff_member and is_subject(user, case):
        return frozenset({CONFLICT})
    relations = {"mapping"} if case.stage in MAPPING_STAGES else set()
    # Through the reverse relation: Procedure belongs to erasure, which this app must not import.
    if case.procedures.filter(booking__resources__user=user, booking__canceled_at__isnull=True).exists():
        relations.add("assigned")
    return frozenset(relations)


def is_subject(user: User, case: Case) -> bool:
    """Return whether `user` is the subject of the case: both have the same first and last name.

    The subject's name is stored encrypted, so it is compared here and not in the database. A name without a
    space never matches: many people share a first name.
    """
    name = name_key(user.name)
    if " " not in name:
        return False
    try:
        return name_key(case.read().subject_name) == name
    except KeyGone:
        return False


@relation("case")
def relations_to_case(user: User, value: UUID) -> frozenset[str] | None:
    row = Case.objects.filter(pk=value).first()
    return standing_to(user, row) if row else None
