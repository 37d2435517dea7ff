"""What the clinic decides about consent."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

COOLING_OFF_HOURS = register(
    NumberSetting(
        key="cooling-off-hours",
        section=Section.POLICIES,
        label=_("Time to think it over"),
        help_text=_(
            "Hours from signing the consent until a night may begin. Consents signed already keep theirs. "
            "0: none."
        ),
        default=72,
        formerly="LACUNA_COOLING_OFF_HOURS",
        lowest=0,
        highest=8760,
        unit=_("h"),
    )
)
