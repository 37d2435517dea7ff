"""Templates and code write dates with the named formats of `clinic.formats`, which each language defines."""

import re
import subprocess
from datetime import datetime
from pathlib import Path
from types import ModuleType

import pytest
from django.utils import translation
from django.utils.formats import date_format, get_format

from clinic.formats.en import formats as english
from clinic.formats.vi import formats as vietnamese

ROOT = Path(__file__).resolve().parents[2]
DATE_USE = re.compile(r"""\|date:"([^"]+)"|date_format\(.*?, (?:"[^"]*" if .*? else )?"([^"]+)"\)""")
MONTH = re.compile(r"[bEFMN]")


def names(formats: ModuleType) -> set[str]:
    return {name for name in vars(formats) if name.isupper()}


def test_both_languages_name_the_same_formats() -> None:
    assert names(english) == names(vietnamese)


def test_templates_and_code_use_only_named_formats_for_dates() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "templates", "clinic", "patients", "erasure"],  # noqa: S607 - whichever git is there
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    uses = {
        (name, one or other)
        for name in listed
        if name.endswith((".html", ".txt", ".py"))
        for one, other in DATE_USE.findall((ROOT / name).read_text())
    }
    used = {date_format_string for _, date_format_string in uses if date_format_string.endswith("_FORMAT")}
    assert used <= names(english)
    assert {"DATE_FORMAT", "SHORT_DATETIME_FORMAT"} <= used, "the search finds uses"
    spelled = sorted(
        (name, date_format_string)
        for name, date_format_string in uses
        if date_format_string not in used and MONTH.search(date_format_string)
    )
    assert spelled == []


@pytest.mark.parametrize(
    ("name", "en", "vi"),
    [
        ("DATE_FORMAT", "22 November 2026", "22 tháng 11, 2026"),
        ("SHORT_DATETIME_FORMAT", "22 Nov 2026, 21:05", "21:05, 22 tháng 11, 2026"),
        ("WEEKDAY_DATE_FORMAT", "Sunday 22 November 2026", "Chủ nhật, 22 tháng 11, 2026"),
        ("MONTH_DAY_TIME_FORMAT", "22 Nov, 21:05", "21:05, 22 tháng 11"),
        ("YEAR_MONTH_FORMAT", "November 2026", "tháng 11, 2026"),
    ],
)
def test_the_named_formats_in_each_language(name: str, en: str, vi: str) -> None:
    moment = datetime(2026, 11, 22, 21, 5)
    with translation.override("en"):
        assert date_format(moment, name) == en
    with translation.override("vi"):
        assert date_format(moment, name) == vi
        assert get_format("DECIMAL_SEPARATOR") == ",", "other formats are Django's"
