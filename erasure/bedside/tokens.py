"""The tokens of the page for the bed: who gets one, until when it is valid, and what ends it.

A night is one procedure; once it has begun it has a run. A token is valid until the certificate of the run
is issued. If the night never begins, the token is valid until the end of the booked hours. "End" means that a
person ends a token earlier.
"""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.access.policy import Pass, with_relation
from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.http.guard import is_valid_session_hash
from erasure.bedside.models import BedToken
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.run_actions import NotNow
from patients.cases.models import Case

BED_PAGE_KIND = "bed page"  # the name that rules of the policy have for this kind of pass
BED_PAGE = with_relation(BED_PAGE_KIND, "own")
COOKIE_PATH = "/bed/"  # browsers send the cookie only to URLs below this path
OPENS_EARLY = timedelta(hours=1)  # the page can be opened this long before the booked hours
# Longer than any night. It ends the token of a run that never gets a certificate.
MAX_TOKEN_AGE = timedelta(hours=36)
AUDIT_DETAILS = {"page": "bed"}  # in the audit entry of every action on the page for the bed
ISSUED_IN_SESSION = "bed_tokens"  # session key: the ids of the tokens that were issued in the session


def cookie_name() -> str:
    """Return the name of the cookie. Browsers accept the prefix `__Secure-` only over HTTPS."""
    return "__Secure-bed" if settings.SESSION_COOKIE_SECURE else "bed"


def digest_of(value: str) -> str:
    """Return the SHA-256 digest of a cookie's value, in hexadecimal, as `BedToken.digest` stores it."""
    return hashlib.sha256(value.encode()).hexdigest()


def _valid_in_database() -> "QuerySet[BedToken]":
    """Return the tokens that pass every check of validity that the database can make.

    A token is valid only if `_has_valid_session_hash` is true too.
    """
    now = timezone.now()
    not_begun = Q(procedure__state=Procedure.State.BOOKED, procedure__run__isnull=True)
    not_certified = Q(procedure__run__isnull=False, procedure__run__certificate__isnull=True)
    return (
        BedToken.objects.filter(
            (not_begun & Q(procedure__booking__ends_at__gt=now)) | not_certified,
            ended_at__isnull=True,
            opened_at__gt=now - MAX_TOKEN_AGE,
            user__is_active=True,
            procedure__case__patient=F("user"),
        )
        .exclude(procedure__case__stage=Case.Stage.WITHDRAWN)
        .select_related("user")
    )


def _has_valid_session_hash(token: BedToken) -> bool:
    """Return whether the owner's session hash is still the one that the token was issued with."""
    return is_valid_session_hash(token.user, token.session_hash)


def valid_token_ids(ids: Iterable[UUID]) -> set[UUID]:
    """Return those of `ids` whose tokens are valid now."""
    return {
        token.pk for token in _valid_in_database().filter(pk__in=set(ids)) if _has_valid_session_hash(token)
    }


def valid_tokens_of(procedure_id: UUID) -> list[BedToken]:
    """Return the tokens of a night that are valid now, oldest first."""
    return [
        token
        for token in _valid_in_database().filter(procedure=procedure_id)
        if _has_valid_session_hash(token)
    ]


def find_bed_pass(cookies: Mapping[str, str], kwargs: Mapping[str, Any]) -> Pass | None:
    """Return the pass of the valid token that `cookies` has for the procedure in `kwargs`, or None."""
    value, procedure = cookies.get(cookie_name(), ""), kwargs.get("procedure")
    if not value or not isinstance(procedure, UUID):
        return None
    token = _valid_in_database().filter(digest=digest_of(value), procedure=procedure).first()
    if token is None or not _has_valid_session_hash(token):
        return None
    return Pass(BED_PAGE_KIND, token.user, {"procedure": procedure}, frozenset({"own"}), token.pk)


