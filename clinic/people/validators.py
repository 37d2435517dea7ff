"""The password validator of this clinic."""

import unicodedata

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# As it is pronounced, and the letters of its logo: Lac[ ]na.
NAMES = ("lacuna", "lacna")
# With fewer letters and digits than this besides the name, a passphrase is refused ("Lacuna2004!").
MIN_OTHER_CHARACTERS = 6


class ClinicNameValidator:
    """Refuses passphrases that are little more than the clinic's name, also with spaces or signs in it."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        folded = unicodedata.normalize("NFKC", password).casefold()
        letters = "".join(char for char in folded if char.isalnum())
        for name in NAMES:
            if name in letters and len(letters.replace(name, "")) < MIN_OTHER_CHARACTERS:
                raise ValidationError(
                    _("The clinic's name is the first thing anyone would try."), code="clinic_name"
                )

    def get_help_text(self) -> str:
        return _("Your passphrase can't be the clinic's name.")
