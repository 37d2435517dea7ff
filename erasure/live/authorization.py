"""Who may watch: checked when a stream opens, and again for all subscribers every two seconds."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone, translation

from clinic.access.page_owner import owner_marks
from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.http.guard import (
    Refused,
    Scope,
    check,
    checked_host,
    is_valid_session_hash,
    session_of,
    user_of,
)
from erasure.bedside.tokens import valid_token_ids
from erasure.live.channel import Subscriber
from erasure.live.render import frame
from erasure.runs.models import Run
from erasure.session.looks import record_session_look
from erasure.session.snapshot import Viewer, snapshot
from erasure.session.viewers import viewer_of
from patients.cases.relations import may_read_content

BED_ROW = "erasure:bed-live"


def policy_row(wall: bool) -> str:
    """Return the policy row that applies. Whoever may see the public screen may follow it, without names."""
    return "erasure:wall" if wall else "erasure:live"


class Watching(NamedTuple):
    """A subscriber and its run, for `revoked`.

    The event loop's thread makes these, a worker thread reads them.
    """

    subscriber: Subscriber
    run_id: UUID


def authorize(scope: Scope, run_id: UUID, after: int | None, *, wall: bool) -> Subscriber:
    """Check that the request may watch the run, and return its subscriber. Errors: Refused.

    after: the last seq the client has. wall: the stream is for the public screen and has no names, whoever
    asks.
    """
    visitor = check(scope, policy_row(wall), {"run": run_id})
    run = Run.objects.select_related("procedure__case").filter(pk=run_id).first()
    if run is None:
        raise Refused(404, "There is no such session.")
    if not wall:
        record_session_look(run, "live", by=visitor.user)
    names = not wall and may_read_content(visitor.decision)
    session = visitor.session_key, visitor.session_hash
    subscriber = Subscriber(visitor.user.pk, *session, (names, visitor.language), wall=wall)
    # A seq above the run's last one comes from before a restore of the database: send the snapshot instead.
    subscriber.cursor = after if after is not None and after <= run.last_seq else None
    return subscriber


def authorize_bed(scope: Scope, procedure_id: UUID, after: int | None) -> Subscriber:
    """Check that the request may follow a night on the page for the bed, and return its subscriber.

    after: the last seq the client has. The stream has no names, like that of the public screen. Errors:
    Refused, also if the night has not begun.
    """
    visitor = check(scope, BED_ROW, {"procedure": procedure_id})
    run = Run.objects.filter(procedure=procedure_id).first()
    if run is None:
        raise Refused(404, "This night has not begun.")
    subscriber = Subscriber(
        visitor.user.pk,
        visitor.session_key,
        visitor.session_hash,
        (False, visitor.language),
        wall=True,
        procedure=procedure_id,
        pass_id=visitor.access_pass.id if visitor.access_pass else None,
    )
    subscriber.cursor = after if after is not None and after <= run.last_seq else None
    return subscriber


def run_id_of_night(procedure_id: UUID) -> UUID | None:
    """Return the id of the run of a night; None if the night has not begun."""
    return Run.objects.filter(procedure=procedure_id).values_list("pk", flat=True).first()


def authorize_each(
    scope: Scope, runs: Mapping[UUID, int], owner: str, *, wall: bool
) -> dict[UUID, Subscriber | None]:
    """Do the same as `authorize` for each run; a run that is refused has None. Errors: Refused.

    runs: run id -> the last seq the client has. owner: the mark of the person that the client's pages were
    made for. Nobody else gets anything on them, and no such request is recorded as theirs.
    """
    session = session_of(checked_host(scope).COOKIES.get(settings.SESSION_COOKIE_NAME, ""))
    user = user_of(session) if session else None
    if user is None or owner not in owner_marks(user):
        return dict.fromkeys(runs)
    subscribers: dict[UUID, Subscriber | None] = {}
    for run_id, after in runs.items():
        try:
            subscribers[run_id] = authorize(scope, run_id, after, wall=wall)
        except Refused:
            subscribers[run_id] = None
    return subscribers


def state_event(subscriber: Subscriber, run_id: UUID) -> tuple[bytes, int]:
    """Return the snapshot for a subscriber as one `state` event, and its seq."""
    _names, language = subscriber.rendering
    person = Viewer(user=None, names=False, pictures=False)
    if not subscriber.wall:
        run = Run.objects.select_related("procedure__case").get(pk=run_id)
        user = User.objects.get(pk=subscriber.user_id)
        decision = allowed(user, policy_row(wall=False), {"run": run_id}, "GET")
        person = viewer_of(user, run, decision)
    with translation.override(language):
        state = snapshot(run_id, person)
    return frame(state, seq=state["seq"], event="state"), state["seq"]


def revoked(watching: Iterable[Watching]) -> list[Subscriber]:
    """Return the subscribers whose session, pass, account or permission has ended.

    The sessions' data are not read, and their expiry is not extended.
    """
    everyone = list(watching)
    pass_ids = {item.subscriber.pass_id for item in everyone if item.subscriber.pass_id}
    valid_pass_ids = valid_token_ids(pass_ids) if pass_ids else set()
    sessions = set(
        Session.objects.filter(
            session_key__in={item.subscriber.session_key for item in everyone}, expire_date__gt=timezone.now()
        ).values_list("session_key", flat=True)
    )
    users = User.objects.filter(is_active=True).in_bulk({item.subscriber.user_id for item in everyone})
    # A pass needs no look at the policy: it was issued for its row, and its validity is all that can change.
    needed = {(item.subscriber.user_id, *_needed(item)) for item in everyone if not item.subscriber.pass_id}
    allowed_keys = {
        (user_id, name, keyword, value)
        for user_id, name, keyword, value in needed
        if user_id in users and allowed(users[user_id], name, {keyword: value}, "GET").allowed
    }
    hashes = {(item.subscriber.user_id, item.subscriber.session_hash) for item in everyone}
    valid_hashes = {
        (user_id, session_hash)
        for user_id, session_hash in hashes
        if user_id in users and is_valid_session_hash(users[user_id], session_hash)
    }

    def is_still_allowed(item: Watching) -> bool:
        one = item.subscriber
        if one.pass_id:
            return one.pass_id in valid_pass_ids
        in_session = one.session_key in sessions and (one.user_id, one.session_hash) in valid_hashes
        return in_session and (one.user_id, *_needed(item)) in allowed_keys

    return [item.subscriber for item in everyone if not is_still_allowed(item)]


def _needed(item: Watching) -> tuple[str, str, UUID]:
    """Return the policy row that a subscriber's stream needs, and name and value of its URL's argument."""
    if item.subscriber.procedure:
        return BED_ROW, "procedure", item.subscriber.procedure
    return policy_row(item.subscriber.wall), "run", item.run_id
