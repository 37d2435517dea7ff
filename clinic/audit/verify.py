"""Verification of the whole log: its entries, its tree head, and every stored or witness checkpoint.

Problems are English sentences, because they are quoted in reports and printed by a command.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import connection
from django.db.models import Max

from clinic.audit import triggers
from clinic.audit.canonical import leaf_of
from clinic.audit.checkpoints import NoteInvalid, verify_note
from clinic.audit.keyring import verify_ours
from clinic.audit.merkle import Frontier
from clinic.audit.models import Checkpoint, Entry, Subtree, TreeHead
from clinic.audit.proofs import BATCH, BLOCK, inclusion

__all__ = ["Report", "inclusion", "verify_log"]

# Sentences in a report: those of a log that was rewritten completely would fill the memory.
MOST_PROBLEMS = 100


@dataclass
class Report:
    """The result of a verification.

    size, root: computed from the entries, not taken from the tree head. checkpoints: how many were checked.
    unlisted: how many problems there are beyond MOST_PROBLEMS.
    """

    size: int = 0
    root: bytes = b""
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)
    # Checkpoints that do not match the log, as an entry "audit.restored" explains: not problems.
    declared: list[str] = field(default_factory=list)
    unlisted: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems

    def add(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.unlisted += 1


class Statement(NamedTuple):
    """A checkpoint whose signature has been checked. place: where it was found, as text."""

    size: int
    root: bytes
    place: str


@dataclass(frozen=True)
class Restored:
    """An entry "audit.restored": the former entries [index, size) were lost when a backup was restored.

    index: of this entry. size, root (hex): of the newest checkpoint over the lost log.
    """

    index: int
    size: int
    root: str

    def explains(self, statement: Statement) -> bool:
        """Return whether a checkpoint that does not match the log was signed over the lost entries."""
        newest = (statement.size, statement.root.hex()) == (self.size, self.root)
        return newest or self.index < statement.size < self.size


def verify_log(*, witness: Path | None = None, key: Ed25519PublicKey | None = None) -> Report:
    """Verify the whole log and return what was found. Changes nothing.

    witness: a directory with notes of checkpoints, by default LACUNA_WITNESS_DIR; only in that default
    directory is it a problem if the note of a stored checkpoint is missing. key: the public key to check
    signatures with; by default our own keys, each former key for what was signed before it was replaced.
    Entries are read in batches, in constant memory; checkpoints stay in memory, 100 bytes each. The log may
    grow meanwhile: entries recorded after the start are not verified.
    """
    report = Report()
    statements = read_statements(report, witness, key)
    head = TreeHead.objects.first() or TreeHead()
    roots, restored = read_entries(report, head.size, {statement.size for statement in statements})
    check_head(report, head)
    for statement in statements:
        check_statement(report, statement, roots, restored)
    for name in triggers.missing(connection):
        report.add(f"The database would let the log be changed: its trigger {name} is missing.")
    return report


def read_entries(report: Report, size: int, wanted: set[int]) -> tuple[dict[int, bytes], list[Restored]]:
    """Recompute the tree from the entries.

    Return its root at each size of `wanted`, and the declared restores.

    After a gap the tree cannot be computed, so there are no roots from there on.
    """
    frontier, unbroken, roots, restored = Frontier(), True, {}, []
    kept, block = (
        dict(Subtree.objects.filter(block__lt=size // BLOCK).values_list("block", "root")),
        Frontier(),
    )
    if 0 in wanted:
        roots[0] = frontier.root()
    expected = 0
    for entry in entries(size):
        if entry.index < 0:
            report.add(f"Entry {entry.index} stands before the log's beginning.")
            continue
        if entry.index != expected:
            report.add(f"{span(expected, entry.index)} missing.")
            unbroken = False
        expected = entry.index + 1
        leaf = leaf_from(report, entry)
        frontier, block = frontier.append(leaf), block.append(leaf)
        if block.size == BLOCK:
            stored, found, block = kept.get(entry.index // BLOCK), block.root(), Frontier()
            if unbroken and stored is not None and bytes(stored) != found:
                report.add(f"The kept root of block {entry.index // BLOCK} is not that of its entries.")
        if unbroken and frontier.size in wanted:
            roots[frontier.size] = frontier.root()
        match entry.action, entry.details:
            case "audit.restored", {"size": int(lost), "root": str(root)}:
                restored.append(Restored(entry.index, lost, root))
    if expected < size:
        report.add(f"{span(expected, size)} missing at the end: the tail was cut.")
        unbroken = False
    report.size, report.root = frontier.size, frontier.root() if unbroken else b""
    return roots, restored


def leaf_from(report: Report, entry: Entry) -> bytes:
    """Return the leaf hash computed from the entry's fields; report if the stored one differs."""
    try:
        leaf = leaf_of(entry)
    except (ValueError, TypeError, AttributeError):  # a tampered field may even have the wrong type
        report.add(f"Entry {entry.index} was changed: it holds what no entry may hold.")
        return bytes(entry.leaf)
    if leaf != bytes(entry.leaf):
        report.add(f"Entry {entry.index} was changed: what it says now is not what was sealed.")
    return leaf


