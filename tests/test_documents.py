"""The documents in docs/ agree with the code."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# An environment variable that clinic/settings.py reads, by any of its helper functions.
READ = re.compile(r"""(?:environ(?:\.get)?|flag|words|number)\s*[(\[]\s*["'](LACUNA_\w+)""")

# A secret may also be in a file, which a second variable names.
SECRET = re.compile(r"""\bsecret\(["'](LACUNA_\w+)""")


def test_docs_settings_lists_exactly_the_variables_that_are_read() -> None:
    settings = (ROOT / "clinic" / "settings.py").read_text()
    read = set(READ.findall(settings))
    secrets = set(SECRET.findall(settings))
    read |= secrets | {f"{name}_FILE" for name in secrets}
    written = (ROOT / "docs" / "settings.md").read_text().partition("\n## ")[0]
    rows = [line.split("|")[1] for line in written.splitlines() if line.startswith("| `")]
    assert len(read) > 40
    assert {name for row in rows for name in re.findall(r"`(LACUNA_\w+)`", row)} == read
