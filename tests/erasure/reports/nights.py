"""Rows of nights and cases for the tests of reports, which read columns only: nothing is uploaded."""

from datetime import datetime, timedelta
from itertools import count

from django.db import transaction

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.record import Act, record
from clinic.calendar.models import Booking, Resource
from erasure.procedures.models import Procedure
from erasure.runs.models import Run, Step
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.memories.models import LockedMap, Memory
from tests.factories import make_text, make_user

_numbers = count(1)


def make_case_row(opened_at: datetime, *, invited_at: datetime | None = None, **fields: object) -> Case:
    """A case without a key. invited_at: when its patient was invited."""
    patient = make_user(Role.PATIENT)
    if invited_at:
        Invitation.objects.create(
            email=patient.email,
            name=patient.name,
            role=Role.PATIENT,
            token_digest=f"{next(_numbers)}",
            created_at=invited_at,
            expires_at=invited_at + timedelta(days=14),
            used_at=opened_at,
            used_by=patient,
        )
    return Case.objects.create(
        patient=patient, reference=f"report-{next(_numbers)}", opened_at=opened_at, **fields
    )


def sign_for_procedure(case: Case, by: User, at: datetime, **fields: object) -> Signature:
    """The map of a case, locked and signed for at the same moment."""
    mapped = LockedMap.objects.create(case=case, version=1, digest="", body={}, locked_by=by, locked_at=at)
    text = make_text(ConsentText.Kind.PROCEDURE)
    return Signature.objects.create(
        case=case,
        text=text,
        text_digest=text.digest,
        map=mapped,
        signed_by=case.patient,
        signed_at=at,
        **fields,
    )


def book_night(
    signature: Signature, at: datetime, resources: list[Resource], state: str = Procedure.State.BOOKED
) -> Procedure:
    """A night of eight hours for a signed map."""
    assert signature.map is not None
    booking = Booking.objects.create(
        kind=Booking.Kind.ERASURE,
        starts_at=at,
        ends_at=at + timedelta(hours=8),
        made_by=signature.map.locked_by,
    )
    booking.resources.set(resources)
    return Procedure.objects.create(
        case=signature.case,
        map=signature.map,
        consent=signature,
        booking=booking,
        place=Procedure.Place.CLINIC,
        state=state,
        pace_seconds=0,
        booked_by=signature.map.locked_by,
    )


def finish_night(procedure: Procedure, at: datetime, outcome: str, states: list[tuple[str, str]]) -> Run:
    """The run of a procedure, which ended at `at`. states: for each step its state, and why it was spared."""
    run = Run.objects.create(
        procedure=procedure,
        state=Run.State.FINISHED,
        outcome=outcome,
        expected_steps=len(states),
        started_at=procedure.booking.starts_at,
        finished_at=at,
        presence_minutes=0,
        presence_grace_seconds=0,
        presence_strength=0,
        call_again_seconds=0,
        call_escalate_seconds=0,
    )
    for position, (state, why_spared) in enumerate(states):
        memory = Memory.objects.create(case=procedure.case, intensity=5)
        with transaction.atomic():
            (entry,) = record(Act("memory.destroyed", f"memory:{memory.pk}", actor="system:worker"))
        Step.objects.create(
            run=run,
            memory=memory,
            position=position,
            state=state,
            spared_because=why_spared,
            done_at=at,
            entry=entry if state == Step.State.DESTROYED else None,
        )
    return run
