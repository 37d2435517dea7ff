"""Forms for invitations, roles and accounts."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import STAFF_ROLES, Role, User
from clinic.edits.forms import EditForm
from clinic.people.fields import AddressField, NameField

STAFF_CHOICES = [(role.value, role.label) for role in Role if role in STAFF_ROLES]


class WelcomeForm(forms.Form):
    """Asks an invited person for a name and a passphrase."""

    name = NameField(label=_("Your name"), max_length=120)
    family_name_first = forms.BooleanField(
        label=_("My family name comes first, as in Nguyễn Thị Ánh."), required=False
    )
    passphrase = forms.CharField(
        label=_("A passphrase"),
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("Ten characters or more. A few words nobody would guess are best."),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_passphrase(self) -> str:
        passphrase: str = self.cleaned_data["passphrase"]
        validate_password(passphrase, User(email=self.email, name=self.cleaned_data.get("name", "")))
        return passphrase


class InviteForm(forms.Form):
    """Invites a member of staff."""

    name = NameField(label=_("Name"), max_length=120)
    email = AddressField(label=_("E-mail address"), max_length=254)
    role = forms.ChoiceField(label=_("Role"), choices=STAFF_CHOICES)

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if User.objects.at_address(email).exists():
            raise ValidationError(_("There is an account for this address already."))
        return email


class TakeBackForm(forms.Form):
    """Takes back an invitation."""

    invitation = forms.UUIDField()


class RolesForm(EditForm):
    """Sets the staff roles of a person. Administrators cannot give or take the role of patient."""

    roles = forms.MultipleChoiceField(
        label=_("Roles"), choices=STAFF_CHOICES, required=False, widget=forms.CheckboxSelectMultiple
    )
