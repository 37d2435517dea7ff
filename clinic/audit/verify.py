"""Reading the whole log against itself, against its head and against every checkpoint that left.

Problems are told in plain sentences, in English: they are quoted in reports and read out by a command.
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

MOST_PROBLEMS = 100  # a report is for reading; a log rewritten whole would fill memory with sentences


@dataclass
class Report:
    """What a verification found. `size` and `root` are those the rows give, whatever the head says."""

    size: int = 0
    root: bytes = b""
    checkpoints: int = 0
    problems: list[str] = field(default_factory=list)
    # What was lost and declared: a restored backup, named with the newest checkpoint of the log before it.
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
    """A checkpoint that somebody holds, its signature already checked."""

    size: int
    root: bytes
    place: str


@dataclass(frozen=True)
class Restored:
    """An entry that declares the log's end lost: entries [index, size) were of a log that is gone."""

    index: int
    size: int
    root: str

    def explains(self, statement: Statement) -> bool:
        """Whether a checkpoint that today's log doesn't give was signed over the log that is gone."""
        newest = (statement.size, statement.root.hex()) == (self.size, self.root)
        return newest or self.index < statement.size < self.size


def verify_log(*, witness: Path | None = None, key: Ed25519PublicKey | None = None) -> Report:
    """Verify the log from its rows up; changes nothing.

    witness: the directory of notes that left the database, by default LACUNA_WITNESS_DIR; there alone a
    missing note of a known checkpoint is a problem. key: the public key to check signatures with, by default
    the house's own, each former one for what was signed before it was replaced. Entries are read in batches,
    in constant memory; checkpoints are held, 100 bytes each. The log may grow meanwhile: what is verified is
    the log at the moment of the call.
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
    """Recompute the tree from the rows; return its root at each size of `wanted`, and declared restores.

    After a gap there is no tree any more, so no root from there on.
    """
    frontier, whole, roots, restored = Frontier(), True, {}, []
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
            whole = False
        expected = entry.index + 1
        leaf = leaf_from(report, entry)
        frontier, block = frontier.append(leaf), block.append(leaf)
        if block.size == BLOCK:
            stored, found, block = kept.get(entry.index // BLOCK), block.root(), Frontier()
            if whole and stored is not None and bytes(stored) != found:
                report.add(f"The kept root of block {entry.index // BLOCK} is not that of its entries.")
        if whole and frontier.size in wanted:
            roots[frontier.size] = frontier.root()
        match entry.action, entry.details:
            case "audit.restored", {"size": int(lost), "root": str(root)}:
                restored.append(Restored(entry.index, lost, root))
    if expected < size:
        report.add(f"{span(expected, size)} missing at the end: the tail was cut.")
        whole = False
    report.size, report.root = frontier.size, frontier.root() if whole else b""
    return roots, restored


def leaf_from(report: Report, entry: Entry) -> bytes:
    """Return the leaf that the entry's fields give, and report where the stored one is another."""
    try:
        leaf = leaf_of(entry)
    except (ValueError, TypeError, AttributeError):  # a tampered field need not even have its type
        report.add(f"Entry {entry.index} was changed: it holds what no entry may hold.")
        return bytes(entry.leaf)
    if leaf != bytes(entry.leaf):
        report.add(f"Entry {entry.index} was changed: what it says now is not what was sealed.")
    return leaf


def entries(size: int) -> Iterator[Entry]:
    """Yield the entries below `size`, negative ones included, in short reads (see `proofs.leaves`)."""
    after: int | None = None
    while True:
        rows = Entry.objects.filter(index__lt=size).order_by("index")
        batch = list((rows if after is None else rows.filter(index__gt=after))[:BATCH])
        if not batch:
            return
        yield from batch
        after = batch[-1].index


def span(start: int, stop: int) -> str:
    """Return the subject and verb of a sentence on the entries [start, stop)."""
    return f"Entry {start} is" if stop == start + 1 else f"Entries {start} to {stop - 1} are"


def check_head(report: Report, head: TreeHead) -> None:
    """Compare the stored head with what the rows gave, and look for rows beyond it."""
    # Read in this order: a head is committed with its entries, so none is beyond a head that is read later.
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
    """Return the checkpoints that `key`, or the house, signed, wherever they lie; report the others."""
    folder = witness or settings.LACUNA_WITNESS_DIR
    found: dict[tuple[int, bytes], Statement] = {}
    held: set[str] = set()
    for path in sorted(folder.glob("*.note")):
        note = path.read_bytes().decode(errors="replace")
        held.add(note)
        said = believe(report, note, f"The checkpoint in the witness file {path.name}", key)
        if said is not None:
            found.setdefault(said[:2], said)
    for row in Checkpoint.objects.order_by("pk"):
        place = f"Checkpoint {row.pk} in the database"
        if witness is None and row.note not in held:
            report.add(f"{place}, of {row.size} entries, has no file in the witness directory any more.")
        said = believe(report, row.note, place, key)
        if said is None:
            continue
        found.setdefault(said[:2], said)
        if said[:2] != (row.size, bytes(row.root)):
            report.add(f"{place} was changed: its row and its signed note say different things.")
    report.checkpoints = len(found)
    return sorted(found.values())


def believe(report: Report, note: str, place: str, key: Ed25519PublicKey | None) -> Statement | None:
    """Return what a note states if `key`, or the house, signed it, else report it."""
    try:
        said = verify_note(note, key) if key else verify_ours(note)
    except NoteInvalid as error:
        report.add(f"{place} is not to be believed: {error}.")
        return None
    return Statement(said.size, said.root, place)


def check_statement(
    report: Report, statement: Statement, roots: dict[int, bytes], restored: list[Restored]
) -> None:
    """Compare one checkpoint with the tree; a declared restore explains what was signed before it."""
    root = roots.get(statement.size)
    if root == statement.root:
        return
    for gap in restored:
        if gap.explains(statement):
            report.declared.append(
                f"{statement.place} is of a log whose end a restore lost, as entry {gap.index} declares."
            )
            return
    signed = f"{statement.place} was signed over {statement.size} entries"
    if root is not None:
        report.add(f"{signed} that are not those of today: the log was rewritten.")
    elif statement.size > report.size:
        report.add(f"{signed}, but the log has only {report.size}: the tail was cut.")
    else:
        report.add(f"{signed}, which cannot be compared because entries are missing.")
