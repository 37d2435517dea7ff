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

from clinic.audit import key_history, triggers
from clinic.audit.canonical import leaf_of
from clinic.audit.checkpoints import AFTERWARDS, Head, Note, NoteInvalid, verify_note
from clinic.audit.comparisons import COMPARISONS
from clinic.audit.keyring import former_keys, signed_by_any, verify_ours
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
    # Checkpoints that do not match the log, as a signed restore note explains: not problems.
    declared: list[str] = field(default_factory=list)
    # How many of the problems are restores that no signed note declares.
    undeclared: int = 0
    # How many of the problems are rows that are not as the log says.
    differences: int = 0
    unlisted: int = 0

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def found(self) -> int:
        """The number of problems."""
        return len(self.problems) + self.unlisted

    @property
    def log_ok(self) -> bool:
        """True if the log itself has no problem, whatever rows differ from it."""
        return self.found == self.differences

    def add(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)
        else:
            self.unlisted += 1


class Statement(NamedTuple):
    """A checkpoint whose signature has been checked. place: where it was found, as text.

    lost, kind, at: of a restore note, the heads that it gives up, RESTORED or AFTERWARDS, and when it was
    signed; empty for others.
    """

    size: int
    root: bytes
    place: str
    lost: tuple[Head, ...] = ()
    kind: str = ""
    at: str = ""

    @property
    def head(self) -> Head:
        return self.size, self.root


class Doubtful(NamedTuple):
    """A note that is not to be believed by itself: its text, where it was found, and why."""

    text: str
    place: str
    why: str


@dataclass(frozen=True)
class Restored:
    """An entry "audit.restored". It proves nothing by itself: see `check_restored`.

    index: of this entry. size, root (hex): of the newest checkpoint over the lost log.
    """

    index: int
    size: int
    root: str

    def names(self, statement: Statement) -> bool:
        """Return whether this entry is what would explain a checkpoint, if a note declared the restore."""
        newest = (statement.size, statement.root.hex()) == (self.size, self.root)
        return newest or self.index < statement.size < self.size


def verify_log(*, witness: Path | None = None, key: Ed25519PublicKey | None = None) -> Report:
    """Verify the whole log and return what was found. Changes nothing.

    witness: a directory with notes of checkpoints, by default LACUNA_WITNESS_DIR; only in that default
    directory is it a problem if the note of a stored checkpoint is missing. key: the public key to check
    signatures with; by default our own keys, each former key for what was signed before it was replaced.
    Entries are read in batches, in constant memory; checkpoints stay in memory, 100 bytes each. The log may
    grow meanwhile: entries recorded after the start are not verified. Rows that repeat what entries say are
    compared with them (comparisons.py).
    """
    report = Report()
    try:
        former_keys()
    except ValueError as error:  # no signature can be checked then
        report.add(f"The list of former signing keys cannot be read: {error}.")
        return report
    statements, doubtful = read_statements(report, witness, key)
    head = TreeHead.objects.first() or TreeHead()
    roots, restored = read_entries(report, head.size, {statement.size for statement in statements})
    check_head(report, head)
    lost = lost_heads(statements, roots)
    check_doubtful(report, doubtful, lost, statements)
    open_restores = check_restored(report, restored, lost)
    for statement in statements:
        check_statement(report, statement, roots, lost, open_restores)
    for name in triggers.missing(connection):
        report.add(f"The database would let the log be changed: its trigger {name} is missing.")
    compare_rows(report, head.size)
    return report


def compare_rows(report: Report, size: int) -> None:
    """Report everything stored that is not as the first `size` entries say."""
    before = report.found
    for rows, compare in {"signing keys": key_history.differences, **COMPARISONS}.items():
        try:
            for problem in compare(size):
                report.add(problem)
        except (ValueError, TypeError, AttributeError, LookupError) as error:  # a row may hold anything
            report.add(f"The {rows} cannot be compared with the log: {error!r}.")
    report.differences = report.found - before


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


