"""A run's verification as the session's page shows it."""

from typing import Any

from django.utils.translation import gettext as _

from clinic.audit.models import Entry
from erasure.runs.models import Run
from erasure.verification.checks import statement
from erasure.verification.places import CLEAN
from erasure.verification.result_texts import BEYOND, NAMES, told


def verification_of(run: Run) -> dict[str, Any]:
    """What is shown: `places` as (name, result in words, "text"), `clean`, and `failed`."""
    said = Entry.objects.filter(run=run.pk, action__in=["run.verified", "run.unverified"])
    latest = said.order_by("index").last()
    if latest is None or latest.action == "run.unverified":
        return {"places": [], "clean": False, "failed": latest is not None}
    found = statement(latest.details)
    looked = [place for place in found["places"] if place["place"] in NAMES]
    places = [(NAMES[place["place"]], told(place["found"], place["why"]), "text") for place in looked]
    places += [(_(name), _("not checkable here"), "text") for name in BEYOND.values()]
    return {"places": places, "clean": found["result"] == CLEAN, "failed": False}
