"""The notice about partly erased memories on the patient's portal."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import User
from erasure.remainders import decisions
from patients.portal.notices import Notice


def half_gone(patient: User) -> Notice | None:
    """Return a notice with the number of memories that wait for a decision; None if there are none."""
    count = decisions.count_undecided(patient)
    if not count:
        return None
    text = ngettext("%(n)s memory is left half gone", "%(n)s memories are left half gone", count)
    return Notice(text % {"n": count}, reverse("erasure:left"), _("Say what shall happen to what is left"))
