"""Points out requests, and files, that may be of the same person as a request."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from clinic.access.policy import NAME_ROLES
from clinic.accounts.models import PersonWord, User
from clinic.accounts.search_words import WHOLE, Kind, Word
from patients.cases.models import Case
from patients.requests.models import AppointmentRequest, RequestWord

MAX_ROWS = 300  # search words, and files, read for one page
MAX_MATCHES = 5  # shown for one request
REASONS = {
    Kind.EMAIL: _("same e-mail address"),
    Kind.PHONE: _("same telephone"),
    Kind.PERSON: _("same name"),
}


@dataclass(frozen=True)
class PossibleMatch:
    """A request or a file that may be of the same person. request, case: one of the two is None.

    why: what is the same, in words. alike: how many things are the same.
    """

    why: str | Promise
    alike: int
    request: AppointmentRequest | None = None
    case: Case | None = None


def possible_matches(
    requests: Collection[AppointmentRequest], *, reader: User
) -> dict[UUID, list[PossibleMatch]]:
    """Return, by request, other requests and files that may be of the same person, the likeliest first.

    The e-mail address, the last digits of the telephone, or the whole name is the same; the order of its
    words and accents do not matter. Only files are returned whose page `reader` may open, with the name. The
    number of queries does not depend on the number of requests.
    """
    ids = [row.pk for row in requests]
    own_words = RequestWord.objects.filter(request__in=ids, kind__in=WHOLE).values_list(
        "request", "kind", "word"
    )
    words: dict[UUID, set[Word]] = defaultdict(set)
    for pk, kind, word in own_words:
        words[pk].add((kind, bytes(word)))
    all_words = set().union(*words.values())
    if not all_words:
        return {}
    other_requests, files = _requests_with(all_words), _files_with(all_words, reader)
    found = {}
    for pk in ids:
        matches = [
            *(
                _match(its_words & words[pk], request=other)
                for other, its_words in other_requests.items()
                if other.pk != pk
            ),
            *(_match(its_words & words[pk], case=case) for case, its_words in files.items()),
        ]
        likeliest = sorted((match for match in matches if match), key=lambda match: -match.alike)
        if likeliest:
            found[pk] = likeliest[:MAX_MATCHES]
    return found


def _match(
    shared: set[Word], *, request: AppointmentRequest | None = None, case: Case | None = None
) -> PossibleMatch | None:
    """Return the request or file as a match by the words that it shares; None if it shares none."""
    kinds = {kind for kind, _word in shared}
    reasons = [REASONS[kind] for kind in REASONS if kind in kinds]
    if not reasons:
        return None
    return PossibleMatch(format_lazy(", ".join(["{}"] * len(reasons)), *reasons), len(reasons), request, case)


def _has_any_of(words: set[Word]) -> Q:
    """Return the condition that a row of search words has one of these, with one list of words a kind."""
    by_kind: dict[str, list[bytes]] = defaultdict(list)
    for kind, word in sorted(words):
        by_kind[kind].append(word)
    return reduce(or_, (Q(kind=kind, word__in=found) for kind, found in by_kind.items()))


def _requests_with(words: set[Word]) -> dict[AppointmentRequest, set[Word]]:
    rows = RequestWord.objects.filter(_has_any_of(words)).select_related("request").order_by("-pk")
    found: dict[AppointmentRequest, set[Word]] = defaultdict(set)
    for row in rows[:MAX_ROWS]:
        found[row.request].add((row.kind, bytes(row.word)))
    return found


def _files_with(words: set[Word], reader: User) -> dict[Case, set[Word]]:
    rows = PersonWord.objects.filter(_has_any_of(words)).values_list("user", "kind", "word")[:MAX_ROWS]
    people: dict[UUID, set[Word]] = defaultdict(set)
    for user, kind, word in rows:
        people[user].add((kind, bytes(word)))
    cases = Case.objects.filter(patient__in=list(people)).newest_visible(
        reader, most=MAX_ROWS, roles=NAME_ROLES
    )
    return {case: people[case.patient_id] for case in cases}
