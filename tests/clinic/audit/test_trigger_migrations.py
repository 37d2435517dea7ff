"""The migrations, which contain their own SQL, install the same triggers that triggers.py expects."""

import importlib
from typing import Any

import pytest
from django.db import connection

from clinic.audit import triggers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]

# What every migration that installs triggers calls, in order.
INSTALLED_BY = ["_audit_triggers"]


def test_the_migrations_install_and_remove_the_expected_triggers() -> None:
    modules: list[Any] = [importlib.import_module(f"clinic.migrations.{name}") for name in INSTALLED_BY]
    wanted = sorted(triggers.wanted(connection))
    triggers.uninstall(connection)
    try:
        assert triggers.missing(connection) == wanted
        for module in modules:
            # The schema editor is not used as a context manager: it would open a transaction.
            module.install_triggers(None, connection.schema_editor())
        assert triggers.missing(connection) == []
        for module in reversed(modules):
            module.remove_triggers(None, connection.schema_editor())
        assert triggers.missing(connection) == wanted
    finally:
        triggers.install(connection)
