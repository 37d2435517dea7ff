"""The audit actions of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register({"mail.tried": (_("Mail tried out"), "plain")})
