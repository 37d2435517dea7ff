"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "memory.made": (_("Memory added"), "plain"),
        "memory.changed": (_("Memory changed"), "plain"),
        "memory.removed": (_("Memory taken off the file"), "plain"),
        "memory.kept": (_("Memory marked to be kept"), "teal"),
        "memory.released": (_("Memory marked to be erased"), "plain"),
    }
)