def entries(size: int) -> Iterator[Entry]:
    """Yield the entries with an index below `size`, also negative, in short queries (see `proofs.leaves`)."""
    after: int | None = None
    while True:
        rows = Entry.objects.filter(index__lt=size).order_by("index")
        batch = list((rows if after is None else rows.filter(index__gt=after))[:BATCH])
        if not batch:
            return
        yield from batch
        after = batch[-1].index


def span(start: int, stop: int) -> str:
    """Return the beginning of a sentence about the entries [start, stop): "Entry 5 is"."""
    return f"Entry {start} is" if stop == start + 1 else f"Entries {start} to {stop - 1} are"


def check_head(report: Report, head: TreeHead) -> None:
    """Compare the tree head with the root of the entries, and report entries beyond the head."""
    # The last entry is read before the head. A head is committed together with its entries, so an entry
    # recorded meanwhile cannot appear to be beyond the head.
    last = Entry.objects.aggregate(last=Max("index"))["last"]
    if last is not None and last >= (TreeHead.objects.first() or TreeHead()).size:
        report.add(f"Entry {last} stands beyond the log's end: it was inserted without being recorded.")
    try:
        root = head.as_frontier().root()
    except (ValueError, TypeError):
        report.add("The log's head contradicts itself.")
        return
    if report.root and root != report.root:
        report.add("The log's head is not that of its entries: entries were changed and sealed anew.")


def read_statements(report: Report, witness: Path | None, key: Ed25519PublicKey | None) -> list[Statement]:
    """Return the validly signed checkpoints from the directory and the database; report the others."""
    folder = witness or settings.LACUNA_WITNESS_DIR
    found: dict[tuple[int, bytes], Statement] = {}
    witness_notes: set[str] = set()
    for path in sorted(folder.glob("*.note")):
        note = path.read_bytes().decode(errors="replace")
        witness_notes.add(note)
        stated = checked_statement(report, note, f"The checkpoint in the witness file {path.name}", key)
        if stated is not None:
            found.setdefault(stated[:2], stated)
    for row in Checkpoint.objects.order_by("pk"):
        place = f"Checkpoint {row.pk} in the database"
        if witness is None and row.note not in witness_notes:
            report.add(f"{place}, of {row.size} entries, has no file in the witness directory any more.")
        stated = checked_statement(report, row.note, place, key)
        if stated is None:
            continue
        found.setdefault(stated[:2], stated)
        if stated[:2] != (row.size, bytes(row.root)):
            report.add(f"{place} was changed: its row and its signed note say different things.")
    report.checkpoints = len(found)
    return sorted(found.values())


def checked_statement(
    report: Report, note: str, place: str, key: Ed25519PublicKey | None
) -> Statement | None:
    """Return the statement of a note if `key` (by default one of our keys) signed it; else report it."""
    try:
        stated = verify_note(note, key) if key else verify_ours(note)
    except NoteInvalid as error:
        report.add(f"{place} is not to be believed: {error}.")
        return None
    return Statement(stated.size, stated.root, place)


def check_statement(
    report: Report, statement: Statement, roots: dict[int, bytes], restored: list[Restored]
) -> None:
    """Compare one checkpoint with the tree. A declared restore may explain why it does not match."""
    root = roots.get(statement.size)
    if root == statement.root:
        return
    for restore in restored:
        if restore.explains(statement):
            report.declared.append(
                f"{statement.place} is of a log whose end a restore lost, as entry {restore.index} declares."
            )
            return
    signed = f"{statement.place} was signed over {statement.size} entries"
    if root is not None:
        report.add(f"{signed} that are not those of today: the log was rewritten.")
    elif statement.size > report.size:
        report.add(f"{signed}, but the log has only {report.size}: the tail was cut.")
    else:
        report.add(f"{signed}, which cannot be compared because entries are missing.")
