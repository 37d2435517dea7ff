"""The access rules that depend on a user's relations to a case, and what a list may show of each case."""

from collections.abc import Collection, Iterable
from uuid import UUID

from clinic.access.policy import NAME_ROLES, TABLE, Decision, Rule, opening_roles, roles, with_relation
from clinic.access.relations import Standing, register_hidden_cases, relation
from clinic.accounts.models import Role, User
from clinic.calendar.look_alikes import BoardPatient
from patients.cases.models import Case

# Ids in one query. Some builds of SQLite take only 999 parameters.
MOST_IDS = 500
OWN = with_relation(Role.PATIENT, "own")
CASE_TECHNICIAN = with_relation(Role.TECHNICIAN, "assigned", "mapping")
# After the patient has taken the consent back, only a doctor who is booked for a night under way may look at
# what was brought, until the certificate: the night has to be ended.
CASE_DOCTOR = with_relation(Role.DOCTOR, "assigned", "consented")
CASE_TEAM = roles(CASE_DOCTOR, CASE_TECHNICIAN)
BOOKED_TECHNICIAN = with_relation(Role.TECHNICIAN, "assigned")
BOOKED_TEAM = roles(Role.DOCTOR, BOOKED_TECHNICIAN)


def may_read_content(decision: Decision) -> bool:
    """Return whether a page of one case may show what it is about: the subject, titles and pictures.

    decision: of the page, whose URL names the case or an object of it. No member of staff reads on after the
    patient has taken the consent back (`CASE_DOCTOR`).
    """
    return decision.content and not decision.relations.isdisjoint({"own", "assigned", "consented"})


def standing_to(user: User, case: Case) -> frozenset[str]:
    """Return the relations of `user` to `case` (see `CaseQuerySet.standings`)."""
    return Case.objects.filter(pk=case.pk).standings(user).get(case.pk, frozenset())


def roles_on(
    user: User, cases: Iterable[UUID], page: str = "patients:case", *, writing: bool = False
) -> dict[UUID, frozenset[str]]:
    """Return, by case id, the roles with which `user` may open `page` of each of `cases`, or write to it.

    Cases whose page they may not open are left out. Lists use it: `CaseQuerySet.visible_to` selects the
    cases, and the roles decide what the list shows of each.
    """
    who = TABLE[page].write if writing else TABLE[page].read
    rules = [rule for rule in who if isinstance(rule, Rule)]
    standings = Case.objects.filter(pk__in=list(cases)).standings(user)
    found = {pk: opening_roles(rules, user.roles, relations) for pk, relations in standings.items()}
    return {pk: opening for pk, opening in found.items() if opening and user.is_active}


def patient_label(case: Case, opening: Collection[str], *, short: bool = False) -> str:
    """Return the patient's name, or the file number if none of the roles `opening` may read names."""
    if NAME_ROLES.isdisjoint(opening):
        return case.reference
    return case.patient.short_name if short else case.patient.name


def board_patient(case: Case, opening: Collection[str]) -> BoardPatient | None:
    """Return what the day board tells patients apart by; None if none of `opening` may read names."""
    if NAME_ROLES.isdisjoint(opening):
        return None
    patient = case.patient
    return BoardPatient(patient.name, case.reference, patient.family_name_first)


@register_hidden_cases
def cases_in_conflict(user: User, among: Collection[UUID]) -> set[UUID]:
    """Return those of `among` in which `user` is the patient, or a member of staff and the subject."""
    ids = list(among)
    parts = [ids[start : start + MOST_IDS] for start in range(0, len(ids), MOST_IDS)]
    return {pk for part in parts for pk in Case.objects.filter(pk__in=part).conflicting(user)}


def case_standing(user: User, case: UUID | None) -> Standing | None:
    """Return the relations of `user` to the case with this id, or None if there is no such case."""
    relations = Case.objects.filter(pk=case).standings(user).get(case) if case else None
    return None if relations is None else Standing(relations, case)


@relation("case")
def relations_to_case(user: User, value: UUID) -> Standing | None:
    return case_standing(user, value)
