"""Example contexts for each component template; the style page renders the templates with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from clinic.edits.forms import Conflict
from clinic.style.forms import SpecimenForm

FOLDER = "components/"
MARKS = ("alarm", "done", "paused", "running", "call", "stop", "protected")
# Opacities of the corners of erased memories, from recent to old, as in patients.memories.silhouette.
AGES = (1.0, 0.7, 0.42)
PAGES = Paginator(range(45), 20)


@dataclass(frozen=True)
class State:
    """One state of a component. given: the arguments as text. html: the rendered template."""

    given: str
    html: SafeString


@dataclass(frozen=True)
class Specimen:
    """A template of templates/components, rendered in several states."""

    name: str
    states: list[State]


def example_map(*, paper: bool = False) -> SimpleNamespace:
    """Return a small map: two targets, one protected memory, one off the map.

    Its attributes are those of patients.memories.silhouette.Silhouette.
    """

    def print_(x: int, y: int, tone: str, fate: str = "target", order: int = 0) -> SimpleNamespace:
        return SimpleNamespace(x=x, y=y, w=52, h=40, tone=tone, fate=fate, order=order)

    def corners(x: int, opacity: float) -> SimpleNamespace:
        path = f"M{x} 80v-10h10M{x + 42} 70h10v10M{x + 52} 102v10h-10M{x + 10} 112h-10v-10"
        return SimpleNamespace(path=path, opacity=opacity)

    prints = [
        print_(90, 24, "#8f8377", order=2),
        print_(170, 96, "#a4aeb0", order=1),
        print_(236, 30, "#6d7c84", "protected"),
    ]
    return SimpleNamespace(
        sheet=SimpleNamespace(width=620, height=182, childhood=0 if paper else 38),
        paper=paper,
        memories=6,
        gone=6 if paper else 3,
        prints=[] if paper else prints,
        corners=[corners(x, age) for x, age in zip((380, 460, 540), AGES, strict=True)],
        land="" if paper else "M330 0Q322 60 334 110T328 182H620V0z",
        waterlines=[] if paper else [("M326 0Q318 60 330 110T324 182", 0.55)],
        trails=[] if paper else ["M24 60Q110 10 190 110"],
        off_map=[] if paper else [SimpleNamespace(x=10, y=52, w=18, h=14, tone="#9d231c")],
    )


def contexts(form: SpecimenForm, changed: SpecimenForm) -> dict[str, list[dict[str, Any]]]:
    """Return the contexts that show each state of each component, by template name."""
    course = [
        SimpleNamespace(when="9 Feb", text=_("Intake answered."), state="done", url="#timeline"),
        SimpleNamespace(when="13 Feb, 20:00", text=_("Being erased now."), state="now"),
        SimpleNamespace(when="13 Feb, 22:38", text=_("The doctor has been called."), state="alarm"),
        SimpleNamespace(when="14 Feb", text=_("Certificate issued."), state="next"),
    ]
    kinds = ("", "primary", "danger", "alarm", "link")
    things = {
        "photo": _("photograph"),
        "letter": _("letter"),
        "object": _("object"),
        "recording": _("recording"),
        "video": _("video"),
    }
    return {
        "button": [
            *({"label": _("Save"), "kind": kind, "type": "button"} for kind in kinds),
            *({"label": _("Save"), "kind": kind, "type": "button", "disabled": True} for kind in kinds),
            *({"label": _("Pause"), "mark": mark, "type": "button"} for mark in MARKS),
            {"label": _("Back to the file"), "href": "#button"},
            {"label": _("Pause"), "key": _("Space"), "wide": True, "type": "button"},
        ],
        "notice": [
            {"kind": kind, "title": _("The doctor has been called"), "text": _("Nobody has answered yet.")}
            for kind in ("", "amber", "alarm")
        ],
        "state": [
            {"label": _("Erasing"), "mark": "running", "big": True},
            *({"label": _("Held"), "mark": mark} for mark in (*MARKS, "gone")),
            *({"label": _("Held"), "kind": kind} for kind in ("teal", "amber", "alarm")),
        ],
        "tag": [
            {"label": _("tonight"), "kind": kind} for kind in ("", "teal", "amber", "alarm", "night", "gone")
        ],
        "rows": [{"rows": [(_("Memories"), 200), (_("State"), _("Erasing"), "text")]}],
        "timeline": [{"items": course}],
        "pagination": [{"page": PAGES.page(number), "label": f"{number} / 3"} for number in (1, 2, 3)],
        "keyset": [{"page": {"before": "1", "after": "2"}, "before": _("Newer"), "after": _("Older")}],
        "empty": [
            {"title": _("Nothing waits for anybody.")},
            {
                "title": _("Nobody is being erased."),
                "text": _("Nothing is booked."),
                "href": "#empty",
                "label": _("The day board"),
            },
        ],
        "error_summary": [{"form": form, "still": True}, {"form": changed, "still": True}],
        "changed": [{"last_change": _("The clinic changed it, %(at)s.") % {"at": "13 Feb, 20:00"}}],
        "conflict": [
            {"label": _("What is it?"), "conflict": Conflict("specimen-choice", str(_("Montauk in winter")))},
            {"label": _("Where"), "conflict": Conflict("specimen-other-choice", "", "mine")},
        ],
        "typed_words": [
            {
                "sentence": _("This memory is not on your file any more."),
                "typed": [(_("What happened?"), _("Sand in our shoes."))],
                "still": True,
            },
        ],
        "kind": [{"kind": kind, "label": label} for kind, label in things.items()],
        "number": [{"number": 143}],
        "lacuna": [{"number": 143}],
        "share": [{"label": _("Mapped"), "value": n, "max": 8, "figure": f"{n} / 8"} for n in (0, 5, 8)],
        "silhouette": [
            {"map": example_map()},
            {"map": example_map(), "alarm": True, "numbered": True},
            {"map": example_map(paper=True)},
        ],
        "wordmark": [{}, {"href": "#wordmark"}],
    }


def specimens(request: HttpRequest, form: SpecimenForm, changed: SpecimenForm) -> Iterator[Specimen]:
    """Yield each component rendered in its states. form: a bound form with errors, for the error summary.

    changed: one with a conflict.
    """
    for name, given in contexts(form, changed).items():
        template = f"{FOLDER}{name}.html"
        yield Specimen(
            name,
            [
                State(arguments_text(context), render_to_string(template, context, request))
                for context in given
            ],
        )


def arguments_text(context: dict[str, Any]) -> str:
    """Return a context as text, like the arguments of an include; only strings, numbers and booleans."""
    plain = {key: value for key, value in context.items() if isinstance(value, str | int | bool) and value}
    return " ".join(f"{key}={value}" for key, value in plain.items() if key not in {"type", "still"})
