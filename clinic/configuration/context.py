"""The context processor with the clinic's name, address and other settings."""

import re
from typing import Any

from django.http import HttpRequest

from clinic.configuration.configuration import ADDRESS, FRONT_WORDS, HOURS, NAME, TELEPHONE
from clinic.configuration.values import value_of


class Clinic:
    """The settings about the clinic. Each is read when a template uses it."""

    @property
    def name(self) -> str:
        return value_of(NAME)

    @property
    def address(self) -> str:
        return value_of(ADDRESS)

    @property
    def telephone(self) -> str:
        return value_of(TELEPHONE)

    @property
    def telephone_link(self) -> str:
        """The telephone number as the address of a link: digits, with the + in front."""
        return "tel:" + re.sub(r"[^+0-9]", "", self.telephone)

    @property
    def hours(self) -> str:
        return value_of(HOURS)

    @property
    def words(self) -> str:
        return value_of(FRONT_WORDS)


def clinic(request: HttpRequest) -> dict[str, Any]:
    """Return the clinic as `clinic`."""
    return {"clinic": Clinic()}