def read_statements(
    report: Report, witness: Path | None, key: Ed25519PublicKey | None
) -> tuple[list[Statement], list[Doubtful]]:
    """Return the validly signed checkpoints from the directory and the database, and the other notes."""
    folder = witness or settings.LACUNA_WITNESS_DIR
    found: dict[tuple[Head, tuple[Head, ...]], Statement] = {}
    witness_notes: set[str] = set()
    doubtful: list[Doubtful] = []

    def read(text: str, place: str) -> Statement | None:
        try:
            stated = statement_of(verify_note(text, key) if key else verify_ours(text), place)
        except NoteInvalid as error:
            doubtful.append(Doubtful(text, place, str(error)))
            return None
        return found.setdefault((stated.head, stated.lost), stated)

    for path in sorted(folder.glob("*.note")):
        note = path.read_bytes().decode(errors="replace")
        witness_notes.add(note)
        read(note, f"The checkpoint in the witness file {path.name}")
    for row in Checkpoint.objects.order_by("pk"):
        place = f"Checkpoint {row.pk} in the database"
        if witness is None and row.note not in witness_notes:
            report.add(f"{place}, of {row.size} entries, has no file in the witness directory any more.")
        stated = read(row.note, place)
        if stated is not None and stated.head != (row.size, bytes(row.root)):
            report.add(f"{place} was changed: its row and its signed note say different things.")
    report.checkpoints = len(found)
    return sorted(found.values()), doubtful


def statement_of(note: Note, place: str) -> Statement:
    return Statement(note.size, note.root, place, note.lost, note.restored, note.at)


def lost_heads(statements: list[Statement], roots: dict[int, bytes]) -> dict[Head, Statement]:
    """Return the heads that restore notes over the present log give up, each with the note.

    A restore note over a log that is not the present one explains nothing: it is an old one, or of a log that
    was rewritten.
    """
    found: dict[Head, Statement] = {}
    for statement in statements:
        if statement.lost and roots.get(statement.size) == statement.root:
            found |= dict.fromkeys(statement.lost, statement)
    return found


def check_doubtful(
    report: Report, doubtful: list[Doubtful], lost: dict[Head, Statement], statements: list[Statement]
) -> None:
    """Report notes that are not to be believed.

    A former key may have signed a lost head that is longer than the log was when the key was replaced, and
    restore notes that the present key has signed too.
    """
    believed = {statement._replace(place="") for statement in statements}
    for note in doubtful:
        signed = signed_by_any(note.text)
        if signed is not None and signed.head in lost:
            declare(report, statement_of(signed, note.place), lost[signed.head])
        elif signed is None or statement_of(signed, "") not in believed:
            report.add(f"{note.place} is not to be believed: {note.why}.")


def check_restored(report: Report, restored: list[Restored], lost: dict[Head, Statement]) -> list[Restored]:
    """Report the entries "audit.restored" that no note over the present log backs, and return them."""
    signed = {(size, root.hex()) for size, root in lost}
    found = [restore for restore in restored if (restore.size, restore.root) not in signed]
    for restore in found:
        report.undeclared += 1
        report.add(
            f"Undeclared restore: entry {restore.index} says that a backup was restored, and no note "
            "signed over this log declares it. Versions before signed notes left none; a forged entry looks "
            "the same."
        )
    return found


def declare(report: Report, statement: Statement, note: Statement) -> None:
    """Add a checkpoint that a restore note explains to what is declared."""
    signed = f"signed afterwards, at {note.at}," if note.kind == AFTERWARDS else f"signed at {note.at}"
    report.declared.append(
        f"{statement.place}, of {statement.size} entries, is of a log whose end a restore lost, as a note "
        f"{signed} over {note.size} entries declares."
    )


def check_statement(
    report: Report,
    statement: Statement,
    roots: dict[int, bytes],
    lost: dict[Head, Statement],
    open_restores: list[Restored],
) -> None:
    """Compare one checkpoint with the tree. A restore note may explain why it does not match."""
    root = roots.get(statement.size)
    if root == statement.root:
        return
    if statement.head in lost:
        declare(report, statement, lost[statement.head])
        return
    signed = f"{statement.place} was signed over {statement.size} entries"
    for restore in open_restores:
        if restore.names(statement):
            report.undeclared += 1
            report.add(f"{signed} that only the undeclared restore of entry {restore.index} would explain.")
            return
    if root is not None:
        report.add(f"{signed} that are not those of today: the log was rewritten.")
    elif statement.size > report.size:
        report.add(f"{signed}, but the log has only {report.size}: the tail was cut.")
    else:
        report.add(f"{signed}, which cannot be compared because entries are missing.")
