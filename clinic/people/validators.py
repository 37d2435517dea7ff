"""The password validators of this clinic."""

import unicodedata

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from precis_i18n import get_profile

from clinic.names import normalize_passphrase

OPAQUE_STRING = get_profile("OpaqueString")
# The clinic's name, and the letters of its logo: Lac[ ]na.
NAMES = ("lacuna", "lacna")
# A passphrase with the name needs so many letters and digits besides it ("Lacuna2004!" has four).
MIN_OTHER_CHARACTERS = 6


class CharacterValidator:
    """Refuses characters that RFC 8265 does not allow in a passphrase, such as control characters."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        try:
            OPAQUE_STRING.enforce(normalize_passphrase(password))
        except UnicodeEncodeError:
            raise ValidationError(
                _("It has a sign that another keyboard could not type again. Please leave out such signs."),
                code="characters",
            ) from None

    def get_help_text(self) -> str:
        return _("Your passphrase can have any letters, digits, signs and spaces that are not invisible.")


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
