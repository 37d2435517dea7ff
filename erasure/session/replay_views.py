"""The replay page of a finished session. Without a script, its links step from event to event."""

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.access.policy import allowed
from clinic.audit.record import Act, actor_of, record
from clinic.http.requests import request_user
from erasure.runs.models import Run
from erasure.runs.passes import PASS_COUNT
from erasure.session.replay import SPEEDS, Replay, map_position, neighbors, replay, snapshot_at
from erasure.session.view_model import words


def _requested_seq(shown: Replay, query: dict[str, str]) -> int:
    """Return the seq to show: `?at=<seq>`, or the first event of `?memory=<id>`; 0 if neither is given."""
    at = query.get("at", "")
    if at.isascii() and at.isdecimal() and len(at) <= 9:
        return int(at)
    try:
        return shown.first_change(UUID(query.get("memory", ""))) or 0
    except ValueError:
        return 0


@require_safe
@never_cache
def replay_page(request: HttpRequest, run: UUID) -> HttpResponse:
    """Show a finished session after one of its events, by default the first.

    Each view is recorded in the log.
    """
    row = get_object_or_404(Run.objects.select_related("procedure__case"), pk=run)
    if row.state != Run.State.FINISHED:
        return redirect("erasure:session", run=run)
    shown = replay(row)
    moment = shown.nearest(_requested_seq(shown, request.GET.dict()))
    earlier, later = neighbors(shown.logged, moment)
    may_certificate = allowed(request_user(request), "erasure:certificate", {"work": run}, "GET").allowed
    data = snapshot_at(shown, moment, certificate=may_certificate)
    context = {
        "present": data,
        "replay": shown,
        "moment": moment,
        "earlier": earlier,
        "later": later,
        "speeds": SPEEDS,
        "film": {
            "moments": shown.changes(),
            "fates": shown.fates,
            "levels": PASS_COUNT,
            "places": [map_position(item) for item in data["memories"] if item["n"] in shown.fates],
            "words": {**words(), **_player_words()},
        },
    }
    with transaction.atomic():
        act = Act(
            "run.replayed",
            f"run:{row.pk}",
            actor=actor_of(request_user(request)),
            case=row.procedure.case_id,
            run=row.pk,
        )
        record(act)
    return render(request, "erasure/session/replay.html", context)


def _player_words() -> dict[str, str]:
    """Return the words that the replay's script needs in addition to those of the session page."""
    return {
        "play": _("Play"),
        "stop": _("Pause"),
        "where": _("%(at)s, %(gone)s of %(total)s destroyed"),
    }
