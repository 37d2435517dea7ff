"""The questions of the intake, one form for each step. questions.py says when each is asked."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.edits.forms import EditForm
from clinic.people.fields import NameField
from patients.memories.forms import WhenField

YES_NO = [("yes", _("Yes")), ("no", _("No"))]
WISHES = [
    ("own", _("Yes, it is mine")),
    ("asked", _("Somebody asked me to, or expects it")),
    ("unsure", _("I am not sure")),
]
COLORS = [
    ("none", _("none")),
    ("green", _("green")),
    ("red", _("red")),
    ("orange", _("orange")),
    ("blue", _("blue")),
]
# Conditions that may rule out an ordinary procedure. The doctor asks more about each.
CONDITIONS = [
    ("pregnancy", _("I am or may be pregnant")),
    ("breath", _("I stop breathing in my sleep, or I was told so")),
    ("heart", _("My heart, or my blood pressure, is being treated")),
    ("seizures", _("I have had seizures")),
    ("implant", _("I have a pacemaker or another implant")),
]
CHAPTERS = range(1, 5)


def _text(label: Any, help_text: Any = "", *, rows: int = 3, longest: int = 2000) -> forms.CharField:
    """Return a field for a text of several lines that may stay empty. longest: in characters."""
    widget = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(
        label=label, max_length=longest, required=False, widget=widget, help_text=help_text
    )


def _choice(label: Any, choices: list[tuple[str, Any]], help_text: Any = "") -> forms.ChoiceField:
    """Return a field with one radio button for each choice, none of which is required."""
    return forms.ChoiceField(
        label=label, choices=choices, widget=forms.RadioSelect, required=False, help_text=help_text
    )


class SubjectStep(EditForm):
    subject_name = NameField(label=_("Whom would you like to forget?"), max_length=120)
    subject_relation = forms.CharField(
        label=_("Who are they to you?"), max_length=120, required=False, help_text=_("“we lived together”")
    )
    since = WhenField(
        label=_("Since when have you known them?"),
        max_length=100,
        required=False,
        help_text=_("“May 2001”, “about 2001”"),
    )
    until = WhenField(
        label=_("Until when?"), max_length=100, required=False, help_text=_("Leave it empty if it goes on.")
    )
    still = _choice(_("Are they still part of your days?"), YES_NO)


class MeetingStep(EditForm):
    """Asked only if the patient still meets the subject."""

    meeting = _text(
        _("Where do you meet?"),
        _("At work, at school, in the family: we plan for it together."),
        longest=1000,
    )


class WishStep(EditForm):
    why = _text(_("Why would you like to forget them?"), _("A few words are enough."), rows=4)
    wish_since = WhenField(
        label=_("Since when have you wished for it?"),
        max_length=100,
        required=False,
        help_text=_("“last winter”, “14 Feb 2003”"),
    )
    own_wish = _choice(_("Is it your own wish?"), WISHES, _("Only you and our doctors read this."))


class MoreOfTheWish(EditForm):
    """Asked only if the wish may not be the patient's own."""

    who_asks = _text(_("Who asks it of you? And what would happen if you said no?"))
    doubt = _text(_("What speaks for it, and what against?"), _("You may stay unsure. We can wait."))


class HopeStep(EditForm):
    hope = _text(_("What do you hope for, the morning after?"), rows=4)
    fear = _text(_("What are you afraid of?"))
    loss = _text(
        _("What would you not want to lose with them?"),
        _("A song, a city, a friend, something you learned. We look out for it on your map."),
    )


class HealthStep(EditForm):
    conditions = forms.MultipleChoiceField(
        label=_("Does any of this concern you?"),
        choices=CONDITIONS,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None of it rules anything out; the doctor will talk to you about it."),
    )
    sedation = _choice(_("Has a sedative ever troubled you?"), YES_NO)
    medication = _text(
        _("Which medicines do you take?"),
        _("Also what you buy yourself, and what helps you sleep. If you take none, write “none”."),
    )
    allergy = _choice(_("Are you allergic to anything?"), YES_NO)
    despair = _choice(
        _("Are there days on which you would rather not be alive?"),
        YES_NO,
        _("Many who come here have had such days. Your answer closes no door."),
    )


