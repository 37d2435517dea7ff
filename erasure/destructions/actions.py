"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "destruction.ordered": (_("Destruction ordered by the patient"), "plain"),
        "destruction.due": (_("Time of keeping over, destruction due"), "plain"),
        "destruction.stopped": (_("Destruction stopped by the patient"), "teal"),
        "case.reopened": (_("File opened again by the patient"), "plain"),
        "destruction.finished": (_("Destruction finished"), "plain"),
        # One entry for each item. details: the number of objects, their bytes, and no passes: nothing fades.
        "destruction.memory": (_("Memory destroyed at the patient's order"), "destroyed"),
        "destruction.keepsake": (_("Keepsake destroyed at the patient's order"), "destroyed"),
        "destruction.case": (_("Words of the file destroyed"), "destroyed"),
    }
)