def check_may_open(procedure: Procedure, user: User) -> None:
    """Check that `user` may open the page for the bed of a night now. Errors: NotNow, which says why not."""
    run = Run.objects.filter(procedure=procedure).first()
    if procedure.case.patient_id != user.pk or procedure.case.stage == Case.Stage.WITHDRAWN:
        raise NotNow(_("This night is not yours to watch."))
    if run is not None and hasattr(run, "certificate"):
        raise NotNow(_("This night is over."))
    if run is not None:
        return
    now, booking = timezone.now(), procedure.booking
    if procedure.state != Procedure.State.BOOKED or now >= booking.ends_at:
        raise NotNow(_("This night is over, or was canceled."))
    if now < booking.starts_at - OPENS_EARLY:
        raise NotNow(_("The page for the bed opens one hour before the night."))


@transaction.atomic
def issue_token(procedure_id: UUID, *, by: User) -> tuple[BedToken, str]:
    """Issue a token for the night of the patient `by`; return its row and the value of its cookie.

    Tokens issued earlier stay valid. Errors: NotNow, as of `check_may_open`.
    """
    procedure = (
        Procedure.objects.select_for_update(of=("self",))
        .select_related("booking", "case")
        .get(pk=procedure_id)
    )
    check_may_open(procedure, by)
    value = secrets.token_urlsafe(32)
    token = BedToken.objects.create(
        procedure=procedure, user=by, digest=digest_of(value), session_hash=by.get_session_auth_hash()
    )
    record(Act("bed.opened", f"procedure:{procedure.pk}", actor=actor_of(by), case=procedure.case_id))
    return token, value


@transaction.atomic
def end_tokens(tokens: "QuerySet[BedToken]", because: str, *, by: User) -> int:
    """End those of `tokens` that nobody has ended yet; return how many. Each gets an audit entry.

    because: a value of BedToken.Because.
    """
    rows = list(
        tokens.filter(ended_at__isnull=True).select_for_update(of=("self",)).select_related("procedure")
    )
    for row in rows:
        row.ended_at, row.ended_because, row.ended_by = timezone.now(), because, by
        row.save(update_fields=["ended_at", "ended_because", "ended_by"])
    record(
        *(
            Act(
                "bed.closed",
                f"procedure:{row.procedure_id}",
                actor=actor_of(by),
                case=row.procedure.case_id,
                details={"because": str(because)},
            )
            for row in rows
        )
    )
    return len(rows)


def set_cookie(response: HttpResponse, value: str) -> None:
    """Set the cookie with a token's value. Scripts cannot read it, and other sites cannot send it."""
    response.set_cookie(
        cookie_name(),
        value,
        max_age=MAX_TOKEN_AGE,
        path=COOKIE_PATH,
        secure=bool(settings.SESSION_COOKIE_SECURE),
        httponly=True,
        samesite="Strict",
    )


def delete_cookie(response: HttpResponse) -> None:
    """Delete the cookie from the browser. The token itself stays valid."""
    response.delete_cookie(cookie_name(), path=COOKIE_PATH, samesite="Strict")


def remember_in_session(request: HttpRequest, token: BedToken) -> None:
    """Store the token's id in the session, so that signing out of the session ends the token.

    The session keeps the newest 20 ids.
    """
    request.session[ISSUED_IN_SESSION] = [*request.session.get(ISSUED_IN_SESSION, []), str(token.pk)][-20:]


def end_tokens_at_sign_out(request: HttpRequest | None, user: User | None, **_signal: Any) -> None:
    """End the tokens that were issued in the session that `user` signs out of.

    A session that expires ends no token. Connected to `user_logged_out` in erasure/apps.py.
    """
    ids = request.session.get(ISSUED_IN_SESSION, []) if request is not None else []
    if ids and isinstance(user, User):
        tokens = BedToken.objects.filter(pk__in=ids, user=user)
        end_tokens(tokens, BedToken.Because.SIGNED_OUT, by=user)
