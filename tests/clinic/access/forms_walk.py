"""Every form class of the project, and every form in its templates."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from allauth.account import forms as allauth_forms
from django import forms

ROOT = Path(__file__).resolve().parents[3]
FORM = re.compile(r"<form\b.*?</form>", re.S)
PASSWORD_INPUT = re.compile(r'<input\b(?=[^>]*type="password")[^>]*\bname="([^"]+)"', re.S)


def form_classes() -> list[type[forms.BaseForm]]:
    """Return the form classes of all apps, and those of allauth's pages."""
    for app in ("clinic", "patients", "erasure"):
        for path in sorted((ROOT / app).rglob("*.py")):
            if "forms" in path.read_text() and "migrations" not in path.parts:
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found: list[type[forms.BaseForm]] = []
    waiting: list[type] = [forms.Form, forms.ModelForm]
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        found += subclasses
        waiting += subclasses
    apps = ("clinic.", "patients.", "erasure.")
    return [
        form
        for form in found
        if form.__module__.startswith(apps) or form.__module__ == allauth_forms.__name__
    ]


def template_forms() -> Iterator[tuple[str, str]]:
    """Yield the path of a template and the source of a form in it."""
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for found in FORM.finditer(path.read_text()):
            yield str(path.relative_to(ROOT)), found[0]


def passphrase_names() -> set[str]:
    """Return the names of all fields in which a passphrase is typed."""
    names = {
        name
        for form in form_classes()
        for name, field in form.base_fields.items()
        if isinstance(field.widget, forms.PasswordInput)
    }
    return names.union(*(PASSWORD_INPUT.findall(source) for _path, source in template_forms()))
