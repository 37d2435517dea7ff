"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "remainder.given-back": (_("Damaged keepsakes given back"), "plain"),
        "remainder.fetched": (_("Damaged keepsake fetched"), "plain"),
        "remainder.kept": (_("Damaged keepsakes kept"), "plain"),
        "remainder.destroyed": (_("Damaged keepsakes destroyed"), "destroyed"),
    }
)
