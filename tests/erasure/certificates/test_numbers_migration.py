"""The migration gives older certificates the numbers that are printed on their PDFs."""

import hashlib

import pytest

from erasure.certificates.models import Certificate
from tests.erasure.verification.ended import make_ended
from tests.schema import Schema

pytestmark = pytest.mark.django_db(transaction=True)

BEFORE = [("erasure", "0003_backups")]


def test_certificates_that_exist_already_get_their_numbers(
    monkeypatch: pytest.MonkeyPatch, schema: Schema
) -> None:
    made = [make_ended(monkeypatch).certificate for _number in range(2)]
    older = schema.undo_after(*BEFORE).get_model("erasure", "Certificate")
    assert not hasattr(older, "digest")
    assert {row.body for row in older.objects.all()} == {row.body for row in made}
    schema.redo()
    for row in made:
        found = Certificate.objects.get(pk=row.pk)
        assert found.digest == row.digest == hashlib.sha256(row.body.encode()).hexdigest()
        assert Certificate.objects.numbered(row.number) == found
