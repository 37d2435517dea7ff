"""The commit-msg hook of .pre-commit-config.yaml accepts only subjects that name the part they touch."""

import re
from pathlib import Path

import pytest

CONFIG = Path(__file__).resolve().parents[1] / ".pre-commit-config.yaml"


def pattern() -> re.Pattern[str]:
    """The hook's pattern, which a commit message must match."""
    hook = CONFIG.read_text().partition("id: commit-subject")[2]
    (entry,) = re.findall(r"^ +entry: (.+)$", hook, re.MULTILINE)
    assert "args: [--multiline, --negate]" in hook
    assert "stages: [commit-msg]" in hook
    return re.compile(entry, re.MULTILINE)


@pytest.mark.parametrize(
    ("message", "accepted"),
    [
        ("calendar: refuse a stale move\n", True),
        ("make test, .ci: install what is missing\n", True),
        ("patients/vault: overwrite in place\n\nThe body: anything.\n", True),
        ("Merge branch 'main'\n", True),
        ("fixup! calendar: refuse a stale move\n", True),
        ("A line's end\n", False),
        ("Three runs are three runs\n\ncalendar: in the body\n", False),
        ("calendar:\n", False),
        ("calendar refuse a stale move\n", False),
        ("", False),
    ],
)
def test_a_subject_names_its_part(message: str, accepted: bool) -> None:
    assert bool(pattern().search(message)) == accepted
