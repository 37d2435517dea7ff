"""Signs and withdraws consent."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.outgoing.queue import cancel, cancel_events_of, queue
from clinic.outgoing.recipients import to_patient
from patients.cases.models import Case
from patients.consent.cooling_off import cooling_off_on
from patients.consent.models import ConsentText, Signature
from patients.drafts.writing import end_drafts_of_case
from patients.intake_review.reviewing import FAULTS_FOR_PATIENT, fault_of_review
from patients.memories.map_content import map_body, map_digest
from patients.memories.models import LockedMap

# Functions that `withdraw` calls inside its transaction, before it changes a signature. Other apps add
# theirs: erasure stops the run (erasure/apps.py).
on_withdrawal: list[Callable[..., None]] = []


class CannotSign(Exception):
    """Signing or withdrawing is not possible; the message says why."""


def text_digest(body: str) -> str:
    """Return the SHA-256 (hex) of a text in UTF-8."""
    return hashlib.sha256(body.encode()).hexdigest()


def current_text(kind: str, language: str = "") -> ConsentText:
    """Return the newest text, in `language` (default: the active one) or else in English.

    Errors: ConsentText.DoesNotExist if no text of this kind is published.
    """
    texts = ConsentText.objects.filter(kind=kind).order_by("-version")
    newest = texts[:1].get().version
    translated = texts.filter(version=newest, language=(language or get_language() or "en")[:2]).first()
    return translated or texts.get(version=newest, language="en")


def text_with_digest(kind: str, digest: str) -> ConsentText:
    """Return the text of this kind with this digest. Errors: CannotSign if it is not the newest."""
    texts = ConsentText.objects.filter(kind=kind).order_by("-version")
    text = texts.filter(digest=digest).first()
    if text is None or text.version != texts.values_list("version", flat=True).first():
        raise CannotSign(_("The text has changed since you opened this page. Please read it again."))
    return text


def agreed_to_keep(case: Case) -> bool:
    """Return whether the patient's consent to store keepsakes is in force."""
    return Signature.objects.in_force().filter(case=case, text__kind=ConsentText.Kind.STORAGE).exists()


@transaction.atomic
def sign(
    case: Case,
    *,
    by: User,
    kind: str,
    text_seen: str,
    map_seen: str = "",
    hours_seen: str | None = None,
    may_extend: bool = False,
    list_digest: str = "",
    paper_digest: str = "",
    witnessed: bool = False,
) -> Signature:
    """Record that the patient agreed to the text and the map that the page showed; return the signature.

    text_seen, map_seen: their digests (SHA-256, hex). hours_seen: the mark of the time to think it over
    (`CoolingOff.mark`) that the page showed; None where no page was shown. may_extend, list_digest,
    paper_digest, witnessed: see Signature; who was shown a list signs by `sign_what_was_shown`
    (patients/consent_papers/signing.py). Errors: CannotSign if one of the three has changed since the page
    was shown, if `by` is not the patient, or if no review of the intake clears the patient.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if by.pk != locked.patient_id:
        raise CannotSign(_("Only the patient can sign."))
    text = text_with_digest(kind, text_seen)
    locked_map, hours, season = None, 0.0, None
    if kind == ConsentText.Kind.PROCEDURE:
        if locked.stage not in {Case.Stage.MAPPED, Case.Stage.CONSENTED}:
            raise CannotSign(_("There is no locked map to agree to."))
        locked_map = LockedMap.objects.filter(case=locked, unlocked_at__isnull=True).first()
        if locked_map is None or not hmac.compare_digest(locked_map.digest, map_seen):
            raise CannotSign(_("The map has changed since you opened this page. Please look at it again."))
        if map_digest(map_body(locked)) != locked_map.digest:
            raise CannotSign(
                _("Your memories are no longer those on the locked map. It is locked again first.")
            )
        if fault := fault_of_review(locked, needed=locked_map.needs_review):
            raise CannotSign(str(FAULTS_FOR_PATIENT[fault]))
        now = cooling_off_on(timezone.localdate())
        if hours_seen is not None and hours_seen != now.mark:
            raise CannotSign(
                _("The time to think it over has changed since you opened this page. Please read it again.")
            )
        hours, season = now.hours, now.season
    Signature.objects.in_force().filter(case=locked, text__kind=kind).update(superseded_at=timezone.now())
    signature = Signature.objects.create(
        case=locked,
        text=text,
        text_digest=text.digest,
        map=locked_map,
        map_digest=locked_map.digest if locked_map else "",
        may_extend=may_extend and locked_map is not None,
        list_digest=list_digest,
        paper_digest=paper_digest,
        witnessed=witnessed,
        cooling_off_hours=hours,
        season=season,
        season_name=season.name if season else "",
        signed_by=by,
    )
    # The database's clock, because the same clock decides when the cooling-off period is over.
    Signature.objects.filter(pk=signature.pk).update(signed_at=Now())
    signature.refresh_from_db(fields=["signed_at"])
    if locked_map:
        Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.CONSENTED)
        cancel(f"map:{locked_map.pk}", "map-ready")  # it asks for this signature
    patient = to_patient(by)
    queue("consent-signed", f"signature:{signature.pk}", to=[patient], version=1, case=locked.pk)
    record(
        Act(
            "consent.signed",
            f"signature:{signature.pk}",
            actor=actor_of(by),
            case=locked.pk,
            details={
                "kind": str(kind),
                "version": text.version,
                "text": text.digest,
                "map": signature.map_digest,
                "may_extend": signature.may_extend,
                "cooling_off_minutes": round(signature.cooling_off_hours * 60),
                **({"season": season.pk} if season else {}),
                **({"list": list_digest} if list_digest else {}),
                **({"paper": paper_digest} if paper_digest else {}),
                **({"witnessed": True} if witnessed else {}),
            },
        )
    )
    return signature


@transaction.atomic
def withdraw(case: Case, *, by: User) -> None:
    """Withdraw every consent of a case. Possible at any time until the last key is destroyed.

    A run in progress stops before its next pass; what is erased by then stays erased. Withdrawing twice
    changes nothing. Errors: CannotSign if `by` is not the patient.
    """
    if by.pk != case.patient_id:
        raise CannotSign(_("Only the patient can withdraw their consent."))
    for stop in on_withdrawal:
        stop(case, by=by)
    locked = Case.objects.select_for_update().get(pk=case.pk)
    in_force = Signature.objects.in_force().filter(case=locked)
    ids = list(in_force.values_list("pk", flat=True))
    if not ids or locked.stage == Case.Stage.CLOSED:
        return
    now = timezone.now()
    in_force.update(withdrawn_at=now)
    Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.WITHDRAWN, closed_at=now)
    end_drafts_of_case(locked.pk)
    cancel_events_of(locked.pk, "map-ready", "consent-signed", "keepsake-returned")
    queue("consent-withdrawn", f"case:{locked.pk}", to=[to_patient(by)], case=locked.pk)
    record(*(Act("consent.withdrawn", f"signature:{pk}", actor=actor_of(by), case=locked.pk) for pk in ids))


def may_start_from(signature: Signature) -> datetime:
    """Return when the cooling-off period ends under which the patient signed."""
    return signature.signed_at + timedelta(hours=signature.cooling_off_hours)
