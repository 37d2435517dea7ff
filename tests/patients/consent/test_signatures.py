"""The database allows at most one storage consent in force for each case."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from tests.factories import make_case, make_text
from tests.schema import Schema

BEFORE = [("patients", "0005_held_keys")]
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def sign_storage_consent(case: Case) -> Signature:
    text = make_text(ConsentText.Kind.STORAGE)
    return Signature.objects.create(case=case, text=text, text_digest=text.digest, signed_by=case.patient)


@pytest.mark.django_db
def test_a_second_storage_consent_in_force_is_refused() -> None:
    case = make_case()
    refusal = "one_storage_consent_in_force" if connection.vendor == "postgresql" else "signature.case_id"
    with pytest.raises(IntegrityError, match=refusal), transaction.atomic():
        sign_storage_consent(case)
    make_case()  # another case has its own


@pytest.mark.django_db
@pytest.mark.parametrize("ended", ["withdrawn_at", "superseded_at"])
def test_after_a_storage_consent_has_ended_there_may_be_a_new_one(ended: str) -> None:
    case = make_case()
    case.signatures.update(**{ended: timezone.now()})
    later = sign_storage_consent(case)
    assert list(case.signatures.in_force()) == [later]


@pytest.mark.django_db(transaction=True)
def test_the_migration_keeps_only_the_newest_storage_consent_in_force(schema: Schema) -> None:
    case, other = make_case(agreed=False), make_case()
    alone = other.signatures.get()
    signatures = schema.undo_after(*BEFORE).get_model("patients", "Signature").objects
    text = make_text(ConsentText.Kind.STORAGE)

    def signed(hours: int, **ended: datetime) -> object:
        at = NOON + timedelta(hours=hours)
        row = {"case_id": case.pk, "text_id": text.pk, "signed_by_id": case.patient_id, "signed_at": at}
        return signatures.create(text_digest=text.digest, **row, **ended).pk

    first, newest, second = signed(0), signed(2), signed(1)
    withdrawn = signed(3, withdrawn_at=NOON + timedelta(hours=4))
    superseded = signed(-2, superseded_at=NOON - timedelta(hours=1))
    schema.redo()
    assert set(Signature.objects.in_force()) == {Signature.objects.get(pk=newest), alone}
    found = dict(case.signatures.values_list("pk", "superseded_at"))
    assert found == {
        first: NOON + timedelta(hours=2),
        second: NOON + timedelta(hours=2),
        newest: None,
        withdrawn: None,
        superseded: NOON - timedelta(hours=1),
    }
