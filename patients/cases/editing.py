"""What the patient may change of their case, and until when."""

from django.utils.translation import gettext_lazy

from patients.cases.models import Case

LOCKED = gettext_lazy("Your map is locked, so nothing can be taken back now. Please talk to the clinic.")


class NotTaken(Exception):
    """The case takes nothing now (map locked, quota reached); the message is for the person."""


def open_case_of(case: Case) -> Case:
    """Lock a case whose map is still open. Call inside a transaction. Errors: NotTaken."""
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if not locked.takes_keepsakes:
        raise NotTaken(str(LOCKED))
    return locked
