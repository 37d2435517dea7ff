"""Forms that change stored values: which fields they write, and which they never overwrite unseen."""

from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from hypothesis import given
from hypothesis import strategies as st

from clinic.edits.basis import CURRENT, MAX_LENGTH, MINE, Basis, Outcome, read_basis
from clinic.edits.forms import EditForm
from clinic.edits.gone import typed_words
from tests.edits import hidden_in

COLORS = [("red", "Red"), ("blue", "Blue"), ("", "None")]


class ExampleForm(EditForm):
    """A form with one field of each kind that the edit forms have."""

    title = forms.CharField(max_length=20)
    story = forms.CharField(required=False, widget=forms.Textarea)
    color = forms.ChoiceField(choices=COLORS, required=False, widget=forms.RadioSelect)
    colors = forms.MultipleChoiceField(
        choices=COLORS[:2], required=False, widget=forms.CheckboxSelectMultiple
    )
    kept = forms.BooleanField(required=False)
    day = forms.DateField(required=False, widget=forms.DateInput(format="%Y-%m-%d"))


SAVED: dict[str, Any] = {
    "title": "The ice",
    "story": "We lay\ndown.",
    "color": "red",
    "colors": ["blue", "red"],
    "kept": True,
    "day": "2003-02-01",
}


def example_form(saved: dict[str, Any], data: QueryDict | None = None, **more: Any) -> ExampleForm:
    return ExampleForm(data, **{"about": "sheet:1", "saved": saved, "initial": saved, **more})


def send(page: ExampleForm, **typed: Any) -> QueryDict:
    """Return what a browser sends from a page on which somebody typed `typed`. page: the form it shows."""
    data = QueryDict(mutable=True)
    data["based_on"] = hidden_in(f"<form>{page.based_on}</form>")["based_on"]
    for field in page:
        value = typed.get(field.name, field.value())
        if isinstance(field.field, forms.BooleanField):
            data.setlist(field.name, ["on"] if value else [])
            if not value:
                del data[field.name]
        elif isinstance(field.field, forms.MultipleChoiceField):
            data.setlist(field.name, value or [])
        else:
            data[field.name] = str(value or "").replace("\n", "\r\n")  # as browsers send lines
    for name, answer in typed.items():
        if name.endswith("-choice"):
            data[name] = answer
    return data


def test_what_was_not_touched_is_not_written() -> None:
    form = example_form(SAVED, send(example_form(SAVED)))
    assert form.is_valid()
    assert form.edited == set()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "The river"),
        ("story", ""),
        ("color", "blue"),
        ("color", ""),
        ("colors", ["red"]),
        ("colors", []),
        ("kept", False),
        ("day", "2003-02-02"),
    ],
)
def test_w2_a_field_that_nobody_else_changed_is_saved_and_newer_values_stay(name: str, value: Any) -> None:
    page = example_form(SAVED)
    stored = {"title": "New", "story": "New", "color": "", "colors": [], "kept": False, "day": ""}
    stored[name] = SAVED[name]
    form = example_form(stored, send(page, **{name: value}))
    assert form.is_valid(), form.errors
    assert form.edited == {name}
    assert form.cleaned_data["title"] == ("The river" if name == "title" else "New")
    assert form.cleaned_data["kept"] is False, "it is what is there now, or what was chosen here"


