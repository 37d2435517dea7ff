"""What the clinic decides about presence checks and calls for a doctor. A run stores what it began with."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

PRESENCE_MINUTES = register(
    NumberSetting(
        key="presence-minutes",
        section=Section.POLICIES,
        label=_("Somebody must show that they are with the patient every"),
        help_text=_("Minutes without a sign until the team is asked. 0: nobody is asked."),
        default=20,
        formerly="LACUNA_PRESENCE_MINUTES",
        lowest=0,
        highest=240,
        unit=_("min"),
    )
)
PRESENCE_GRACE_SECONDS = register(
    NumberSetting(
        key="presence-grace-seconds",
        section=Section.POLICIES,
        label=_("Time to answer that question"),
        help_text=_("Seconds. Then the session pauses and the doctor is called."),
        default=90,
        formerly="LACUNA_PRESENCE_GRACE_SECONDS",
        lowest=15,
        highest=900,
        unit=_("s"),
    )
)
PRESENCE_STRENGTH = register(
    NumberSetting(
        key="presence-strength",
        section=Section.POLICIES,
        label=_("The team is also asked when a memory fades that is as strong as"),
        help_text=_("The intensity of a memory (0 to 10) times the number of its links."),
        default=30,
        formerly="LACUNA_PRESENCE_STRENGTH",
        lowest=1,
        highest=10_000,
    )
)
CALL_AGAIN_SECONDS = register(
    NumberSetting(
        key="call-again-seconds",
        section=Section.POLICIES,
        label=_("A call for the doctor is repeated every"),
        help_text=_("Seconds while nobody answers."),
        default=60,
        formerly="LACUNA_CALL_AGAIN_SECONDS",
        lowest=10,
        highest=1800,
        unit=_("s"),
    )
)
CALL_ESCALATE_SECONDS = register(
    NumberSetting(
        key="call-escalate-seconds",
        section=Section.POLICIES,
        label=_("All doctors and the administrators are called after"),
        help_text=_("Seconds in which nobody answered."),
        default=180,
        formerly="LACUNA_CALL_ESCALATE_SECONDS",
        lowest=10,
        highest=3600,
        unit=_("s"),
    )
)
