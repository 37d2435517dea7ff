"""The end of keeping: some time after a case is over, the clinic destroys what is left of it, with notice."""

from datetime import timedelta

from django.db.models import DateTimeField, Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from clinic.configuration.values import value_of
from erasure.destructions.configuration import KEEPING_DAYS
from erasure.destructions.models import Destruction
from erasure.destructions.orders import NotNow, order
from patients.cases.models import OVER_STAGES, Case
from patients.vault.models import StoredObject

NOTICE = timedelta(days=14)  # between the mail to the patient and the destruction
MAX_CASES_PER_ROUND = 50  # of the supervisor


def cases_to_end() -> "QuerySet[Case]":
    """Return the cases that are over, of which something is left, and whose patients are due their notice.

    If a patient stops the destruction, the whole time of keeping begins anew.
    """
    due = timezone.now() - timedelta(days=value_of(KEEPING_DAYS)) + NOTICE
    left = StoredObject.objects.live().filter(case=OuterRef("pk"))
    destructions = Destruction.objects.filter(case=OuterRef("pk"))
    stopped = destructions.filter(outcome=Destruction.Outcome.STOPPED).order_by("-finished_at")
    since = Greatest(
        F("closed_at"),
        Coalesce(Subquery(stopped.values("finished_at")[:1]), F("closed_at")),
        output_field=DateTimeField(),
    )
    over = Case.objects.filter(stage__in=OVER_STAGES, closed_at__lte=due).annotate(kept_since=since)
    return over.filter(
        Exists(left),
        ~Exists(destructions.exclude(state=Destruction.State.FINISHED)),
        kept_since__lte=due,
    ).order_by("closed_at")


def end_keeping() -> int:
    """Order the destruction of what is left of `cases_to_end`. Return the number of orders.

    Each patient is told at once, and the destruction begins after `NOTICE`.
    """
    ended = 0
    for case in cases_to_end()[:MAX_CASES_PER_ROUND]:
        try:
            order(case, by=None, everything=True, wait=NOTICE)
            ended += 1
        except NotNow:  # the case changed since it was listed
            continue
    return ended
