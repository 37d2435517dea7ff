"""Errors of a form are listed once: `{{ form }}` lists them itself."""

import re
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


def test_a_template_that_shows_a_whole_form_lists_its_errors_no_second_time() -> None:
    assert "error_summary.html" in (TEMPLATES / "django/forms/div.html").read_text()
    whole = [path for path in TEMPLATES.rglob("*.html") if re.search(r"{{\s*form\s*}}", path.read_text())]
    assert whole
    twice = [path for path in whole if "error_summary.html" in path.read_text()]
    assert twice == []
