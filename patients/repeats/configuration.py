"""What the clinic decides about another night of the same patient."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

REPEAT_MONTHS = register(
    NumberSetting(
        key="repeat-months",
        section=Section.POLICIES,
        label=_("Months between two nights of a patient"),
        help_text=_(
            "Earlier a doctor and an administrator have to agree, each with a reason. Nights that were "
            "stopped do not count. 0: none."
        ),
        default=0,
        lowest=0,
        highest=240,
        unit=_("months"),
        whole=True,
    )
)
NIGHTS_EVER = register(
    NumberSetting(
        key="nights-ever",
        section=Section.POLICIES,
        label=_("Most nights of a patient ever"),
        help_text=_(
            "For one more a doctor and an administrator have to agree, each with a reason. Nights that were "
            "stopped do not count. 0: no limit."
        ),
        default=0,
        lowest=0,
        highest=1000,
        whole=True,
    )
)
