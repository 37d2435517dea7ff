"""The example in CONTRIBUTING.md works: the test adds it to a copy of the project and uses it there."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^ *```\w+ (\S+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ADDED_TO = {"clinic/urls.py", "clinic/locale/vi/LC_MESSAGES/django.po"}

# Runs in the copy: opens the page in two roles, sends the form, and prints the results.
USE = """
import django
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
from clinic.access.table import access_table
from clinic.accounts.models import Role, User
from clinic.audit.actions import ACTIONS
from clinic.audit.models import Entry
from django.conf import settings

def signed_in(role):
    user = User.objects.create_user(f"{role}@example.org", "a long passphrase", name="One", roles=(role,))
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client

desk, auditor = signed_in(Role.RECEPTIONIST), signed_in(Role.AUDITOR)
page = desk.get("/lost-property/", headers={"Accept-Language": "vi"})
print(page.status_code, "Đồ thất lạc" in page.content.decode())
print(auditor.get("/lost-property/").status_code, Client().get("/lost-property/").status_code)
print(desk.post("/lost-property/").status_code, Entry.objects.filter(action="property.found").count())
print(ACTIONS["property.found"].words)
print("| `lost-property` | receptionist | receptionist |" in access_table())
"""


def blocks() -> dict[str, str]:
    """The example's files: their text by path."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    return {path: textwrap.dedent(text) for path, text in BLOCK.findall(page)}


def build(copy: Path) -> None:
    """Copy the project to `copy` and add the example to it, as CONTRIBUTING.md describes."""
    for name in ("manage.py", "clinic", "patients", "erasure", "templates", "static"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", "pictures"))
        else:
            shutil.copy(source, copy / name)
    for path, block in blocks().items():
        file = copy / path
        file.parent.mkdir(parents=True, exist_ok=True)
        before = file.read_text() if path in ADDED_TO else ""
        if path == "clinic/urls.py":
            file.write_text(re.sub(r"\n\]\n\Z", f"\n    {block.strip()}\n]\n", before))
        else:
            file.write_text(f"{before}\n{block}" if before else block)
    (copy / "clinic/lost_property/__init__.py").touch()
    catalog = copy / "clinic/locale/vi/LC_MESSAGES/django.po"
    subprocess.run(["msgfmt", "-o", catalog.with_suffix(".mo"), catalog], check=True)  # noqa: S603, S607


def test_the_example_names_every_file_it_needs() -> None:
    assert set(blocks()) == ADDED_TO | {
        "clinic/lost_property/views.py",
        "clinic/lost_property/urls.py",
        "clinic/lost_property/policy.py",
        "clinic/lost_property/actions.py",
        "templates/clinic/lost_property/found.html",
    }


@pytest.mark.processes
def test_the_example_works(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    build(copy)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LACUNA_")}
    done = subprocess.run(  # noqa: S603 - our own interpreter and words
        [sys.executable, "-c", USE],
        cwd=copy,
        env=environment
        | {
            "DJANGO_SETTINGS_MODULE": "clinic.settings",
            "LACUNA_DATA_DIR": str(tmp_path / "data"),
            "LACUNA_DEBUG": "1",
            "LACUNA_HOSTS": "testserver",
            "PYTHONPATH": str(copy),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["200 True", "403 302", "302 1", "Lost property found", "True"]
