"""The form in which a doctor records a review of the intake."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from patients.intake_review.models import IntakeReview
from patients.intake_review.reviewing import MAX_CHARACTERS

CHOICES = [
    (IntakeReview.Outcome.CLEARED.value, _("Cleared")),
    (IntakeReview.Outcome.CONDITIONS.value, _("Cleared with conditions")),
    (IntakeReview.Outcome.NOT_CLEARED.value, _("Not cleared")),
]


class ReviewForm(forms.Form):
    """A doctor's review: the outcome, and the words that two of the outcomes need."""

    outcome = forms.ChoiceField(
        label=_("What your review comes to"), choices=CHOICES, widget=forms.RadioSelect
    )
    words = forms.CharField(
        label=_("Conditions, or why not"),
        max_length=MAX_CHARACTERS,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("The patient reads it, and everybody who works with them. It ends with the case."),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        needs_words = data.get("outcome") in {
            IntakeReview.Outcome.CONDITIONS,
            IntakeReview.Outcome.NOT_CLEARED,
        }
        if needs_words and not data.get("words") and "words" not in self.errors:
            self.add_error(
                "words",
                gettext("Say in a few words what has to be observed, or why not. The patient reads it."),
            )
        return data
