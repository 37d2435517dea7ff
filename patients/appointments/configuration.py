"""What the clinic decides about appointments."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

MOVES_PER_PATIENT = register(
    NumberSetting(
        key="moves-per-patient",
        section=Section.POLICIES,
        label=_("Moves of appointments for a patient"),
        help_text=_(
            "How often the appointments of one file are moved because of the patient. "
            "After that a doctor or an administrator confirms it."
        ),
        default=3,
        lowest=0,
        highest=100,
        whole=True,
    )
)
OWN_NOTICE_HOURS = register(
    NumberSetting(
        key="own-notice-hours",
        section=Section.POLICIES,
        label=_("Until when patients book, move and cancel appointments themselves"),
        help_text=_("Hours before it begins. Later they call the front desk."),
        default=24,
        lowest=0,
        highest=336,
        unit=_("h"),
    )
)
