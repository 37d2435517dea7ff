"""Nothing of the demonstration exists in another installation, and all of it in the demonstration."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import NoReverseMatch, reverse

from clinic.accounts.models import Role
from erasure.demo.doctor import decide_waiting
from erasure.jobs import supervisor
from tests.factories import make_user

URL = "/demonstration/sign-in/"
# Prints which parts of the demonstration an installation has after its start.
PRINT_PARTS = """
import json, django
django.setup()
from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import NoReverseMatch, reverse
from erasure.jobs.supervisor import PARTS
try:
    url = reverse("erasure:demo-sign-in")
except NoReverseMatch:
    url = None
processors = settings.TEMPLATES[0]["OPTIONS"]["context_processors"]
print(json.dumps({
    "url": url,
    "context": "erasure.demo.context.demonstration" in processors,
    "style": bool(finders.find("demonstration.css")),
    "doctor": [part.__name__ for part in PARTS if part.__module__.startswith("erasure.demo")],
}))
"""


@pytest.mark.parametrize("demo", [False, True])
def test_the_setting_alone_decides_whether_the_parts_exist(demo: bool, tmp_path: Path) -> None:
    env = {**os.environ, "LACUNA_DEMO": str(int(demo)), "LACUNA_DATA_DIR": str(tmp_path)}
    result = subprocess.run(  # noqa: S603 - our own interpreter and the lines above
        [sys.executable, "-c", PRINT_PARTS],
        env={**env, "DJANGO_SETTINGS_MODULE": "clinic.settings"},
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(result.stdout) == {
        "url": URL if demo else None,
        "context": demo,
        "style": demo,
        "doctor": ["decide_waiting"] if demo else [],
    }


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("signed_in", [False, True])
def test_another_installation_has_no_page_for_signing_in_as_its_people(
    method: str, signed_in: bool, client: Client
) -> None:
    mary = make_user(Role.RECEPTIONIST, email="mary@lacuna.example")
    if signed_in:
        client.force_login(mary, backend=django_settings.AUTHENTICATION_BACKENDS[0])
    answer = getattr(client, method)(URL, {"person": "mary"})
    assert answer.status_code == 404
    assert ("_auth_user_id" in client.session) == signed_in
    with pytest.raises(NoReverseMatch):
        reverse("erasure:demo-sign-in")


@pytest.mark.django_db
def test_pages_of_another_installation_have_nothing_of_the_demonstration(client: Client) -> None:
    pages = [client.get("/account/login/"), client.get("/")]
    client.force_login(make_user(Role.RECEPTIONIST), backend=django_settings.AUTHENTICATION_BACKENDS[0])
    pages.append(client.get("/today/"))
    for page in pages:
        assert page.status_code == 200
        assert "demo" not in page.content.decode().lower()
        assert [one.name for one in page.templates if one.name and "demo" in one.name] == []
    assert decide_waiting not in supervisor.PARTS
