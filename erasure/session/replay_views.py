"""The page on which a finished session is watched again. It works as links without a script."""

from uuid import UUID

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from clinic.audit.record import Act, actor_of, record
from clinic.http.requests import request_user
from erasure.runs.models import Run
from erasure.runs.passes import GONE
from erasure.session.replay import SPEEDS, Replay, beside, places, present_at, replay
from erasure.session.view_model import words


def _asked(shown: Replay, query: dict[str, str]) -> int:
    """The seq that somebody wants to see: `?at=`, or where the memory of `?memory=` begins to fade."""
    at = query.get("at", "")
    if at.isascii() and at.isdecimal() and len(at) <= 9:
        return int(at)
    try:
        return shown.begins(UUID(query.get("memory", ""))) or 0
    except ValueError:
        return 0


@require_safe
@never_cache
def again(request: HttpRequest, run: UUID) -> HttpResponse:
    """A finished session at one of its moments, the first unless another is asked for."""
    row = get_object_or_404(Run.objects.select_related("procedure__case"), pk=run)
    if row.state != Run.State.FINISHED:
        return redirect("erasure:session", run=run)
    shown = replay(row)
    moment = shown.nearest(_asked(shown, request.GET.dict()))
    earlier, later = beside(shown.told, moment)
    data = present_at(shown, moment)
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
            "levels": GONE,
            "places": [places(item) for item in data["memories"] if item["n"] in shown.fates],
            "words": {**words(), **_sayings()},
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


def _sayings() -> dict[str, str]:
    """What the page's script says beside the words of the session."""
    return {
        "play": _("Play"),
        "stop": _("Pause"),
        "where": _("%(at)s, %(gone)s of %(total)s destroyed"),
    }
