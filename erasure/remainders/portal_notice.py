"""What the patient's own page says of memories that are left half gone."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from clinic.accounts.models import User
from erasure.remainders import decisions
from patients.portal.notices import Notice


def half_gone(patient: User) -> Notice | None:
    """How many memories wait for their patient's word; None where none does."""
    count = decisions.undecided(patient)
    if not count:
        return None
    text = ngettext("%(n)s memory is left half gone", "%(n)s memories are left half gone", count)
    return Notice(text % {"n": count}, reverse("erasure:left"), _("Say what shall happen to what is left"))
