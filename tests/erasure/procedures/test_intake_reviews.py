"""Locking a map, signing, booking and starting wait for a review of the intake that clears the patient."""

from importlib import import_module

import pytest
from django.conf import settings
from django.db.models import BooleanField
from django.test import Client

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from erasure.procedures.booking import CannotBook
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import CannotStart, start_run
from patients.cases.facts import status_of
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import CannotSign, sign
from patients.intake_review.models import IntakeReview
from patients.intake_review.reviewing import CannotReview
from patients.maps.locking import CannotLock, lock_map, unlock_map
from patients.memories.models import LockedMap
from tests.erasure.procedures.test_booking import book
from tests.factories import (
    make_case,
    make_doctor,
    make_keepsake,
    make_memory,
    make_procedure,
    make_signed,
    make_text,
    make_user,
    publish_first_texts,
    review_intake,
)
from tests.patients.intake_review.answering import answer
from tests.schema import Schema
from tests.threads import at_once

pytestmark = pytest.mark.django_db

NOT_CLEARED = "The doctor has not cleared the patient."
CONDITIONS = "No sedative; wake her gently."


def make_mappable(*, reviewed: bool = True) -> Case:
    case = make_case(reviewed=reviewed)
    make_keepsake(make_memory(case))
    return case


def refuse_clearance(case: Case) -> None:
    review_intake(Case.objects.get(pk=case.pk), "not_cleared", "Not now.")


def sign_map(case: Case, mapped: LockedMap) -> Signature:
    kind = ConsentText.Kind.PROCEDURE
    return sign(case, by=case.patient, kind=kind, text_seen=make_text().digest, map_seen=mapped.digest)


def test_the_lock_waits_for_a_review_that_clears() -> None:
    case, doctor = make_mappable(reviewed=False), make_doctor()
    for outcome, sentence in [
        (None, "A doctor has not reviewed the intake yet."),
        (IntakeReview.Outcome.NOT_CLEARED, NOT_CLEARED),
    ]:
        if outcome:
            review_intake(case, outcome, "Not now.")
        with pytest.raises(CannotLock) as refusal:
            lock_map(case, by=doctor)
        assert refusal.value.obstacles == [sentence]
        assert not status_of(case).allows("lock")
    review_intake(case, IntakeReview.Outcome.CONDITIONS, CONDITIONS)
    case = answer(case, allergy="yes")
    with pytest.raises(CannotLock, match="has changed answers"):
        lock_map(case, by=doctor)
    review_intake(case, IntakeReview.Outcome.CONDITIONS, CONDITIONS)
    assert lock_map(case, by=doctor).needs_review


def test_a_signature_waits_for_a_review_that_clears() -> None:
    case = make_mappable()
    mapped = lock_map(case, by=make_doctor())
    refuse_clearance(case)
    case.refresh_from_db()
    with pytest.raises(CannotSign, match="would like to talk to you"):
        sign_map(case, mapped)
    IntakeReview.objects.all().delete()
    with pytest.raises(CannotSign, match="A doctor reads your answers first"):
        sign_map(case, mapped)
    assert not case.signatures.filter(map=mapped).exists()
    review_intake(case)
    assert sign_map(case, mapped).in_force


def test_a_booking_waits_for_a_review_that_clears() -> None:
    case = make_mappable()
    make_signed(case)
    refuse_clearance(case)
    with pytest.raises(CannotBook, match=NOT_CLEARED):
        book(case)
    assert not Procedure.objects.exists()
    review_intake(case)
    assert book(case).state == Procedure.State.BOOKED


def test_a_start_waits_for_a_review_that_clears_and_the_board_says_so() -> None:
    procedure = make_procedure(make_mappable())
    refuse_clearance(procedure.case)
    case = Case.objects.get(pk=procedure.case_id)
    with pytest.raises(CannotStart, match=NOT_CLEARED):
        start_run(procedure.pk, by=None)
    status = status_of(case)
    assert status.night is not None
    assert (status.night.fault, status.allows("start")) == ("not-cleared", False)
    assert not Run.objects.exists()
    review_intake(case)
    assert status_of(case).allows("start")
    assert start_run(procedure.pk, by=None).expected_steps == 1


