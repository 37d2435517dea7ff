"""Signing and withdrawing consent: who may, what exactly is signed, and what changes."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone, translation

from clinic.accounts.models import Role, User
from clinic.audit.models import Entry
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import (
    CannotSign,
    agreed_to_keep,
    current_text,
    may_start_from,
    sign,
    text_digest,
    withdraw,
)
from patients.maps.locking import lock_map, unlock_map
from patients.memories.models import LockedMap
from tests.configuration import configure
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_procedure,
    make_signed,
    make_text,
    make_user,
)

pytestmark = pytest.mark.django_db

STORAGE, PROCEDURE = ConsentText.Kind.STORAGE, ConsentText.Kind.PROCEDURE
CHANGED = "The text has changed since you opened this page. Please read it again."
MAP_CHANGED = "The map has changed since you opened this page. Please look at it again."


def make_mappable() -> Case:
    case = make_case()
    make_keepsake(make_memory(case))
    return case


def lock_and_refresh(case: Case) -> LockedMap:
    mapped = lock_map(case, by=make_user(Role.DOCTOR))
    case.refresh_from_db()
    return mapped


def sign_procedure(case: Case, mapped: LockedMap | None, *, by: User | None = None) -> Signature:
    return sign(
        case,
        by=by or case.patient,
        kind=PROCEDURE,
        text_seen=make_text().digest,
        map_seen=mapped.digest if mapped else "",
    )


def sign_storage(case: Case, version: int = 1) -> Signature:
    return sign(case, by=case.patient, kind=STORAGE, text_seen=make_text(STORAGE, version).digest)


def stage_of(case: Case) -> str:
    return Case.objects.values_list("stage", flat=True).get(pk=case.pk)


@pytest.mark.parametrize("role", [Role.PATIENT, Role.DOCTOR, Role.ADMINISTRATOR])
def test_only_the_patient_signs(role: str) -> None:
    case = make_mappable()
    mapped = lock_and_refresh(case)
    with pytest.raises(CannotSign, match=r"^Only the patient can sign\.$"):
        sign_procedure(case, mapped, by=make_user(role))
    assert not Signature.objects.filter(map=mapped).exists()
    assert stage_of(case) == Case.Stage.MAPPED
    assert not Entry.objects.filter(action="consent.signed").exists()


def test_an_older_version_of_the_text_cannot_be_signed() -> None:
    case = make_mappable()
    mapped = lock_and_refresh(case)
    old, new = make_text(PROCEDURE, 1), make_text(PROCEDURE, 2)
    with pytest.raises(CannotSign) as refusal:
        sign(case, by=case.patient, kind=PROCEDURE, text_seen=old.digest, map_seen=mapped.digest)
    assert str(refusal.value) == CHANGED
    assert not Signature.objects.filter(map=mapped).exists()
    signed = sign(case, by=case.patient, kind=PROCEDURE, text_seen=new.digest, map_seen=mapped.digest)
    assert (signed.text, signed.text_digest) == (new, new.digest)


def test_a_newer_version_of_the_storage_text_does_not_matter_for_the_procedure() -> None:
    case = make_mappable()
    make_text(STORAGE, 2)
    assert sign_procedure(case, lock_and_refresh(case)).text == make_text(PROCEDURE, 1)


def test_a_new_signature_supersedes_the_earlier_one_of_its_kind_and_case() -> None:
    case, other = make_mappable(), make_mappable()
    make_signed(other)
    mapped, first = make_signed(case)
    kept = Signature.objects.get(case=case, text__kind=STORAGE)
    second = sign_procedure(case, mapped)
    first.refresh_from_db()
    assert first.superseded_at == pytest.approx(second.signed_at, abs=timedelta(seconds=60))
    assert set(Signature.objects.in_force().filter(case=case)) == {kept, second}
    assert Signature.objects.in_force().filter(case=other).count() == 2


def test_signing_for_storage_again_leaves_one_in_force() -> None:
    case = make_case()
    first = Signature.objects.get(case=case)
    second = sign_storage(case, version=2)
    assert list(Signature.objects.in_force().filter(case=case)) == [second]
    first.refresh_from_db()
    assert (first.in_force, second.in_force) == (False, True)


def test_signing_changes_the_stage_of_this_case_only() -> None:
    case, other = make_mappable(), make_mappable()
    mapped, its_map = lock_and_refresh(case), lock_and_refresh(other)
    assert sign_procedure(case, mapped).map == mapped
    assert (stage_of(case), stage_of(other)) == (Case.Stage.CONSENTED, Case.Stage.MAPPED)
    assert sign_procedure(other, its_map).map == its_map


def test_without_a_locked_map_the_procedure_cannot_be_signed() -> None:
    case = make_mappable()
    with pytest.raises(CannotSign, match=r"^There is no locked map to agree to\.$"):
        sign_procedure(case, None)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.MAPPED)
    with pytest.raises(CannotSign) as refusal:
        sign_procedure(case, None)
    assert str(refusal.value) == MAP_CHANGED


def test_a_consent_cannot_be_replaced_once_a_procedure_is_booked() -> None:
    case = make_mappable()
    procedure = make_procedure(case)
    with pytest.raises(CannotSign, match=r"^There is no locked map to agree to\.$"):
        sign_procedure(case, procedure.map)
    assert Signature.objects.get(pk=procedure.consent_id).in_force


def test_an_unlocked_map_cannot_be_signed() -> None:
    case = make_mappable()
    before = lock_and_refresh(case)
    unlock_map(case, by=make_doctor())
    case.refresh_from_db()
    make_keepsake(make_memory(case, "Another day"))
    now = lock_and_refresh(case)
    # An old map whose key sorts first: a query that forgets `unlocked_at` would find this one.
    LockedMap.objects.create(
        pk=UUID(int=0),
        case=case,
        version=9,
        digest=before.digest,
        body=before.body,
        locked_by=before.locked_by,
        unlocked_at=timezone.now(),
    )
    with pytest.raises(CannotSign) as refusal:
        sign_procedure(case, before)
    assert str(refusal.value) == MAP_CHANGED
    assert sign_procedure(case, now).map == now


def test_may_extend_applies_to_the_procedure_consent_only() -> None:
    case = make_case()
    text = make_text(STORAGE)
    signed = sign(case, by=case.patient, kind=STORAGE, text_seen=text.digest, may_extend=True)
    assert (signed.map, signed.map_digest, signed.may_extend) == (None, "", False)


def test_only_the_patient_withdraws() -> None:
    case = make_mappable()
    make_signed(case)
    for other in (make_user(Role.PATIENT), make_doctor()):
        with pytest.raises(CannotSign, match=r"^Only the patient can withdraw their consent\.$"):
            withdraw(case, by=other)
    assert Signature.objects.in_force().filter(case=case).count() == 2
    assert stage_of(case) == Case.Stage.CONSENTED


def test_withdrawing_ends_every_consent_of_this_case_only() -> None:
    case, other = make_mappable(), make_mappable()
    make_signed(case)
    make_signed(other)
    withdraw(case, by=case.patient)
    assert not Signature.objects.in_force().filter(case=case).exists()
    assert Signature.objects.in_force().filter(case=other).count() == 2
    assert (stage_of(case), stage_of(other)) == (Case.Stage.WITHDRAWN, Case.Stage.CONSENTED)


def test_withdrawing_twice_changes_nothing() -> None:
    case = make_mappable()
    make_signed(case)
    withdraw(case, by=case.patient)
    moments = set(Signature.objects.values_list("withdrawn_at", flat=True))
    closed_at = Case.objects.get(pk=case.pk).closed_at
    withdraw(case, by=case.patient)
    assert set(Signature.objects.values_list("withdrawn_at", flat=True)) == moments
    assert Case.objects.get(pk=case.pk).closed_at == closed_at
    assert Entry.objects.filter(action="consent.withdrawn").count() == 2


def test_consents_of_a_closed_case_cannot_be_withdrawn() -> None:
    case = make_mappable()
    make_signed(case)
    Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
    withdraw(case, by=case.patient)
    assert Signature.objects.in_force().filter(case=case).count() == 2
    assert stage_of(case) == Case.Stage.CLOSED


def test_without_a_consent_there_is_nothing_to_withdraw() -> None:
    case = make_case(agreed=False)
    withdraw(case, by=case.patient)
    assert stage_of(case) == Case.Stage.BRINGING
    assert Case.objects.get(pk=case.pk).closed_at is None


def test_agreed_to_keep_depends_on_the_storage_consent_of_this_case() -> None:
    agreed, silent = make_case(), make_case(agreed=False)
    assert (agreed_to_keep(agreed), agreed_to_keep(silent)) == (True, False)
    make_keepsake(make_memory(silent))
    make_signed(silent)
    assert not agreed_to_keep(silent), "the consent to the procedure is another one"
    withdraw(agreed, by=agreed.patient)
    assert not agreed_to_keep(agreed)


@pytest.mark.parametrize("ended", ["withdrawn_at", "superseded_at"])
def test_a_signature_is_in_force_until_it_is_withdrawn_or_superseded(ended: str) -> None:
    signature = Signature.objects.get(case=make_case())
    assert signature.in_force
    assert Signature.objects.in_force().get() == signature
    Signature.objects.update(**{ended: timezone.now()})
    signature.refresh_from_db()
    assert not signature.in_force
    assert not Signature.objects.in_force().exists()


def publish(version: int, language: str) -> ConsentText:
    body = f"Version {version} in {language}."
    return ConsentText.objects.create(
        kind=STORAGE, version=version, language=language, body=body, digest=text_digest(body)
    )


def test_the_newest_text_is_shown_in_the_readers_language_or_in_english() -> None:
    for version in (7, 8):
        english, vietnamese = publish(version, "en"), publish(version, "vi")
    with translation.override("vi"):
        assert current_text(STORAGE) == vietnamese
        assert current_text(STORAGE, "en-us") == english
    with translation.override("en"):
        assert current_text(STORAGE) == english
        assert current_text(STORAGE, "vi") == vietnamese
    with translation.override(None, deactivate=True):
        assert current_text(STORAGE) == english
    newest = publish(9, "en")
    assert current_text(STORAGE, "vi") == newest


def test_the_cooling_off_period_begins_with_the_signature() -> None:
    configure(cooling_off_hours=72)
    case = make_case()
    make_memory(case)
    _mapped, signature = make_signed(case)
    assert may_start_from(signature) == signature.signed_at + timedelta(hours=72)
