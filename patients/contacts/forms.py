"""The form with which the front desk writes down how a patient is reached."""

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from clinic.accounts.search_words import digits_of
from clinic.edits.forms import EditForm
from clinic.names import compose, normalize_text
from patients.contacts.models import Contact


class ContactForm(EditForm):
    """Telephone, address, language, and the way that the patient prefers."""

    phone = forms.CharField(
        label=_("Telephone"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "type": "tel"}),
    )
    address = forms.CharField(
        label=_("Address"),
        max_length=400,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
    )
    language = forms.ChoiceField(
        label=_("Language"), help_text=_("Mail to the patient is written in it."), choices=settings.LANGUAGES
    )
    way = forms.ChoiceField(
        label=_("How they want to be reached"), choices=Contact.Way.choices, widget=forms.RadioSelect
    )

    def clean_phone(self) -> str:
        phone = normalize_text(self.cleaned_data["phone"])
        if phone and not digits_of(phone):
            raise forms.ValidationError(_("Please write the number in digits."))
        return phone

    def clean_address(self) -> str:
        return compose(self.cleaned_data["address"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        needed = {Contact.Way.PHONE: "phone", Contact.Way.LETTER: "address"}.get(data.get("way", ""))
        if needed and not data.get(needed) and needed not in self.errors:
            self.add_error(needed, _("It is needed for the way that they prefer."))
        return data
