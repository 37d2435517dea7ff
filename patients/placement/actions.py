"""The audit actions of this package. A keepsake that is placed is recorded as "keepsake.changed"."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "proposal.dismissed": (_("Proposed memory dismissed"), "plain"),
        "proposal.recalled": (_("Dismissed proposals recalled"), "plain"),
    }
)
