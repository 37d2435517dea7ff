"""Gives the lists of outgoing mail the file numbers of cases."""

from collections.abc import Collection
from uuid import UUID

from clinic.outgoing.recipients import file_numbers_of
from patients.cases.models import Case


def _file_numbers(cases: Collection[UUID]) -> dict[UUID, str]:
    return dict(Case.objects.filter(pk__in=cases).values_list("pk", "reference"))


file_numbers_of.append(_file_numbers)
