"""Forms around a request for an appointment."""

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from patients.requests.models import AppointmentRequest


class RequestForm(forms.ModelForm[AppointmentRequest]):
    """What a visitor says. No account is needed, and whom it is about may wait until they are here."""

    message = forms.CharField(
        label=_("What would you like to tell us?"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=4000,
        required=False,
    )
    # A field no person sees; programs that fill in everything fill it in too.
    website = forms.CharField(required=False, widget=forms.HiddenInput)
    # Made when the form was shown: sending it twice makes one request.
    ticket = forms.UUIDField(widget=forms.HiddenInput)

    class Meta:
        model = AppointmentRequest
        fields = ["name", "email", "phone"]

    def clean_website(self) -> str:
        if self.cleaned_data.get("website"):
            raise ValidationError(_("This could not be sent. Please call us instead."))
        return ""


class DecisionForm(forms.Form):
    """The front desk's answer."""

    decision = forms.ChoiceField(
        choices=[("accept", _("Accept")), ("hold", _("Hold")), ("decline", _("Decline"))]
    )
    reason = forms.CharField(
        label=_("A word to the visitor"),
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=1000,
        required=False,
    )
