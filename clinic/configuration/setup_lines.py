"""The lines of the set-up page on the clinic's name, address and telephone, and on its policies."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext as _

from clinic.configuration.changes import undecided
from clinic.configuration.configuration import ADDRESS, HOURS, NAME, TELEPHONE
from clinic.configuration.registry import Section
from clinic.configuration.values import value_of
from clinic.setup.checklist import Line, register_lines


def settings_lines() -> Sequence[Line]:
    """Return both lines. A line is not done again if a value is emptied, or if a release adds a setting."""
    filled_in = all(value_of(one) for one in (NAME, ADDRESS, TELEPHONE, HOURS))
    return [
        Line(
            "clinic",
            _("The clinic's name, address, telephone and hours"),
            _("The front page and mails have them, and patients' pages a link that calls."),
            filled_in and not undecided(Section.CLINIC),
            url=reverse("settings"),
            label=_("Settings of the clinic"),
        ),
        Line(
            "policies",
            _("The policies, looked at"),
            _(
                "How long a patient has to think it over, how often somebody must be with them, how fast a "
                "memory goes. Change them or confirm them as they are."
            ),
            not undecided(Section.POLICIES),
            url=reverse("settings-policies"),
            label=_("Policies"),
        ),
    ]


register_lines("settings", settings_lines)
