"""The notice on the patient's portal that leads to the page for the bed."""

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from erasure.bedside.words import can_choose_word
from erasure.procedures.models import Procedure
from patients.portal.notices import Notice


def page_for_the_bed(patient: User) -> Notice | None:
    """Return a notice if the patient has a night that is booked and not past, or has begun; else None."""
    is_to_come = Q(state=Procedure.State.BOOKED, booking__ends_at__gt=timezone.now())
    procedure = (
        Procedure.objects.filter(is_to_come | Q(state=Procedure.State.STARTED), case__patient=patient)
        .order_by("-booked_at")
        .first()
    )
    if procedure is None:
        return None
    url = reverse("erasure:bed", args=[procedure.pk])
    if can_choose_word(procedure):
        return Notice(_("A page for the bed"), url, _("Choose a safe word, and see what the page does"))
    return Notice(_("A page for the bed"), url, _("Open the page for the bed"))
