"""The form by which a doctor or an administrator agrees to one more night."""

from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext_lazy as _


class AgreeForm(forms.Form):
    """Why somebody agrees, and in which role. Nobody chooses a role if they have only one of `roles`."""

    role = forms.ChoiceField(label=_("As"), widget=forms.RadioSelect)
    reason = forms.CharField(
        label=_("Why?"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "Who decides beside you reads it, and auditors. Please do not name who is to be forgotten."
        ),
    )

    def __init__(self, *args: object, roles: Sequence[tuple[str, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["role"].choices = roles  # type: ignore[attr-defined]
        if len(roles) == 1:
            self.fields["role"].widget = forms.HiddenInput()
            self.fields["role"].initial = roles[0][0]
