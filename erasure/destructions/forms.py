"""The forms with which a patient chooses things, and has them destroyed."""

from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _

from patients.archives.forms import PassphraseForm


class SelectionForm(forms.Form):
    """What a patient chose: memories with all that is in them, keepsakes, their messages, or everything.

    Messages can be given back; they are destroyed with the words of the case.

    The pages that ask for the passphrase repeat it in hidden fields. memory_ids, keepsake_ids: what is left
    of the case, so what can be ticked.
    """

    memories = forms.TypedMultipleChoiceField(coerce=UUID, required=False)
    keepsakes = forms.TypedMultipleChoiceField(coerce=UUID, required=False)
    messages = forms.BooleanField(required=False)
    everything = forms.BooleanField(required=False)

    def __init__(self, *args: Any, memory_ids: list[UUID], keepsake_ids: list[UUID], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["memories"].choices = [(str(pk), "") for pk in memory_ids]  # type: ignore[attr-defined]
        self.fields["keepsakes"].choices = [(str(pk), "") for pk in keepsake_ids]  # type: ignore[attr-defined]


class DestroyForm(PassphraseForm):
    """Asks also when the destruction begins. later: the label of the choice to have time to think it over."""

    NOW, LATER = "now", "later"
    when = forms.ChoiceField(
        label=_("When"),
        choices=[(LATER, ""), (NOW, _("Now"))],
        initial=LATER,
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, later: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["when"].choices = [(self.LATER, later), (self.NOW, _("Now"))]  # type: ignore[attr-defined]
        self.order_fields(["when", "passphrase"])
