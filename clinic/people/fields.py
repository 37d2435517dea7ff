"""Form fields for names and e-mail addresses, which are stored in a normalized form (clinic/names.py)."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from clinic.names import domain_to_ascii, normalize_address, normalize_text


class NameField(forms.CharField):
    """A name or another line of text. It is stored, and its length counted, in `normalize_text`'s form."""

    def to_python(self, value: Any) -> str:
        return normalize_text(super().to_python(value) or "")


class AddressField(forms.EmailField):
    """An e-mail address. It is stored, and its length counted, in `normalize_address`'s form."""

    def to_python(self, value: Any) -> str:
        return normalize_address(super().to_python(value) or "")

    def clean(self, value: Any) -> str:
        address: str = super().clean(value)
        try:
            domain_to_ascii(address.rpartition("@")[2])
        except ValueError:
            raise ValidationError(EmailValidator.message, code="invalid") from None
        return address
