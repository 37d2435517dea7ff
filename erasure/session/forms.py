"""Forms of the session's controls. Reasons are codes and not free text, because the log keeps them."""

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from erasure.runs.resistance import Reason


class AbortReason(models.TextChoices):
    PATIENT_ASKED = "patient-asked", _("the patient asked for it")
    MEDICAL = "medical", _("a medical reason")
    EQUIPMENT = "equipment", _("a fault of the equipment")
    DOUBT = "doubt", _("doubt about the consent")
    OTHER = "other", _("another reason, told to the doctor")


class AbortForm(forms.Form):
    """Reason and passphrase that end the session for good."""

    reason = forms.ChoiceField(label=_("Why does it end?"), choices=AbortReason.choices)
    passphrase = forms.CharField(
        label=_("Your passphrase, to be sure it is you"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        strip=False,
    )


class DecisionForm(forms.Form):
    """The doctor's decision on a copy found off the map."""

    hold = forms.UUIDField(widget=forms.HiddenInput)
    decision = forms.ChoiceField(
        label=_("What shall happen to the copy?"),
        choices=[("spare", _("Leave the copy where it is")), ("extend", _("Put the copy on the map"))],
    )
    reason = forms.ChoiceField(label=_("Because"), choices=Reason.choices)


class DamageForm(forms.Form):
    """The doctor's decision on a memory that cannot be read."""

    step = forms.UUIDField(widget=forms.HiddenInput)
    decision = forms.ChoiceField(
        choices=[("spare", _("Leave it as it is")), ("destroy", _("Destroy it as it is"))]
    )


class HandoverForm(forms.Form):
    to = forms.UUIDField()


class ProtectForm(forms.Form):
    memory = forms.UUIDField()
