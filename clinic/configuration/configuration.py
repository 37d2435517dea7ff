"""The settings about the clinic itself, which patients and visitors read."""

from django.utils.translation import gettext_lazy as _

from clinic.configuration.registry import Section, TextSetting, register

NAME = register(
    TextSetting(
        key="clinic-name",
        section=Section.CLINIC,
        label=_("Name of the clinic"),
        help_text=_("On the front page and in mails."),
        default="Lacuna Inc.",
        max_length=80,
        required=True,
    )
)
ADDRESS = register(
    TextSetting(
        key="clinic-address",
        section=Section.CLINIC,
        label=_("Address"),
        help_text=_("As on an envelope."),
        default="",
        max_length=300,
        rows=3,
    )
)
TELEPHONE = register(
    TextSetting(
        key="clinic-telephone",
        section=Section.CLINIC,
        label=_("Telephone"),
        help_text=_(
            "Patients' pages have a link that calls it. Without a number they do not mention calling."
        ),
        default="",
        formerly="LACUNA_CLINIC_PHONE",
        max_length=40,
        pattern=r"^\+?[0-9][0-9 ()./-]*$",
        refusal=_("Please write digits, with a + in front if you like: +1 212 555 0142."),
    )
)
HOURS = register(
    TextSetting(
        key="clinic-hours",
        section=Section.CLINIC,
        label=_("Opening hours"),
        help_text=_("In words: “Monday to Friday, 9 to 18 h”."),
        default="",
        max_length=300,
        rows=3,
    )
)
FRONT_WORDS = register(
    TextSetting(
        key="front-words",
        section=Section.CLINIC,
        label=_("Your words on the front page"),
        help_text=_("What visitors should know of this clinic. They stand below the page's own words."),
        default="",
        max_length=2000,
        rows=6,
    )
)
