"""Writing to the audit log: call `record(Act(...))` last in the transaction that makes the change."""

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from clinic.audit.actions import ACTIONS, Phrase, register
from clinic.audit.canonical import DetailInput, check_details, leaf_of
from clinic.audit.context import acting, actor_of, current
from clinic.audit.models import Entry, TreeHead

__all__ = ["ACTIONS", "Act", "LogBroken", "Phrase", "acting", "actor_of", "record", "register"]

ACTOR = re.compile(r"visitor|user:[0-9a-f-]{36}|system:[a-z0-9-]{1,50}")
SUBJECT = re.compile(r"[a-z][a-z0-9-]*:[a-z0-9_.:-]+")
REASON_LENGTH = Entry._meta.get_field("reason").max_length or 0
SUBJECT_LENGTH = Entry._meta.get_field("subject").max_length or 0

# These three statements run in every recorded transaction, while it has the tree head locked. They are
# written as SQL because building them with the ORM each time took longer than running them. Values still go
# through the model fields.
COLUMNS = Entry._meta.concrete_fields
FRONTIER = TreeHead._meta.get_field("frontier")
COLUMN_NAMES = ", ".join(f'"{field.column}"' for field in COLUMNS)
INSERT_ENTRY = (
    f"INSERT INTO {Entry._meta.db_table} ({COLUMN_NAMES}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608
)
SELECT_HEAD = f"SELECT size, frontier FROM {TreeHead._meta.db_table} WHERE id = 1"  # noqa: S608 - the models' own names
UPDATE_HEAD = f"UPDATE {TreeHead._meta.db_table} SET size = %s, frontier = %s WHERE id = 1 AND size = %s"  # noqa: S608


class LogBroken(RuntimeError):
    """The tree head and the entries of the log contradict each other, so no entry can be added."""


@dataclass(frozen=True)
class Act:
    """One action to be recorded. Its fields are checked on creation, so that no personal data enters the log.

    action: a key of `ACTIONS`. subject: what was acted on, as "<noun>:<id>", lower case without spaces.
    actor: "user:<uuid>", "system:<name>" or "visitor" (see `actor_of`); if empty, that of the request or of
    `acting`. case, run: ids, if the action belongs to one. details: only numbers, words, ids and times
    (`check_details`). reason: as a person typed it, at most 500 characters. address: an IP address; if empty,
    that of the request. Errors: ValueError for an unknown action or a field that does not have this form.
    """

    action: str
    subject: str
    actor: str = ""
    case: UUID | None = None
    run: UUID | None = None
    details: Mapping[str, DetailInput] = field(default_factory=dict)
    reason: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"no action {self.action!r} is registered")
        if not SUBJECT.fullmatch(self.subject) or len(self.subject) > SUBJECT_LENGTH:
            raise ValueError('a subject has the form "<noun>:<id>"')
        if self.actor and not ACTOR.fullmatch(self.actor):
            raise ValueError("an actor is a user's id, a system's name or a visitor")
        if len(self.reason) > REASON_LENGTH or "\0" in self.reason:
            raise ValueError(f"a reason has at most {REASON_LENGTH} characters, none of them NUL")
        self.reason.encode()  # raises ValueError for half a surrogate pair, which no database can store
        if self.address:
            ipaddress.ip_address(self.address)
        object.__setattr__(self, "details", check_details(self.details))

    def entry(self, index: int, at: datetime) -> Entry:
        """Return an unsaved entry with this index and its leaf hash.

        Errors: ValueError if neither the act nor the context has an actor.
        """
        context = current()
        actor = self.actor or (context.actor() if context else "")
        if not actor:
            raise ValueError(f"nobody is named who did {self.action}")
        entry = Entry(
            index=index,
            at=at,
            action=self.action,
            actor=actor,
            subject=self.subject,
            case=self.case,
            run=self.run,
            details=dict(self.details),
            reason=self.reason,
            address=self.address or (context.address if context else ""),
        )
        entry.leaf = leaf_of(entry)
        return entry


def record(*acts: Act) -> list[Entry]:
    """Append `acts` to the log and return their entries, in order.

    Call it last in the transaction that makes the change: it locks the tree head, which every writer needs,
    until the commit (locked first, the same work ran at an eighth of the speed: ERASURE.md). If the entries
    cannot be written, it raises, and the change is rolled back with them. Errors: TransactionManagementError
    outside a transaction; ValueError if there is no actor; LogBroken if the head and the entries contradict
    each other; IntegrityError if an index is already used.
    """
    connection = transaction.get_connection()
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("an entry is written in the transaction it speaks of")
    if not acts:
        return []
    head = locked_head()
    at = timezone.now()
    entries = [act.entry(head.size + place, at) for place, act in enumerate(acts)]
    try:
        frontier = head.as_frontier().extend(bytes(entry.leaf) for entry in entries)
    except ValueError as error:
        raise LogBroken("the log's head contradicts itself") from error
    with connection.cursor() as cursor:
        rows = [
            [field.get_db_prep_save(field.pre_save(entry, add=True), connection) for field in COLUMNS]
            for entry in entries
        ]
        cursor.executemany(INSERT_ENTRY, rows)
        peaks = FRONTIER.get_db_prep_save([peak.hex() for peak in frontier.peaks], connection)
        cursor.execute(UPDATE_HEAD, [frontier.size, peaks, head.size])
        if cursor.rowcount != 1:
            raise LogBroken(f"the head moved on from {head.size} while its row was locked")
    for entry in entries:
        entry._state.adding, entry._state.db = False, connection.alias
    return entries


def locked_head() -> TreeHead:
    """Return the tree head, with its row locked until the transaction ends.

    On SQLite the transaction's BEGIN IMMEDIATE has locked the database already. Errors: LogBroken if there
    are entries but no head.
    """
    connection = transaction.get_connection()
    with connection.cursor() as cursor:
        cursor.execute(SELECT_HEAD + " FOR UPDATE" * connection.features.has_select_for_update)
        found = cursor.fetchone()
    if found is not None:
        size, frontier = found
        return TreeHead(size=size, frontier=json.loads(frontier))
    # If two first writers come here at once, one creates the head; the other waits for its commit and reads
    # it.
    _head, created = TreeHead.objects.get_or_create(pk=1)
    if created and Entry.objects.exists():
        raise LogBroken("the log has entries and no head")
    return locked_head()