@pytest.mark.parametrize(
    ("name", "mine", "theirs", "words"),
    [
        ("title", "Mine", "Theirs", "Theirs"),
        ("story", "Mine", "", ""),
        ("color", "", "blue", "Blue"),
        ("colors", [], ["red"], "Red"),
        ("day", "2003-02-02", "2003-02-03", "2003-02-03"),
    ],
)
def test_w2_a_field_that_both_changed_is_a_conflict_until_a_value_is_chosen(
    name: str, mine: Any, theirs: Any, words: str
) -> None:
    stored = SAVED | {name: theirs}
    form = example_form(stored, send(example_form(SAVED), **{name: mine}))
    assert not form.is_valid()
    assert form.refused_status() == 409
    assert form.conflicts[name].now == words
    assert form[name].value() == mine, "what was typed stays in the field"
    assert not example_form(stored, send(form)).is_valid(), "sending it again is no choice"
    kept_mine = example_form(stored, send(form, **{f"{name}-choice": MINE}))
    assert kept_mine.is_valid()
    assert kept_mine.edited == {name}
    took_theirs = example_form(stored, send(form, **{f"{name}-choice": CURRENT}))
    assert took_theirs.is_valid()
    assert took_theirs.edited == set()
    assert took_theirs[name].value() == theirs
    for answer in (MINE, CURRENT):
        again = example_form(SAVED, send(form, **{f"{name}-choice": answer}))
        assert not again.is_valid(), "it changed once more, and that was not shown"


def test_both_changed_to_the_same_is_no_conflict() -> None:
    form = example_form(SAVED | {"title": "Same"}, send(example_form(SAVED), title=" Same "))
    assert form.is_valid()
    assert form.edited == set()


def test_a_state_that_the_field_does_not_show_counts_too() -> None:
    page = example_form(SAVED, states={"title": "a"})
    untouched = example_form(SAVED, send(page), states={"title": "b"})
    assert untouched.is_valid()
    assert "title" not in untouched.edited
    changed = example_form(SAVED, send(page, title="Mine"), states={"title": "b"})
    assert changed.conflicts.keys() | changed.errors.keys() == {"title"}


@pytest.mark.parametrize(
    "based_on",
    [
        "",
        "title",
        "title:zz:zz",
        "x" * 30_000,
        "title:" + "0" * 20 + ":" + "0" * 20,
        "\0",
        "\ud800",
        " " * 5000,
        "title:٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠:٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠",
    ],
)
def test_without_a_basis_nothing_is_overwritten(based_on: str) -> None:
    data = send(example_form(SAVED), title="Mine", kept=False)
    data["based_on"] = based_on
    form = example_form(SAVED, data)
    assert not form.is_valid()
    assert set(form.conflicts) == {"title", "kept"}
    assert form.edited == set()


def test_a_basis_of_another_object_is_ignored() -> None:
    data = send(example_form(SAVED), title="Mine")
    assert set(example_form(SAVED, data, about="sheet:2").conflicts) == set(), "validation has not run"
    other = example_form(SAVED, data, about="sheet:2")
    assert not other.is_valid()
    assert set(other.conflicts) == {"title"}


def test_a_basis_does_not_reveal_the_values() -> None:
    text = str(example_form(SAVED | {"title": "Clementine"}).based_on)
    assert "Clementine" not in text
    assert Basis("a", {"x": "same"}).serialize() != Basis("b", {"x": "same"}).serialize()
    x, y = Basis("a", {"x": "v", "y": "v"}).serialize().split()
    assert x.removeprefix("x:") != y.removeprefix("y:"), "equal values of two fields look different"


def test_a_new_thing_is_based_on_nothing() -> None:
    form = ExampleForm(QueryDict("title=New"))
    assert form.based_on == ""
    assert form.is_valid()
    assert "title" in form.edited


def test_a_stored_value_that_the_field_would_refuse_today_may_stay() -> None:
    saved = SAVED | {"day": "that winter"}
    assert example_form(saved, send(example_form(saved), title="Mine")).is_valid()
    assert not example_form(saved, send(example_form(saved), day="that summer")).is_valid()
    empty = SAVED | {"title": ""}
    assert not example_form(empty, send(example_form(empty), story="Mine")).is_valid(), (
        "but what is required is"
    )


def test_typed_words_returns_the_text_fields() -> None:
    assert typed_words(example_form(SAVED, send(example_form(SAVED), day=""))) == [
        ("Title", "The ice"),
        ("Story", "We lay\r\ndown."),
    ]


