"""Links in mails lead to the address of the site."""

import os
import subprocess
import sys

import pytest
from pytest_django import Settings

from erasure.management.commands.serve import address_in_mails
from tests.servers import held_port

PRINT_ADDRESS = (
    "import django; django.setup(); from django.conf import settings; print(settings.LACUNA_ADDRESS)"
)


@pytest.mark.parametrize(
    ("given", "address"),
    [
        (
            {"LACUNA_HOSTS": "lacuna.example,www.lacuna.example", "LACUNA_HTTPS": "1"},
            "https://lacuna.example/",
        ),
        ({"LACUNA_HOSTS": ".lacuna.example"}, "http://lacuna.example/"),
        ({"LACUNA_ADDRESS": "https://clinic.example/lacuna"}, "https://clinic.example/lacuna/"),
    ],
)
def test_the_settings_name_the_address(given: dict[str, str], address: str) -> None:
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "clinic.settings", **given}
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-c", PRINT_ADDRESS], env=env, check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == address


@pytest.mark.parametrize("hosts", [["localhost", "127.0.0.1"], ["lacuna.example"]])
def test_serve_sets_the_address_where_it_listens_on_loopback_only(
    hosts: list[str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOWED_HOSTS, settings.HTTPS = hosts, False
    monkeypatch.setenv("LACUNA_ADDRESS", "")  # so that monkeypatch restores what the function sets
    monkeypatch.delenv("LACUNA_ADDRESS")
    with held_port() as listener:
        address_in_mails(listener)
        expected = f"http://127.0.0.1:{listener.getsockname()[1]}/" if hosts[0] == "localhost" else None
    assert os.environ.get("LACUNA_ADDRESS") == expected
