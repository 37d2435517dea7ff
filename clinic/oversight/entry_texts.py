"""Entries of the audit log as text. The log has no names: those of staff are looked up for each page.

Patients' names are not looked up (concealed.py).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clinic.accounts.models import Role, User
from clinic.audit.actions import ACTIONS, Phrase, Tone
from clinic.audit.models import Entry
from clinic.oversight.concealed import acts_as_patient, is_conflict, patients_of

DIGEST = re.compile(r"[0-9a-f]{64}")
SYSTEM_NAMES = {
    "worker": gettext_lazy("Erasure machine"),
    "supervisor": gettext_lazy("Supervisor"),
    "verifier": gettext_lazy("Verifier"),
    "backup": gettext_lazy("Backup"),
    "operator": gettext_lazy("Operator, by a command"),
    "startup": gettext_lazy("Opening of the house"),
}


@dataclass(frozen=True)
class Line:
    """One row of the audit page.

    who: the actor in words. words: the action in words. tone: how the action is marked. file: the number of
    the case, or "". details: names and values for display. reason: what the actor wrote. address: their IP
    address. digest: the beginning of the leaf hash.
    """

    index: int
    at: datetime
    who: str
    words: str | Promise
    tone: Tone
    subject: str
    file: str
    details: Sequence[tuple[str, object]]
    reason: str
    address: str
    digest: str


def lines(entries: Iterable[Entry]) -> list[Line]:
    """Return the rows of `entries`, in the same order, with a constant number of queries."""
    entries = list(entries)
    names = people_of(entries)
    files = files_of(entries)
    patients = patients_of(entries)
    return [line(entry, names, files, patients) for entry in entries]


def line(
    entry: Entry, names: dict[str, str], files: dict[UUID, str], patients: dict[UUID, str] | None = None
) -> Line:
    """Return the row of one entry. names, files, patients: from `people_of`, `files_of` and `patients_of`."""
    # An action that is no longer registered is shown by its code.
    phrase = ACTIONS.get(entry.action, Phrase(entry.action))
    as_patient = acts_as_patient(entry, patients or {})
    subject = names.get(entry.subject) or short_reference(entry.subject)
    if as_patient:
        names = {actor: name for actor, name in names.items() if actor not in {entry.actor, entry.subject}}
        is_about_themselves = entry.subject == entry.actor
        subject = _("Patient") if is_about_themselves else short_reference(entry.subject)
    if is_conflict(entry):
        who = _("Withheld")
    else:
        who = _("Patient") if as_patient else actor_name(entry.actor, names)
    return Line(
        index=entry.index,
        at=entry.at,
        who=who,
        words=phrase.words,
        tone=phrase.tone,
        subject=subject,
        file=files.get(entry.case, "") if entry.case else "",
        details=[
            (name.replace("_", " "), format_detail(value)) for name, value in sorted(entry.details.items())
        ],
        reason=entry.reason,
        address=entry.address,
        digest=short_digest(bytes(entry.leaf).hex()),
    )


def people_of(entries: Iterable[Entry]) -> dict[str, str]:
    """Return what to call each user who is actor or subject of an entry, by "user:<uuid>".

    Present and former members of staff are called by name, all others "Patient".
    """
    wanted = {text for entry in entries for text in (entry.actor, entry.subject) if text.startswith("user:")}
    ids = [text.removeprefix("user:") for text in wanted]
    users = User.objects.filter(pk__in=[user_id for user_id in ids if is_uuid(user_id)])
    return {
        f"user:{person.pk}": _("Patient") if person.shown_roles() == [Role.PATIENT] else person.name
        for person in users.prefetch_related("grants")
    }


def files_of(entries: Iterable[Entry]) -> dict[UUID, str]:
    """Return the file numbers of the cases of `entries`, by case id."""
    wanted = {entry.case for entry in entries if entry.case}
    return dict(User.objects.filter(cases__in=wanted).values_list("cases__pk", "cases__reference"))


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def actor_name(actor: str, names: dict[str, str]) -> str:
    """Return the name of an actor, or a shortened id if the account does not exist any more."""
    kind, _colon, name = actor.partition(":")
    if kind == "visitor":
        return _("Visitor")
    if kind == "system":
        return str(SYSTEM_NAMES.get(name, name))
    return names.get(actor) or short_reference(actor)


def short_reference(subject: str) -> str:
    """Return a shortened subject: "step 6f0c1a2b" for "step:6f0c1a2b-…"."""
    noun, _colon, object_id = subject.partition(":")
    return f"{noun} {object_id[:8] if is_uuid(object_id) else object_id}"


def format_detail(value: object) -> object:
    """Return a detail for display. Digests and ids are shortened."""
    if not isinstance(value, str):
        return value
    if DIGEST.fullmatch(value):
        return short_digest(value)
    return value[:8] if is_uuid(value) else value


def short_digest(digest: str) -> str:
    """Return the first twelve hex digits of a digest in groups of four."""
    return " ".join(digest[place : place + 4] for place in (0, 4, 8))
