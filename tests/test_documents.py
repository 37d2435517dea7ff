"""What the documents say of the code is so."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# A variable that the settings read, however they read it.
READ = re.compile(r"""(?:environ(?:\.get)?|flag|words|number)\s*[(\[]\s*["'](LACUNA_\w+)""")


def test_every_setting_is_in_the_list_and_nothing_else() -> None:
    read = set(READ.findall((ROOT / "clinic" / "settings.py").read_text()))
    written = (ROOT / "docs" / "settings.md").read_text().partition("\n## ")[0]
    rows = [line.split("|")[1] for line in written.splitlines() if line.startswith("| `")]
    assert len(read) > 40
    assert {name for row in rows for name in re.findall(r"`(LACUNA_\w+)`", row)} == read
