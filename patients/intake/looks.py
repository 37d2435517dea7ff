"""Records who of the clinic has read the intake. The patient reads it among all looks, and on the intake."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.models import Entry
from clinic.audit.record import Act, actor_of, record
from patients.cases import view_log
from patients.cases.models import Case
from patients.cases.view_log import View, view_entries, views_of

ACTION = "intake.read"
# A page that is shown again, because its form was refused, is the same look within this time.
SAME_LOOK = timedelta(minutes=10)

view_log.register({ACTION}, {})


@transaction.atomic
def record_intake_look(case: Case, *, by: User, again: bool = False) -> None:
    """Record that `by` reads the answers of a case. again: not if they opened them within `SAME_LOOK`."""
    actor, since = actor_of(by), timezone.now() - SAME_LOOK
    if again and Entry.objects.filter(action=ACTION, case=case.pk, actor=actor, at__gt=since).exists():
        return
    record(Act(ACTION, f"case:{case.pk}", actor=actor, case=case.pk))


def readers_of(case: Case) -> list[View]:
    """Return who has read the answers, each person once, the latest first, with the time of the last look."""
    latest: dict[str, Entry] = {}
    for entry in view_entries([case]).filter(action=ACTION)[:200]:
        latest.setdefault(entry.actor, entry)
    return views_of(list(latest.values()))
