"""Fixtures that give each test its own signing key, witness directory and test actions."""

from pathlib import Path

import pytest
from django.db import connection
from pytest_django import Settings

from clinic.audit import triggers
from clinic.audit.actions import ACTIONS, Phrase
from tests.clinic.audit.plugin import log_can_be_flushed

__all__ = ["guarded", "key_directory", "log_can_be_flushed"]


@pytest.fixture(autouse=True)
def key_directory(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory that holds this test's signing key and witness directory."""
    settings.LACUNA_SIGNING_KEY_FILE = tmp_path / "signing-key"
    settings.LACUNA_WITNESS_DIR = tmp_path / "witness"
    settings.LACUNA_LOG_ORIGIN = "lacuna.test/audit"
    monkeypatch.setitem(ACTIONS, "test.done", Phrase("Something done"))
    monkeypatch.setitem(ACTIONS, "test.destroyed", Phrase("Something destroyed", "destroyed"))
    return tmp_path


@pytest.fixture
def guarded(db: None) -> None:
    """Install the log's triggers, also if the tables were made without migrations."""
    triggers.install(connection)
