"""Signs and withdraws consent."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
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
    may_extend: bool = False,
) -> Signature:
    """Record that the patient agreed to the text and the map that the page showed; return the signature.

    text_seen, map_seen: their digests (SHA-256, hex). may_extend: see Signature. Errors: CannotSign if text
    or map has changed since the page was shown, or if `by` is not the patient.
    """
    locked = Case.objects.select_for_update().get(pk=case.pk)
    if by.pk != locked.patient_id:
        raise CannotSign(_("Only the patient can sign."))
    text = ConsentText.objects.filter(kind=kind, digest=text_seen).order_by("-version").first()
    newest = (
        ConsentText.objects.filter(kind=kind).order_by("-version").values_list("version", flat=True).first()
    )
    if text is None or text.version != newest:
        raise CannotSign(_("The text has changed since you opened this page. Please read it again."))
    locked_map = None
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
    Signature.objects.in_force().filter(case=locked, text__kind=kind).update(superseded_at=timezone.now())
    signature = Signature.objects.create(
        case=locked,
        text=text,
        text_digest=text.digest,
        map=locked_map,
        map_digest=locked_map.digest if locked_map else "",
        may_extend=may_extend and locked_map is not None,
        signed_by=by,
    )
    # The database's clock, because the same clock decides when the cooling-off period is over.
    Signature.objects.filter(pk=signature.pk).update(signed_at=Now())
    signature.refresh_from_db(fields=["signed_at"])
    if locked_map:
        Case.objects.filter(pk=locked.pk).update(stage=Case.Stage.CONSENTED)
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
    record(*(Act("consent.withdrawn", f"signature:{pk}", actor=actor_of(by), case=locked.pk) for pk in ids))


def may_start_from(signature: Signature) -> datetime:
    """Return when the cooling-off period ends (LACUNA_COOLING_OFF_HOURS after the signature)."""
    return signature.signed_at + timedelta(hours=settings.LACUNA_COOLING_OFF_HOURS)
