"""The intake: a short questionnaire in steps, saved as it is typed, all of it sealed."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.audit.record import Act, actor_of, record
from clinic.people.models import User
from patients.cases.models import Case
from patients.keepsakes.arrivals import NotTaken
from patients.keepsakes.removal import LOCKED

YES_NO = [("yes", _("Yes")), ("no", _("No"))]
COLORS = [
    ("none", _("none")),
    ("green", _("green")),
    ("red", _("red")),
    ("orange", _("orange")),
    ("blue", _("blue")),
]


class SubjectStep(forms.Form):
    subject_name = forms.CharField(label=_("Whom would you like to forget?"), max_length=120)
    subject_relation = forms.CharField(
        label=_("Who are they to you?"), max_length=120, required=False, help_text=_("“we lived together”")
    )
    still = forms.ChoiceField(
        label=_("Are they still part of your days?"), choices=YES_NO, widget=forms.RadioSelect, required=False
    )


class MeetingStep(forms.Form):
    """Asked only where they still meet."""

    meeting = forms.CharField(
        label=_("Where do you meet?"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("At work, at school, in the family: we plan for it together."),
    )


class HopeStep(forms.Form):
    hope = forms.CharField(
        label=_("What do you hope for, the morning after?"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    fear = forms.CharField(
        label=_("What are you afraid of?"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class HealthStep(forms.Form):
    sedation = forms.ChoiceField(
        label=_("Has a sedative ever troubled you?"),
        choices=YES_NO,
        widget=forms.RadioSelect,
        required=False,
    )
    medicines = forms.CharField(label=_("Allergies and medicines"), max_length=500, required=False)


class ChaptersStep(forms.Form):
    """Up to four spans the patient names, for the map's strip of time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in range(1, 5):
            day = {"widget": forms.DateInput(attrs={"type": "date"}), "required": False}
            self.fields[f"name_{n}"] = forms.CharField(label=_("Chapter"), max_length=60, required=False)
            self.fields[f"color_{n}"] = forms.ChoiceField(label=_("Color"), choices=COLORS, required=False)
            self.fields[f"from_{n}"] = forms.DateField(label=_("From"), **day)  # type: ignore[arg-type]
            self.fields[f"to_{n}"] = forms.DateField(label=_("To"), **day)  # type: ignore[arg-type]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for n in range(1, 5):
            first, last = data.get(f"from_{n}"), data.get(f"to_{n}")
            if data.get(f"name_{n}") and not (first and last and first <= last):
                self.add_error(f"to_{n}", _("A chapter needs a first and a last day, in this order."))
        return data

    def chapters(self) -> list[dict[str, str]]:
        """The spans that were named, in time order."""
        data = self.cleaned_data
        spans = [
            {
                "name": data[f"name_{n}"],
                "color": data[f"color_{n}"] or "none",
                "from": data[f"from_{n}"].isoformat(),
                "to": data[f"to_{n}"].isoformat(),
            }
            for n in range(1, 5)
            if data.get(f"name_{n}")
        ]
        return sorted(spans, key=lambda span: span["from"])


@dataclass(frozen=True)
class Step:
    key: str
    title: str | Promise
    form: type[forms.Form]


STEPS = (
    Step("who", _("Whom it is about"), SubjectStep),
    Step("meeting", _("Where you meet"), MeetingStep),
    Step("hope", _("Hope and fear"), HopeStep),
    Step("health", _("Your health"), HealthStep),
    Step("chapters", _("Chapters, if there were any"), ChaptersStep),
)


def steps_for(answers: dict[str, Any]) -> list[Step]:
    """The steps that concern this patient: who no longer meets the person is not asked where."""
    return [step for step in STEPS if step.key != "meeting" or answers.get("still") == "yes"]


def initial_of(case: Case, step: Step) -> dict[str, Any]:
    """What was typed before, on whatever device."""
    paper = case.read()
    initial = dict(paper.answers) | {
        "subject_name": paper.subject_name,
        "subject_relation": paper.subject_relation,
    }
    for n, chapter in enumerate(paper.chapters[:4], start=1):
        initial |= {f"{field}_{n}": chapter[field] for field in ("name", "color", "from", "to")}
    return {name: value for name, value in initial.items() if name in step.form().fields}


@transaction.atomic
def save_step(case: Case, step: Step, form: forms.Form, *, by: User, said: bool) -> None:
    """Keep what is valid of a step; `said`: the patient pressed the button, so it is recorded as answered.

    Typing saves without an entry for each key; the button writes one. Errors: NotTaken, the map being locked.
    """
    row = Case.objects.select_for_update().get(pk=case.pk)
    if not row.takes_keepsakes:
        raise NotTaken(str(LOCKED))
    paper, data = row.read(), form.cleaned_data
    if isinstance(form, ChaptersStep):
        paper = dataclasses.replace(paper, chapters=form.chapters())
    else:
        named = {key: data[key] for key in ("subject_name", "subject_relation") if data.get(key)}
        answers = {key: value for key, value in data.items() if key not in named and value != ""}
        paper = dataclasses.replace(paper, answers={**paper.answers, **answers}, **named)
    row.write(paper)
    row.save(update_fields=["sealed"])
    if said:
        record(
            Act(
                "intake.answered",
                f"case:{row.pk}",
                actor=actor_of(by),
                case=row.pk,
                details={"step": step.key},
            )
        )
