"""The list of files: by stage, searched, in pages."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from clinic.access.policy import NAME_ROLES
from clinic.accounts.models import PersonWord, Role, User
from clinic.accounts.search_words import find_owners
from clinic.http.keyset import Count, Page, Start, page_of, read_start
from patients.cases.models import Case, CaseQuerySet

Stage = Case.Stage
# The filters of the list: the word in the URL, the label, and the stored stages. The stage that a row shows
# is derived (patients/cases/status.py) and more exact: the stored one does not tell a signed map from one
# whose night was stopped. So no filter separates these two.
STAGES = {
    "": (_("Everywhere"), ()),
    "intake": (_("Intake"), (Stage.INTAKE,)),
    "bringing": (_("Bringing keepsakes"), (Stage.BRINGING,)),
    "review": (_("In review"), (Stage.REVIEW,)),
    "locked": (_("Map locked, no night yet"), (Stage.MAPPED, Stage.CONSENTED)),
    "night": (_("Night booked or under way"), (Stage.BOOKED, Stage.RUNNING)),
    "closed": (_("Closed"), (Stage.CLOSED,)),
    "withdrawn": (_("Withdrawn"), (Stage.WITHDRAWN,)),
}
# Counting decrypts the subject's name of each file: a file does not count for a reader who is its subject.
MOST_COUNTED = 200


def files_page(query: Mapping[str, str], reader: User, text: str, stage: str) -> tuple[Page[Case], Count]:
    """Return one page of the files that open for `reader`, and how many there are.

    text: a file number, or the beginnings of words by which the patient is found. By words only those files
    are found whose patient's name the reader may read. stage: a key of STAGES.
    """
    stages = STAGES.get(stage, STAGES[""])[1]
    rows = Case.objects.select_related("patient")
    roles: frozenset[str] = frozenset(Role.values)
    if text and rows.numbered(text).exists():
        rows = rows.numbered(text)
    elif text:
        rows, roles = _found_by_words(rows, text), NAME_ROLES

    def fetch(start: Start | None, most: int) -> list[Case]:
        return rows.newest_visible(reader, start=start, most=most, stages=stages, roles=roles)

    page = page_of(fetch, read_start(query, Case.objects.all(), "opened_at"))
    if page.before is None and page.after is None:
        return page, Count(len(page.rows))
    return page, rows.count_visible(reader, most=MOST_COUNTED, stages=stages, roles=roles)


def _found_by_words(rows: CaseQuerySet, text: str) -> CaseQuerySet:
    """Return the cases of patients who are found by all words of `text`."""
    found = find_owners(PersonWord, "user", text, "patient")
    rows = rows.filter(found.condition)
    return rows if found.owners is None else rows.filter(patient__in=found.owners)
