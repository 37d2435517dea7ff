"""Export of the log as signed JSON lines that can be verified without the database.

The line of an entry is exactly the bytes that its leaf hash is computed from.
"""

import base64
import hashlib
import mmap
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import BinaryIO

from django.db.models import QuerySet

from clinic.audit.canonical import canonical, dump, moment
from clinic.audit.checkpoints import sign, verifier_key
from clinic.audit.models import Checkpoint, EntryQuerySet
from clinic.audit.proofs import BATCH, Tree, head_size, hex_digests, keep_subtrees

KIND = "lacuna-audit-export"


def export(entries: EntryQuerySet, asked: Mapping[str, str], at: datetime) -> bytes:
    """Return `entries` as signed JSON lines, oldest first, and the other entries of the log as hashes.

    asked: the filters that selected `entries`, as text. at: time of the export. The first line describes the
    export. Each line between the first and the last is one entry in canonical form, so that its leaf hash is
    SHA-256(0x00 || line); or it stands for a range of entries that were not selected or that this reader may
    not see, and has the roots of their perfect subtrees, left to right. So the root of the whole log, and of
    the log at each checkpoint, can be computed from the file, whatever was left out. The last line has every
    checkpoint and the signature of all bytes before it. Errors: LookupError if the log has gaps.
    """
    size = head_size()
    body = b"".join(_body(entries, asked, at, size))
    return body + _last_line(hashlib.sha256(body).hexdigest(), sign(body), size)


def export_to(file: BinaryIO, entries: EntryQuerySet, at: datetime) -> int:
    """Write the same as `export` returns into `file` and return the number of bytes.

    file: an empty file on a disk, open for writing and reading. Only a small part of the log is in memory at
    a time. Errors: LookupError, OSError.
    """
    size, digest = head_size(), hashlib.sha256()
    for line in _body(entries, {}, at, size):
        digest.update(line)
        file.write(line)
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body, memoryview(body) as text:
        signature = sign(text)
    file.write(_last_line(digest.hexdigest(), signature, size))
    file.flush()
    return file.tell()


def _body(entries: EntryQuerySet, asked: Mapping[str, str], at: datetime, size: int) -> Iterator[bytes]:
    """Yield all lines except the last."""
    keep_subtrees(size)
    chosen = {name: value for name, value in sorted(asked.items()) if value}
    yield dump({"kind": KIND, "v": 2, "at": moment(at), "filters": chosen, "log": size}) + b"\n"
    sizes = sorted(set(_checkpoints(size).values_list("size", flat=True)))
    for line in lines(entries.filter(index__lt=size), size, sizes):
        yield line + b"\n"


def _last_line(digest: str, signature: bytes, size: int) -> bytes:
    """Return the last line."""
    # Equal notes are listed once. A checkpoint over a longer log cannot be checked with this file.
    notes = list(dict.fromkeys(_checkpoints(size).values_list("note", flat=True)))
    line = {
        "kind": "signature",
        "key": verifier_key(),
        "sha256": digest,
        "signature": base64.b64encode(signature).decode(),
        "checkpoints": notes,
    }
    return dump(line) + b"\n"


def _checkpoints(size: int) -> QuerySet[Checkpoint]:
    """Return the checkpoints over at most `size` entries."""
    return Checkpoint.objects.filter(size__lte=size).order_by("size", "pk")


def lines(entries: EntryQuerySet, size: int, sizes: list[int]) -> Iterator[bytes]:
    """Yield the lines of a log with `size` entries, those not in `entries` as ranges of hidden ones.

    A hidden range is cut at each of `sizes` (those of the checkpoints), so that their roots can be computed.
    """
    tree, next_index = Tree(), 0
    for entry in entries.order_by("index").iterator(chunk_size=BATCH):
        yield from hidden_lines(tree, next_index, entry.index, sizes)
        yield canonical(entry)
        next_index = entry.index + 1
    yield from hidden_lines(tree, next_index, size, sizes)


def hidden_lines(tree: Tree, start: int, stop: int, sizes: list[int]) -> Iterator[bytes]:
    """Yield the lines that stand for the hidden entries [start, stop), cut at each of `sizes`."""
    for end in [*(size for size in sizes if start < size < stop), stop]:
        if start < end:
            roots = [tree.root(first, first + width) for first, width in perfect_subtrees(start, end)]
            yield dump({"kind": "hidden", "from": start, "to": end, "roots": hex_digests(roots)})
        start = end


def perfect_subtrees(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield (first, width) of the perfect subtrees that make up [start, stop), left to right."""
    while start < stop:
        width = start & -start or 1 << (stop - start).bit_length()
        while width > stop - start:
            width >>= 1
        yield start, width
        start += width
