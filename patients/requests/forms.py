"""Forms around a request for an appointment."""

from uuid import UUID

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from clinic.people.fields import AddressField, NameField
from patients.requests.models import AppointmentRequest
from patients.requests.tickets import read_ticket


class RequestForm(forms.ModelForm[AppointmentRequest]):
    """A visitor's request. It needs no account, and does not ask yet whom to forget."""

    message = forms.CharField(
        label=_("What would you like to tell us?"),
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off"}),
        max_length=4000,
        required=False,
        help_text=_("It is encrypted before it is kept. Only the front desk and the doctors read it."),
    )
    # Hidden from people. Spam programs fill in every field, so an answer here refuses the form.
    website = forms.CharField(
        label=_("Leave this empty"),
        required=False,
        widget=forms.TextInput(attrs={"tabindex": "-1", "autocomplete": "off"}),
    )
    ticket = forms.CharField(widget=forms.HiddenInput, max_length=200)

    class Meta:
        model = AppointmentRequest
        fields = ["name", "email", "phone"]
        field_classes = {"name": NameField, "email": AddressField}
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "name"}),
            "phone": forms.TextInput(attrs={"autocomplete": "tel", "type": "tel"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }

    def clean_website(self) -> str:
        if self.cleaned_data.get("website"):
            raise ValidationError(_("This could not be sent. Please call us instead."))
        return ""

    def clean_ticket(self) -> UUID:
        try:
            return read_ticket(self.cleaned_data["ticket"])
        except signing.BadSignature:
            raise ValidationError(_("This form lay open for long. Please send it once more.")) from None


class DecisionForm(forms.Form):
    """The front desk's answer to a request."""

    decision = forms.ChoiceField(
        choices=[
            ("accept", _("Accept")),
            ("hold", _("Hold")),
            ("decline", _("Decline")),
            ("again", _("Invite again")),
        ]
    )
    reason = forms.CharField(
        label=_("A word to the visitor"),
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=1000,
        required=False,
    )


class SeveralDecisionForm(forms.Form):
    """One answer to several requests."""

    decision = forms.ChoiceField(
        choices=[("accept", _("Accept")), ("decline", _("Decline"))],
        error_messages={"required": _("Please choose accept or decline.")},
    )
    reason = forms.CharField(label=_("A word to all of them"), max_length=1000, required=False)
