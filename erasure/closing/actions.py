"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register({"person.forgotten": (_("Account closed for good by its person, and forgotten"), "plain")})
