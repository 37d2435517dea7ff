"""Checks that a case may still be changed: its patient may change it until the map is locked."""

from uuid import UUID

from django.utils.translation import gettext_lazy

from patients.cases.models import Case

LOCKED = gettext_lazy("Your map is locked, so nothing can be taken back now. Please talk to the clinic.")


class CaseLocked(Exception):
    """The case accepts no change now (map locked, quota reached). The message is shown to the patient."""


def open_case_of(case: UUID) -> Case:
    """Lock a case's row and return it. Call inside a transaction. Errors: CaseLocked if its map is locked."""
    locked = Case.objects.select_for_update().get(pk=case)
    if not locked.map_is_open:
        raise CaseLocked(str(LOCKED))
    return locked
