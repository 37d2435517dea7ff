"""verify_log compares signatures and locked maps with the audit log."""

from uuid import uuid4

import pytest
from django.utils import timezone

from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import sign, withdraw
from patients.maps.locking import lock_map
from patients.memories.models import LockedMap
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signature() -> Signature:
    """A consent to a procedure on a locked map."""
    case = make_case()
    for day in range(1, 4):
        make_keepsake(make_memory(case, f"Day {day}", f"2003-02-0{day}"))
    mapped = lock_map(case, by=make_doctor())
    text = make_text()
    kind = ConsentText.Kind.PROCEDURE
    made = sign(case, kind=kind, by=case.patient, text_seen=text.digest, map_seen=mapped.digest)
    assert verify_log().problems == []
    return made


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("may_extend", {"may_extend": True}),
        ("map", {"map_digest": "0" * 64}),
        ("text", {"text_digest": "0" * 64}),
    ],
)
def test_a_changed_signature_is_reported(signature: Signature, field: str, change: dict[str, object]) -> None:
    Signature.objects.filter(pk=signature.pk).update(**change)
    entry = Entry.objects.get(action="consent.signed")
    assert verify_log().problems == [
        f"Signature {signature.pk} is not as the log says (entry {entry.index}): {field}."
    ]


def test_an_undone_or_invented_withdrawal_is_reported(signature: Signature) -> None:
    Signature.objects.filter(pk=signature.pk).update(withdrawn_at=timezone.now())
    (problem,) = verify_log().problems
    assert problem.endswith(": withdrawn.")
    Signature.objects.filter(pk=signature.pk).update(withdrawn_at=None)
    withdraw(signature.case, by=signature.case.patient)
    assert verify_log().problems == []
    Signature.objects.filter(case=signature.case).update(withdrawn_at=None)
    assert any(problem.startswith(f"Signature {signature.pk} is not") for problem in verify_log().problems)


def test_an_added_or_removed_signature_is_reported(signature: Signature) -> None:
    entry, pk = Entry.objects.get(action="consent.signed"), signature.pk
    signature.delete()
    removed = f"Signature {pk}: entry {entry.index} speaks of it, and it is no longer there."
    assert verify_log().problems == [removed]
    signature.pk = uuid4()
    signature.save(force_insert=True)
    assert f"Signature {signature.pk}: the log says nothing of it." in verify_log().problems


def test_a_changed_map_is_reported(signature: Signature) -> None:
    mapped = LockedMap.objects.get()
    entry = Entry.objects.get(action="map.locked")
    LockedMap.objects.update(body={**mapped.body, "memories": []})
    assert verify_log().problems == [f"Map {mapped.pk} is not as the log says (entry {entry.index}): body."]
    LockedMap.objects.update(body=mapped.body, digest="0" * 64)
    assert verify_log().problems == [f"Map {mapped.pk} is not as the log says (entry {entry.index}): digest."]
