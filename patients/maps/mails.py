"""The mail to a patient whose map is locked and waits for their signature."""

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.outgoing.events import Letter, MailEvent, MessageOutdated, register_events
from clinic.outgoing.models import OutgoingMessage
from patients.cases.models import Case
from patients.memories.models import LockedMap


def ready(message: OutgoingMessage) -> Letter:
    """Say that the map is ready to be signed. Errors: MessageOutdated if it is open again, or signed."""
    mapped = LockedMap.objects.select_related("case").get(pk=message.about_id)
    if mapped.unlocked_at is not None or mapped.case.stage != Case.Stage.MAPPED:
        raise MessageOutdated
    words = _("Your map is ready. Please look at it in your own time, and sign only if it is right.")
    return Letter(_("Your map is ready"), [words], reverse("patients:consent"))


register_events(map_ready=MailEvent(gettext_lazy("Map ready to be signed"), ready))