def test_a_map_that_was_locked_before_there_were_reviews_stays_valid_until_it_is_opened() -> None:
    case, doctor = make_mappable(), make_doctor()
    mapped = lock_map(case, by=doctor)
    # As an earlier release left it: no review, and a map and an entry that do not know of any.
    IntakeReview.objects.all().delete()
    LockedMap.objects.update(needs_review=False)
    case.refresh_from_db()
    assert status_of(case).allows("sign")
    sign_map(case, mapped)
    procedure = book(Case.objects.get(pk=case.pk), hours=0)
    run = start_run(procedure.pk, by=None)
    assert run.expected_steps == 1
    other = make_mappable()
    lock_map(other, by=doctor)
    LockedMap.objects.filter(case=other).update(needs_review=False)
    refuse_clearance(other)
    other.refresh_from_db()
    with pytest.raises(CannotSign):  # a doctor's no counts for such a map too
        sign_map(other, LockedMap.objects.get(case=other))
    IntakeReview.objects.filter(case=other).delete()
    unlock_map(other, by=doctor)
    other.refresh_from_db()
    with pytest.raises(CannotLock, match="has not reviewed the intake yet"):
        lock_map(other, by=doctor)


def test_verifying_the_log_reports_a_map_that_no_longer_needs_a_review() -> None:
    mapped = lock_map(make_mappable(), by=make_doctor())
    assert verify_log().problems == []
    LockedMap.objects.filter(pk=mapped.pk).update(needs_review=False)
    entry = Entry.objects.get(action="map.locked")
    assert verify_log().problems == [
        f"Map {mapped.pk} is not as the log says (entry {entry.index}): needs review."
    ]


def test_the_migration_leaves_what_was_locked_before_without_a_review() -> None:
    migration = import_module("patients.migrations.0011_intake_reviews").Migration
    added, altered, _created = migration.operations
    defaults = []
    for operation in (added, altered):
        assert (operation.model_name, operation.name) == ("lockedmap", "needs_review")
        assert isinstance(operation.field, BooleanField)
        defaults.append(operation.field.default)
    # The first default is for existing rows, the second for new ones.
    assert defaults == [False, True]


@pytest.mark.django_db(transaction=True)
def test_the_migration_lets_a_map_locked_before_it_be_signed_without_a_review(schema: Schema) -> None:
    case = make_mappable()
    lock_map(case, by=make_doctor())
    before = import_module("patients.migrations.0011_intake_reviews").Migration.dependencies[0][1]
    schema.undo_after(("patients", before))
    schema.redo()
    assert not LockedMap.objects.get(case=case).needs_review
    assert not IntakeReview.objects.exists()
    case.refresh_from_db()
    assert status_of(case).allows("sign")


@pytest.mark.django_db(transaction=True)
def test_a_start_and_a_refusal_at_the_same_moment_never_both_count() -> None:
    procedure = make_procedure(make_mappable())
    case = procedure.case
    review_intake(case)  # makes the doctor who refuses below
    _done, refused = at_once(
        lambda: start_run(procedure.pk, by=None),
        lambda: refuse_clearance(case),
        refusal=(CannotStart, CannotReview),  # type: ignore[arg-type]
    )
    assert len(refused) == 1
    assert Run.objects.exists() == isinstance(refused[0], CannotReview)


def test_conditions_are_shown_to_the_doctor_and_the_patient_and_not_to_an_auditor(client: Client) -> None:
    publish_first_texts()
    case = make_mappable(reviewed=False)
    review_intake(case, IntakeReview.Outcome.CONDITIONS, CONDITIONS)
    doctor = make_doctor()
    client.force_login(doctor)
    patient = Client()
    patient.force_login(case.patient, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert CONDITIONS in client.get(f"/files/{case.pk}/map/").content.decode()
    assert CONDITIONS in client.get(f"/files/{case.pk}/").content.decode()
    procedure = make_procedure(case)
    assert CONDITIONS in patient.get("/me/consent/").content.decode()
    assert CONDITIONS in client.get(f"/procedures/{procedure.pk}/start/").content.decode()
    run = start_run(procedure.pk, by=None)
    for reader in (client, patient):
        assert CONDITIONS in reader.get(f"/sessions/{run.pk}/").content.decode()
    auditor = Client()
    auditor.force_login(make_user(Role.AUDITOR), backend=settings.AUTHENTICATION_BACKENDS[0])
    assert CONDITIONS not in auditor.get(f"/sessions/{run.pk}/").content.decode()
    assert CONDITIONS not in auditor.get(f"/files/{case.pk}/").content.decode()


def test_the_patient_reads_what_they_wait_for() -> None:
    publish_first_texts()
    case = make_mappable()
    lock_map(case, by=make_doctor())
    refuse_clearance(case)
    patient = Client()
    patient.force_login(case.patient, backend=settings.AUTHENTICATION_BACKENDS[0])
    page = patient.get("/me/consent/").content.decode()
    assert "Our doctor would like to talk to you before you sign." in page
    assert "/me/consent/sign/" not in page
    portal = patient.get("/me/").content.decode()
    assert "Our doctor would like to talk to you before we go on." in portal
