"""Who may watch: asked once when a stream opens, and again for all who are present every two seconds."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.contrib.sessions.models import Session
from django.utils import timezone, translation

from clinic.access.policy import allowed
from clinic.accounts.models import User
from clinic.http.guard import Refused, Scope, check, hash_stands
from erasure.live.channel import Viewer
from erasure.live.render import frame
from erasure.runs.models import Run
from erasure.session.snapshot import Viewer as Onlooker
from erasure.session.snapshot import snapshot
from erasure.session.viewers import viewer_of


def row_of(wall: bool) -> str:
    """The policy's row: whoever may see the wall may follow it, without names."""
    return "erasure:wall" if wall else "erasure:live"


class Present(NamedTuple):
    """A viewer as `no_longer` needs to know them, taken on the loop's thread."""

    viewer: Viewer
    run_id: UUID


def enter(scope: Scope, run_id: UUID, after: int | None, *, wall: bool) -> Viewer:
    """Return the viewer that a request becomes. Errors: Refused.

    after: the last seq its page shows. wall: it asks for no names, whoever it is.
    """
    visitor = check(scope, row_of(wall), {"run": run_id})
    run = Run.objects.select_related("procedure__case").filter(pk=run_id).first()
    if run is None:
        raise Refused(404, "There is no such session.")
    names = not wall and viewer_of(visitor.user, run).names
    session = visitor.session_key, visitor.session_hash
    viewer = Viewer(visitor.user.pk, *session, (names, visitor.language), wall=wall)
    # A number that the run has not reached is of a database that was since restored.
    viewer.cursor = after if after is not None and after <= run.last_seq else None
    return viewer


def the_present(viewer: Viewer, run_id: UUID) -> tuple[bytes, int]:
    """Return the whole present for `viewer` as one `state` event, and its seq."""
    _names, language = viewer.rendering
    onlooker = Onlooker(user=None, names=False, pictures=False)
    if not viewer.wall:
        run = Run.objects.select_related("procedure__case").get(pk=run_id)
        onlooker = viewer_of(User.objects.get(pk=viewer.user_id), run)
    with translation.override(language):
        state = snapshot(run_id, onlooker)
    return frame(state, seq=state["seq"], event="state"), state["seq"]


def no_longer(watching: Iterable[Present]) -> list[Viewer]:
    """Return those whose session, account or permission has ended. Sessions are neither read nor extended."""
    everyone = list(watching)
    sessions = set(
        Session.objects.filter(
            session_key__in={item.viewer.session_key for item in everyone}, expire_date__gt=timezone.now()
        ).values_list("session_key", flat=True)
    )
    users = User.objects.filter(is_active=True).in_bulk({item.viewer.user_id for item in everyone})
    asked = {(item.viewer.user_id, item.run_id, item.viewer.wall) for item in everyone}
    may = {
        (user_id, run_id, wall)
        for user_id, run_id, wall in asked
        if user_id in users and allowed(users[user_id], row_of(wall), {"run": run_id}, "GET").allowed
    }
    hashes = {(item.viewer.user_id, item.viewer.session_hash) for item in everyone}
    standing = {
        (user_id, known)
        for user_id, known in hashes
        if user_id in users and hash_stands(users[user_id], known)
    }
    return [
        item.viewer
        for item in everyone
        if item.viewer.session_key not in sessions
        or (item.viewer.user_id, item.viewer.session_hash) not in standing
        or (item.viewer.user_id, item.run_id, item.viewer.wall) not in may
    ]
