"""Forms of the session's controls. Reasons are codes and not free text, because the log keeps them."""

from django import forms
from django.db import models
from django.utils.translation import gettext_lazy as _

from clinic.accounts.proof import PassphraseField
from erasure.runs.control import MAX_WORDS_LENGTH


class AbortReason(models.TextChoices):
    PATIENT_ASKED = "patient-asked", _("the patient asked for it")
    MEDICAL = "medical", _("a medical reason")
    EQUIPMENT = "equipment", _("a fault of the equipment")
    DOUBT = "doubt", _("doubt about the consent")
    OTHER = "other", _("another reason, told to the doctor")


class AbortForm(forms.Form):
    """Reason and passphrase that end the session for good."""

    reason = forms.ChoiceField(label=_("Why does it end?"), choices=AbortReason.choices)
    passphrase = PassphraseField()


class DecisionForm(forms.Form):
    """The doctor's decision on a copy found off the map: one answer is a decision with its reason.

    Answers look like "spare:childhood". Whether the reason fits is not checked here (resistance.py).
    """

    answer = forms.RegexField(
        r"^(spare|extend):([a-z-]{1,20})$",
        error_messages={
            "required": _("Please choose what shall happen, and why."),
            "invalid": _("Please choose what shall happen, and why."),
        },
    )
    confirmed = forms.BooleanField(required=False)

    @property
    def extend(self) -> bool:
        """Whether the copy is put on the map. Valid forms only."""
        return bool(self.cleaned_data["answer"].startswith("extend:"))

    @property
    def reason(self) -> str:
        """The code of the reason. Valid forms only."""
        return str(self.cleaned_data["answer"].partition(":")[2])


class LiftForm(forms.Form):
    """What a doctor says to let the night go on after a safe word."""

    words = forms.CharField(
        label=_("What did the patient say?"),
        max_length=MAX_WORDS_LENGTH,
        widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": _("Write what the patient said. It is sealed in the patient's file.")},
    )
    spoken = forms.BooleanField(
        label=_("I have spoken with the patient, and they want the night to go on."),
        error_messages={"required": _("Speak with the patient first. Otherwise the night ends.")},
    )


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
