"""The access rules that depend on a user's relations to a case, and what a row of a list may show of it."""

from collections.abc import Collection, Iterable
from uuid import UUID

from clinic.access.policy import NAME_ROLES, TABLE, Rule, opening_roles, roles, with_relation
from clinic.access.relations import Standing, register_hidden_cases, relation
from clinic.accounts.models import Role, User
from patients.cases.models import Case

OWN = with_relation(Role.PATIENT, "own")
CASE_TECHNICIAN = with_relation(Role.TECHNICIAN, "assigned", "mapping")
CASE_TEAM = roles(Role.DOCTOR, CASE_TECHNICIAN)
BOOKED_TECHNICIAN = with_relation(Role.TECHNICIAN, "assigned")
BOOKED_TEAM = roles(Role.DOCTOR, BOOKED_TECHNICIAN)


def standing_to(user: User, case: Case) -> frozenset[str]:
    """Return the relations of `user` to `case` (see `CaseQuerySet.standings`)."""
    return Case.objects.filter(pk=case.pk).standings(user).get(case.pk, frozenset())


def roles_on(user: User, cases: Iterable[UUID], page: str = "patients:case") -> dict[UUID, frozenset[str]]:
    """Return for each of `cases` whose `page` opens for `user` the roles that open it, by case id.

    For lists: `CaseQuerySet.visible_to` selects the rows, and this says what each row may show.
    """
    rules = [rule for rule in TABLE[page].read if isinstance(rule, Rule)]
    standings = Case.objects.filter(pk__in=list(cases)).standings(user)
    found = {pk: opening_roles(rules, user.roles, relations) for pk, relations in standings.items()}
    return {pk: opening for pk, opening in found.items() if opening and user.is_active}


def patient_label(case: Case, opening: Collection[str], *, short: bool = False) -> str:
    """Return the patient's name, or the file number if none of the roles `opening` reads names."""
    if NAME_ROLES.isdisjoint(opening):
        return case.reference
    return case.patient.short_name if short else case.patient.name


@register_hidden_cases
def cases_in_conflict(user: User) -> set[UUID]:
    """Return the cases in which `user` is patient or subject."""
    return Case.objects.all().conflicting(user)


def case_standing(user: User, case: UUID | None) -> Standing | None:
    """Return how `user` stands to the case with this id, or None if there is no such case."""
    relations = Case.objects.filter(pk=case).standings(user).get(case) if case else None
    return None if relations is None else Standing(relations, case)


@relation("case")
def relations_to_case(user: User, value: UUID) -> Standing | None:
    return case_standing(user, value)
