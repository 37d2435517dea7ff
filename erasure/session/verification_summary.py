"""The result of a run's verification, for the session page."""

from typing import Any

from django.utils.translation import gettext as _

from clinic.audit.models import Entry
from erasure.runs.models import Run
from erasure.verification.checks import statement
from erasure.verification.places import CLEAN
from erasure.verification.result_texts import BEYOND, NAMES, describe_result


def verification_of(run: Run) -> dict[str, Any]:
    """Return the result of the latest verification of `run`.

    places: list of (name, result in words, "text"), empty before the verification. clean: nothing was found.
    failed: the verification could not be done.
    """
    entries = Entry.objects.filter(run=run.pk, action__in=["run.verified", "run.unverified"])
    latest = entries.order_by("index").last()
    if latest is None or latest.action == "run.unverified":
        return {"places": [], "clean": False, "failed": latest is not None}
    result = statement(latest.details)
    checked = [place for place in result["places"] if place["place"] in NAMES]
    places = [
        (NAMES[place["place"]], describe_result(place["found"], place["why"]), "text") for place in checked
    ]
    places += [(_(name), _("not checkable here"), "text") for name in BEYOND.values()]
    return {"places": places, "clean": result["result"] == CLEAN, "failed": False}
