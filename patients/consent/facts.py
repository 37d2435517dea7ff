"""The facts of a case's status that signatures give (patients/cases/status.py)."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from patients.cases.facts import facts
from patients.cases.models import Case
from patients.cases.status import Consent
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import may_start_from


def _consent(signature: Signature) -> Consent:
    return Consent(signature.signed_at, may_start_from(signature))


@facts("storage")
def storage_of(cases: Sequence[Case]) -> Mapping[UUID, Consent]:
    """Return the consents in force to keep what was brought."""
    rows = Signature.objects.in_force().filter(case__in=cases, text__kind=ConsentText.Kind.STORAGE)
    return {row.case_id: _consent(row) for row in rows}


@facts("consent")
def consent_of(cases: Sequence[Case]) -> Mapping[UUID, Consent]:
    """Return the consents in force to the map that is locked now."""
    rows = Signature.objects.in_force().filter(
        case__in=cases, text__kind=ConsentText.Kind.PROCEDURE, map__unlocked_at__isnull=True
    )
    return {row.case_id: _consent(row) for row in rows}
