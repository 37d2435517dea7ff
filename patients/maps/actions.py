"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "map.linked": (_("Memories linked"), "plain"),
        "map.unlinked": (_("Link between memories taken away"), "plain"),
        "map.chapters": (_("Chapters named"), "plain"),
        "map.locked": (_("Map locked"), "plain"),
        "map.unlocked": (_("Map opened again"), "plain"),
    }
)
