"""Writing to the log: `record(Act(...))`, the last statement of the transaction it speaks of."""

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
from clinic.audit.canonical import Telling, check_details, leaf_of
from clinic.audit.context import acting, actor_of, current
from clinic.audit.models import Entry, TreeHead

__all__ = ["ACTIONS", "Act", "LogBroken", "Phrase", "acting", "actor_of", "record", "register"]

ACTOR = re.compile(r"visitor|user:[0-9a-f-]{36}|system:[a-z0-9-]{1,50}")
SUBJECT = re.compile(r"[a-z][a-z0-9-]*:[a-z0-9_.:-]+")
REASON_LENGTH = Entry._meta.get_field("reason").max_length or 0
SUBJECT_LENGTH = Entry._meta.get_field("subject").max_length or 0

# Every act of the house pays for these three statements while it holds the head, so they are written out:
# having the ORM build them anew each time took longer than running them. Values still go through the fields.
COLUMNS = Entry._meta.concrete_fields
FRONTIER = TreeHead._meta.get_field("frontier")
NAMES = ", ".join(f'"{field.column}"' for field in COLUMNS)
INSERT = f"INSERT INTO {Entry._meta.db_table} ({NAMES}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608
LOCK = f"SELECT size, frontier FROM {TreeHead._meta.db_table} WHERE id = 1"  # noqa: S608 - the models' own names
MOVE = f"UPDATE {TreeHead._meta.db_table} SET size = %s, frontier = %s WHERE id = 1 AND size = %s"  # noqa: S608


class LogBroken(RuntimeError):
    """The log's head and its entries contradict each other, so nothing may be added."""


@dataclass(frozen=True)
class Act:
    """One thing that was done, checked on making so that nothing personal can enter the log.

    action: a key of `ACTIONS`. subject: "<noun>:<id>", lower case without spaces. actor: "user:<uuid>",
    "system:<name>" or "visitor" (see `actor_of`); empty takes the request's or `acting`'s. case, run: ids,
    where the act belongs to one. details: numbers, words, ids and times only (`check_details`).
    reason: what a person gave as reason, at most 500 characters. address: an IP address; empty takes the
    request's.
    Errors: ValueError for an unknown action or a field that isn't of this form.
    """

    action: str
    subject: str
    actor: str = ""
    case: UUID | None = None
    run: UUID | None = None
    details: Mapping[str, Telling] = field(default_factory=dict)
    reason: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"no action {self.action!r} is registered")
        if not SUBJECT.fullmatch(self.subject) or len(self.subject) > SUBJECT_LENGTH:
            raise ValueError('a subject reads "<noun>:<id>"')
        if self.actor and not ACTOR.fullmatch(self.actor):
            raise ValueError("an actor is a user's id, a system's name or a visitor")
        if len(self.reason) > REASON_LENGTH or "\0" in self.reason:
            raise ValueError(f"a reason has at most {REASON_LENGTH} characters, none of them NUL")
        self.reason.encode()  # half a surrogate pair cannot be written, here or in a database
        if self.address:
            ipaddress.ip_address(self.address)
        object.__setattr__(self, "details", check_details(self.details))

    def entry(self, index: int, at: datetime) -> Entry:
        """Return the act as line `index` of the log, its leaf computed, not yet saved.

        Errors: ValueError where neither the act nor the context says who acted.
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
    """Append `acts` to the log within the caller's transaction and return their entries, in order.

    Call it as the transaction's last statement: it locks the tree's head, which every writer needs, until the
    commit (locked first, the same work ran at an eighth of the speed: ERASURE.md). If the entries cannot be
    written, what was done in the transaction is undone with them.
    Errors: TransactionManagementError outside a transaction; ValueError where nobody acts; LogBroken where
    head and entries contradict each other; IntegrityError where an index is already taken.
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
        cursor.executemany(INSERT, rows)
        peaks = FRONTIER.get_db_prep_save([peak.hex() for peak in frontier.peaks], connection)
        cursor.execute(MOVE, [frontier.size, peaks, head.size])
        if cursor.rowcount != 1:
            raise LogBroken(f"the head moved on from {head.size} while its row was locked")
    for entry in entries:
        entry._state.adding, entry._state.db = False, connection.alias
    return entries


def locked_head() -> TreeHead:
    """Return the head's row, locked until the transaction ends (SQLite's BEGIN IMMEDIATE has locked all).

    Errors: LogBroken where the head is gone though there are entries.
    """
    connection = transaction.get_connection()
    with connection.cursor() as cursor:
        cursor.execute(LOCK + " FOR UPDATE" * connection.features.has_select_for_update)
        found = cursor.fetchone()
    if found is not None:
        size, frontier = found
        return TreeHead(size=size, frontier=json.loads(frontier))
    # Of two that are first at once, one makes the head; the other waits for its commit, and finds it.
    _head, made = TreeHead.objects.get_or_create(pk=1)
    if made and Entry.objects.exists():
        raise LogBroken("the log has entries and no head")
    return locked_head()