class MoreOfHealth(EditForm):
    """Asked only about what the patient said in `HealthStep`."""

    pregnancy_more = _text(_("How far along are you, and who looks after you?"))
    breath_more = _text(_("What was found, and do you use a machine at night?"))
    heart_more = _text(_("What is being treated, and since when?"))
    seizures_more = _text(_("When was the last seizure, and what helps you then?"))
    implant_more = _text(
        _("What is it, and where in your body?"), _("If you have a card for it, please bring it along.")
    )
    sedation_more = _text(_("Which sedative was it, and what happened?"))
    allergies = _text(_("What are you allergic to, and what happens then?"))
    despair_more = _text(
        _("How are you today? And who is with you on such days?"),
        _("If it is bad now, please don’t wait for us: call the emergency number, or somebody you trust."),
    )


class CircleStep(EditForm):
    knows = _text(_("Who knows that you are here?"), _("And whom may we call, if we have to?"))
    must_not = _text(_("Who must not be told?"), _("We tell nobody anyway. Of these we take special care."))
    harm = _choice(_("Has the person you want to forget hurt or threatened you?"), YES_NO)
    child = _choice(_("Do you have a child together?"), YES_NO)


class MoreOfTheCircle(EditForm):
    """Asked only about what the patient said in `CircleStep`."""

    safety = _text(
        _("Are you safe now? And what should we be careful about?"),
        _("What you forget, you cannot be warned of. So we talk about this before anything else."),
    )
    child_more = _text(_("Who looks after the child, and what would it be told?"))


class ChaptersStep(EditForm):
    """Up to four named periods ("chapters"), for the time strip of the map."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for n in CHAPTERS:
            self.fields[f"name_{n}"] = NameField(label=_("Its name"), max_length=60, required=False)
            self.fields[f"from_{n}"] = _date_field(_("First day"))
            self.fields[f"to_{n}"] = _date_field(_("Last day"))
            self.fields[f"color_{n}"] = forms.ChoiceField(label=_("Color"), choices=COLORS, required=False)

    def rows(self) -> list[list[forms.BoundField]]:
        """Return the fields of the chapters up to the last filled one, and of one empty chapter."""
        return [self._row(n) for n in CHAPTERS if n <= self._last_filled() + 1]

    def further(self) -> list[list[forms.BoundField]]:
        """Return the fields of the other chapters, which the page shows on demand."""
        return [self._row(n) for n in CHAPTERS if n > self._last_filled() + 1]

    def _row(self, n: int) -> list[forms.BoundField]:
        return [self[f"{part}_{n}"] for part in ("name", "color", "from", "to")]

    def _last_filled(self) -> int:
        """Return the number of the last chapter with an entry; 0 if there is none."""
        return max(
            (n for n in CHAPTERS for part in ("name", "from", "to") if self[f"{part}_{n}"].value()), default=0
        )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for n in CHAPTERS:
            if {f"from_{n}", f"to_{n}"} & set(self.errors):
                continue
            name, first, last = data.get(f"name_{n}"), data.get(f"from_{n}"), data.get(f"to_{n}")
            if name and not (first and last and first <= last):
                self.add_error(f"to_{n}", _("A chapter needs a first and a last day, in this order."))
            if (first or last) and not name:
                self.add_error(f"name_{n}", _("Please give this chapter a name."))
        return data

    def chapters(self) -> list[dict[str, str]]:
        """Return the named chapters in the format of CaseFields.chapters, sorted by their first day."""
        data = self.cleaned_data
        spans = [
            {
                "name": data[f"name_{n}"],
                "color": data[f"color_{n}"] or "none",
                "from": data[f"from_{n}"].isoformat(),
                "to": data[f"to_{n}"].isoformat(),
            }
            for n in CHAPTERS
            if data.get(f"name_{n}")
        ]
        return sorted(spans, key=lambda span: span["from"])


def _date_field(label: Any) -> forms.DateField:
    # Browsers use only this date format, whatever the language of the page.
    form = "%Y-%m-%d"
    widget = forms.DateInput(attrs={"type": "date"}, format=form)
    return forms.DateField(label=label, required=False, widget=widget, input_formats=[form])
