"""The tokens of the page for the bed: who gets one, until when it is valid, and what ends it.

A token is valid until the certificate of its run; if the night never starts, until the end of its booked
hours.
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

KIND = "bed page"  # of the pass; the rules of the policy name it
BED_PAGE = with_relation(KIND, "own")
PATH = "/bed/"  # the cookie is sent to these URLs only
OPENS_BEFORE = timedelta(hours=1)  # how long before its booked hours the page of a night can be opened
# No night lasts longer. It also bounds a token whose run never gets a certificate.
LONGEST = timedelta(hours=36)
DETAILS = {"page": "bed"}  # in each audit entry of what is done by the page for the bed
SESSION_KEY = "bed_tokens"  # in the session in which they were opened: the ids of its tokens


def cookie_name() -> str:
    """Return the name of the cookie. Browsers take the prefix only over HTTPS."""
    return "__Secure-bed" if settings.SESSION_COOKIE_SECURE else "bed"


def digest_of(value: str) -> str:
    """Return the digest under which a token is stored."""
    return hashlib.sha256(value.encode()).hexdigest()


def valid() -> "QuerySet[BedToken]":
    """Return the tokens that are valid now, except that their owner's session hash is not compared."""
    now = timezone.now()
    before = Q(procedure__state=Procedure.State.BOOKED, procedure__run__isnull=True)
    begun = Q(procedure__run__isnull=False, procedure__run__certificate__isnull=True)
    return (
        BedToken.objects.filter(
            (before & Q(procedure__booking__ends_at__gt=now)) | begun,
            ended_at__isnull=True,
            opened_at__gt=now - LONGEST,
            user__is_active=True,
            procedure__case__patient=F("user"),
        )
        .exclude(procedure__case__stage=Case.Stage.WITHDRAWN)
        .select_related("user")
    )


def is_valid(token: BedToken) -> bool:
    """Return whether the owner's session hash is still that of a token, which is one of `valid()`."""
    return is_valid_session_hash(token.user, token.session_hash)


def still_valid(ids: Iterable[UUID]) -> set[UUID]:
    """Return those of some tokens, by their ids, that are valid now."""
    return {token.pk for token in valid().filter(pk__in=set(ids)) if is_valid(token)}


def valid_tokens_of(procedure_id: UUID) -> list[BedToken]:
    """Return the tokens of a night that are valid now, oldest first."""
    return [token for token in valid().filter(procedure=procedure_id) if is_valid(token)]


def find_pass(cookies: Mapping[str, str], kwargs: Mapping[str, Any]) -> Pass | None:
    """Return the pass of a token in `cookies` for the night in `kwargs`, or None."""
    value, procedure = cookies.get(cookie_name(), ""), kwargs.get("procedure")
    if not value or not isinstance(procedure, UUID):
        return None
    token = valid().filter(digest=digest_of(value), procedure=procedure).first()
    if token is None or not is_valid(token):
        return None
    return Pass(KIND, token.user, {"procedure": procedure}, frozenset({"own"}), token.pk)


def check_opens(procedure: Procedure, user: User) -> None:
    """Check that `user` may open the page for the bed of a night now. Errors: NotNow says why not."""
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
    if now < booking.starts_at - OPENS_BEFORE:
        raise NotNow(_("The page for the bed opens one hour before the night."))


@transaction.atomic
def open_page(procedure_id: UUID, *, by: User) -> tuple[BedToken, str]:
    """Make a token for the night of `by`; return its row, and the value for the cookie. Errors: NotNow."""
    procedure = (
        Procedure.objects.select_for_update(of=("self",))
        .select_related("booking", "case")
        .get(pk=procedure_id)
    )
    check_opens(procedure, by)
    value = secrets.token_urlsafe(32)
    token = BedToken.objects.create(
        procedure=procedure, user=by, digest=digest_of(value), session_hash=by.get_session_auth_hash()
    )
    record(Act("bed.opened", f"procedure:{procedure.pk}", actor=actor_of(by), case=procedure.case_id))
    return token, value


@transaction.atomic
def end_tokens(tokens: "QuerySet[BedToken]", because: str, *, by: User) -> int:
    """End those of `tokens` that have not ended; return how many. One entry for each."""
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
    """Give the browser a token. Scripts cannot read it, and no other site can have it sent."""
    response.set_cookie(
        cookie_name(),
        value,
        max_age=LONGEST,
        path=PATH,
        secure=bool(settings.SESSION_COOKIE_SECURE),
        httponly=True,
        samesite="Strict",
    )


def delete_cookie(response: HttpResponse) -> None:
    """Take the token out of the browser."""
    response.delete_cookie(cookie_name(), path=PATH, samesite="Strict")


def remember(request: HttpRequest, token: BedToken) -> None:
    """Note in the session that `token` was opened in it, so that signing out of it ends the token."""
    request.session[SESSION_KEY] = [*request.session.get(SESSION_KEY, []), str(token.pk)][-20:]


def end_with_session(request: HttpRequest | None, user: User | None, **_signal: Any) -> None:
    """End the tokens of a session that its owner signs out of. Connected to `user_logged_out`.

    A session that ends by itself ends no token.
    """
    ids = request.session.get(SESSION_KEY, []) if request is not None else []
    if ids and isinstance(user, User):
        tokens = BedToken.objects.filter(pk__in=ids, user=user)
        end_tokens(tokens, BedToken.Because.SIGNED_OUT, by=user)
