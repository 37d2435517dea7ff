"""What the clinic decides about the time that a map takes."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

PACE_SECONDS = register(
    NumberSetting(
        key="pace-seconds",
        section=Section.POLICIES,
        label=_("A memory takes"),
        help_text=_(
            "Seconds for each memory of a night. Nights booked already keep theirs. 0: as fast as possible."
        ),
        default=90,
        formerly="LACUNA_PACE_SECONDS",
        lowest=0,
        highest=3600,
        unit=_("s"),
    )
)
