"""What the clinic decides about messages."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

ANSWER_DAYS = register(
    NumberSetting(
        key="message-answer-days",
        section=Section.POLICIES,
        label=_("A message is answered within"),
        help_text=_(
            "Working days: Monday to Friday, without the days on which the clinic is closed. "
            "Patients read it. Messages that wait already keep their time."
        ),
        default=2,
        lowest=1,
        highest=10,
        unit=_("working days"),
        whole=True,
    )
)
