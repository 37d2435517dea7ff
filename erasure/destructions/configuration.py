"""The settings of the clinic for destructions outside a night."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

THINKING_HOURS = register(
    NumberSetting(
        key="destruction-thinking-hours",
        section=Section.POLICIES,
        label=_("A patient who has something destroyed can think it over for"),
        help_text=_("Hours, if they choose not to have it destroyed at once."),
        default=72,
        lowest=1,
        highest=720,
        unit=_("h"),
    )
)
KEEPING_DAYS = register(
    NumberSetting(
        key="keeping-days",
        section=Section.POLICIES,
        label=_("What is left of a closed file is kept for"),
        help_text=_("Days. Two weeks before, the patient gets a mail and can take things back, or stop it."),
        default=180,
        lowest=15,  # longer than the notice (keeping.NOTICE)
        highest=3650,
        unit=_("d"),
        whole=True,
    )
)
