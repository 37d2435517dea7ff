"""The migrations, which have the SQL of their time, install the triggers that triggers.py wants now."""

import importlib
from typing import Any

import pytest
from django.db import connection

from clinic.audit import triggers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("guarded")]

# Every migration that installs triggers, in order.
INSTALLED_BY = ["0002_audit_triggers"]


def test_the_migrations_install_what_is_wanted_and_remove_it() -> None:
    modules: list[Any] = [importlib.import_module(f"clinic.migrations.{name}") for name in INSTALLED_BY]
    wanted = sorted(triggers.wanted(connection))
    triggers.uninstall(connection)
    try:
        assert triggers.missing(connection) == wanted
        for module in modules:
            # An editor that is not entered: it opens no transaction of its own within the test's.
            module.install(None, connection.schema_editor())
        assert triggers.missing(connection) == []
        for module in reversed(modules):
            module.remove(None, connection.schema_editor())
        assert triggers.missing(connection) == wanted
    finally:
        triggers.install(connection)
