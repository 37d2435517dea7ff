"""What the clinic decides about when a night may be started."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

START_LEAD_MINUTES = register(
    NumberSetting(
        key="start-lead-minutes",
        section=Section.POLICIES,
        label=_("A night can be started before its booked time by"),
        help_text=_("Minutes, for a person who starts it by hand. By itself it starts at its booked time."),
        default=30,
        lowest=0,
        highest=120,
        unit=_("min"),
        whole=True,
    )
)