def test_each_outcome() -> None:
    marks = read_basis(Basis("a", {"x": "old"}).serialize())
    assert Basis("a", {"x": "old"}).outcome("x", "old", marks) is Outcome.LEAVE
    assert Basis("a", {"x": "old"}).outcome("x", "mine", marks) is Outcome.WRITE
    assert Basis("a", {"x": "new"}).outcome("x", "old", marks) is Outcome.LEAVE
    assert Basis("a", {"x": "new"}).outcome("x", "mine", marks) is Outcome.CONFLICT
    assert Basis("a", {"x": "new"}).outcome("x", "mine", marks, MINE) is Outcome.CONFLICT, "nothing was asked"
    assert Basis("a", {"x": "mine"}).outcome("x", "mine", marks) is Outcome.LEAVE


def test_a_basis_that_is_too_long_is_ignored() -> None:
    text = Basis("a", {"x": "old"}).serialize()
    assert set(read_basis(text)) == {"x"}
    assert read_basis(f"{text} {'y' * MAX_LENGTH}") == {}


WORDS = st.sampled_from(["", "a", "b", "c"])
TITLES = st.sampled_from(["a", "b", "c"])
PEOPLE = st.integers(0, 2)
STEPS = st.one_of(
    st.tuples(st.just("open"), PEOPLE),
    st.tuples(st.just("type"), PEOPLE, st.just("title"), TITLES),
    st.tuples(st.just("type"), PEOPLE, st.just("story"), WORDS),
    st.tuples(st.just("type"), PEOPLE, st.just("kept"), st.booleans()),
    st.tuples(
        st.just("send"), PEOPLE, st.fixed_dictionaries({}, optional={
            f"{name}-choice": st.sampled_from([MINE, CURRENT, "x"]) for name in ("title", "story", "kept")
        })
    ),
)  # fmt: skip
FIELDS = ("title", "story", "kept")


class Editor:
    """One person with one page: what they see in it, and what they typed."""

    def __init__(self) -> None:
        self.page: ExampleForm | None = None
        self.shown: dict[str, Any] = {}
        self.typed: dict[str, Any] = {}

    def look(self, page: ExampleForm, stored: dict[str, Any]) -> None:
        """See a page: a field, or for a conflict the words below it, shows what is there."""
        self.page, self.typed = page, {}
        self.shown |= {name: stored[name] for name in FIELDS if name not in page.edited}


@given(st.lists(STEPS, max_size=40))
def test_w2_three_editors_overwrite_only_what_they_have_seen(steps: list[tuple[Any, ...]]) -> None:
    stored: dict[str, Any] = {"title": "a", "story": "", "kept": False}
    editors = [Editor(), Editor(), Editor()]
    for step in steps:
        editor = editors[step[1]]
        if step[0] == "open":
            editor.look(example_form(dict(stored)), stored)
        elif editor.page is None:
            continue
        elif step[0] == "type":
            editor.typed[step[2]] = step[3]
        else:
            before, page = dict(stored), editor.page
            mine = {name: editor.typed.get(name, page[name].value()) for name in FIELDS}
            form = example_form(before, send(page, **editor.typed, **step[2]))
            if form.is_valid():
                stored |= {name: form.cleaned_data[name] for name in form.edited}
                for name in FIELDS:
                    if stored[name] != before[name]:
                        assert stored[name] == mine[name], "only what this person typed is written"
                        assert editor.shown.get(name) == before[name], "what they replaced, they had seen"
                    if editor.shown.get(name) == before[name] and not page.conflicts:
                        assert stored[name] == (mine[name] or (False if name == "kept" else "")), (
                            "nothing typed is lost"
                        )
                editor.look(example_form(dict(stored)), stored)
            else:
                assert form.conflicts, "nothing else can be wrong here"
                for name in form.conflicts:
                    assert form.conflicts[name].now == form.now_words(name)
                editor.look(form, stored)
    last = example_form(dict(stored), send(example_form(dict(stored)), story="last"))
    assert last.is_valid(), "whoever opens the page now can save"
