"""Signs exactly what a page showed, and keeps the paper of it."""

import dataclasses
import hashlib
import hmac

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.configuration.values import value_of
from patients.cases.models import Case
from patients.cases.subjects import comparable
from patients.consent.cooling_off import cooling_off_on
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import CannotSign, sign, text_with_digest
from patients.consent_papers.configuration import CONSENT_WITNESSES
from patients.consent_papers.consent_list import ConsentList, list_of
from patients.consent_papers.models import ConsentPaper
from patients.consent_papers.paper import Signing, render_paper
from patients.memories.models import LockedMap
from patients.vault.keys import KeyGone


@dataclasses.dataclass(frozen=True)
class Seen:
    """What the page showed: digests of the text, the map and the list. hours: `CoolingOff.mark`.

    For a consent to keep what is brought, only the text.
    """

    text: str
    map: str = ""
    list: str = ""
    hours: str | None = None


def locked_map_of(case: Case) -> LockedMap | None:
    """Return the map of a case as it is locked now; None if it is open."""
    return LockedMap.objects.filter(case=case, unlocked_at__isnull=True).first()


def sign_what_was_shown(
    case: Case, *, by: User, kind: str, seen: Seen, name: str, witness: str = "", may_extend: bool = False
) -> Signature:
    """Sign, make the paper and keep it; return the signature.

    name, witness: as they were typed; "" if there is no witness. Errors: CannotSign if `sign` refuses, if the
    list is not the one that the page showed, or if the clinic wants a witness and there is none.

    To make the paper takes a quarter of a second. So that happens before the transaction, which locks the
    audit log, and the list is compared once more under the lock of the case.
    """
    signing = _signing_of(case, kind, seen, name, witness, may_extend=may_extend)
    if signing.listed and not signing.witness and value_of(CONSENT_WITNESSES):
        raise CannotSign(_("A witness signs with you. Please ask somebody who is with you."))
    pdf = render_paper(signing)
    key_ids = signing.listed.key_ids if signing.listed else {case.pk}
    with transaction.atomic():
        locked = Case.objects.select_for_update().get(pk=case.pk)
        if signing.listed:
            _check_list(_list_to_sign(locked)[0], seen.list)
        signature = sign(
            locked,
            by=by,
            kind=kind,
            text_seen=seen.text,
            map_seen=seen.map,
            hours_seen=seen.hours,
            may_extend=may_extend,
            list_digest=signing.listed.digest if signing.listed else "",
            paper_digest=hashlib.sha256(pdf).hexdigest(),
            witnessed=bool(signing.listed and witness),
        )
        paper = ConsentPaper(signature=signature)
        paper.write(pdf, key_ids)
        paper.save(force_insert=True)
    return signature


def _signing_of(case: Case, kind: str, seen: Seen, name: str, witness: str, *, may_extend: bool) -> Signing:
    """Return what would be signed now. Errors: CannotSign if that is not what the page showed."""
    text = text_with_digest(kind, seen.text)
    signing = Signing(case=case, text=text, name=name, at=timezone.now())
    if kind != ConsentText.Kind.PROCEDURE:
        return signing
    listed, locked_map = _list_to_sign(case)
    _check_list(listed, seen.list)
    return dataclasses.replace(
        signing,
        listed=listed,
        cooling_off=cooling_off_on(timezone.localdate()),
        map_version=locked_map.version,
        may_extend=may_extend,
        witness=witness,
    )


def _list_to_sign(case: Case) -> tuple[ConsentList, LockedMap]:
    """Return the list of a case as it is now, and the map it is of. Errors: CannotSign if none is locked."""
    locked_map = locked_map_of(case)
    if locked_map is None:
        raise CannotSign(_("There is no locked map to agree to."))
    try:
        return list_of(case, locked_map), locked_map
    except KeyGone as error:
        raise CannotSign(_("Something on your map is destroyed already.")) from error


def _check_list(listed: ConsentList, seen: str) -> None:
    """Compare a list with the digest of the one that the page showed. Errors: CannotSign."""
    if not hmac.compare_digest(listed.digest.encode(), seen.encode()):
        raise CannotSign(_("The map has changed since you opened this page. Please look at it again."))


def may_witness(name: str, case: Case) -> bool:
    """Return whether somebody of this name may be the witness: neither the patient nor the subject."""
    names = {comparable(case.patient.name), comparable(case.read().subject_name)} - {""}
    return comparable(name) not in names
