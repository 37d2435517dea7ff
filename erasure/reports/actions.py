"""What the audit log may say of this package."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

# details: which figure, and the first and last day of its span
register({"report.exported": (_("Report exported"), "plain")})
