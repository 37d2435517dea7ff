"""What no passphrase of this house may be."""

import unicodedata

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# As it is spoken, and as it stands on the door: Lac[ ]na.
NAMES = ("lacuna", "lacna")
# Fewer letters and digits than this beside the name are a decoration of it ("Lacuna2004!").
LEAST_BESIDE = 6


class ClinicNameValidator:
    """Refuses passphrases that are little more than the clinic's name, however it is spaced or dressed up."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        folded = unicodedata.normalize("NFKC", password).casefold()
        letters = "".join(sign for sign in folded if sign.isalnum())
        for name in NAMES:
            if name in letters and len(letters.replace(name, "")) < LEAST_BESIDE:
                raise ValidationError(
                    _("The clinic's name is the first thing anyone would try."), code="clinic_name"
                )

    def get_help_text(self) -> str:
        return _("Your passphrase can't be the clinic's name.")
