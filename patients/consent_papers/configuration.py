"""What the clinic decides about who signs a consent."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import NumberSetting, Section, register

CONSENT_WITNESSES = register(
    NumberSetting(
        key="consent-witnesses",
        section=Section.POLICIES,
        label=_("Witnesses of a consent"),
        help_text=_(
            "How many people, such as a companion, sign beside the patient when they consent to the "
            "procedure. "
            "Consents signed already stay valid. 0: none."
        ),
        default=0,
        lowest=0,
        highest=1,
        whole=True,
    )
)
