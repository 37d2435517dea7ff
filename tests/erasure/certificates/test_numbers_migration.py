"""Certificates that were given out before they had numbers get the ones that stand on their paper."""

import hashlib

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from erasure.certificates.models import Certificate
from tests.erasure.verification.ended import make_ended

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [("erasure", "0003_backups")]


def test_certificates_that_exist_already_get_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [make_ended(monkeypatch).certificate for _number in range(2)]
    try:
        older = MigrationExecutor(connection).migrate(BEFORE).apps.get_model("erasure", "Certificate")
        assert not hasattr(older, "digest")
        assert {row.body for row in older.objects.all()} == {row.body for row in made}
    finally:
        executor = MigrationExecutor(connection)  # of every app: what depends on it went back too
        executor.migrate(executor.loader.graph.leaf_nodes())
    for row in made:
        found = Certificate.objects.get(pk=row.pk)
        assert found.digest == row.digest == hashlib.sha256(row.body.encode()).hexdigest()
        assert Certificate.objects.numbered(row.number) == found
