"""The setting for invitations: how long they are open."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

INVITATION_DAYS = register(
    NumberSetting(
        key="invitation-days",
        section=Section.POLICIES,
        label=_("An invitation is open for"),
        help_text=_("Days until its link opens nothing any more. Those sent already keep their end."),
        default=14,
        lowest=1,
        highest=90,
        unit=_("d"),
        whole=True,
    )
)
