"""What no passphrase of this house may be."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


class ClinicNameValidator:
    """Refuses passphrases that are little more than the clinic's name."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        rest = "".join(sign for sign in password.lower() if sign.isalnum()).replace("lacuna", "")
        if len(rest) < 6 and "lacuna" in password.lower():
            raise ValidationError(
                _("The clinic's name is the first thing anyone would try."), code="clinic_name"
            )

    def get_help_text(self) -> str:
        return _("Your passphrase can't be the clinic's name.")
