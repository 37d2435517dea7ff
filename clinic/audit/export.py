"""The log as a file that proves itself: JSON lines, signed, each entry's line the very bytes of its leaf."""

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
from clinic.audit.proofs import BATCH, Tree, head_size, keep_subtrees, texts

KIND = "lacuna-audit-export"


def export(entries: EntryQuerySet, asked: Mapping[str, str], at: datetime) -> bytes:
    """Return `entries` as signed JSON lines, oldest first, and the whole log around them as hashes.

    asked: the filters that chose them, as text. at: when. The first line says what this is. Each line up to
    the last is one entry in canonical form, so that SHA-256(0x00 || line) is its leaf; or, for entries that
    were not chosen or are not this reader's to see, the roots of the perfect subtrees they make, left to
    right. So whoever has the file can compute the root of the whole log, and of the log at each checkpoint,
    whatever was left out. The last line carries every checkpoint and the signature of every byte before it.
    Errors: LookupError where the log has gaps.
    """
    size = head_size()
    body = b"".join(_body(entries, asked, at, size))
    return body + _foot(hashlib.sha256(body).hexdigest(), sign(body), size)


def export_to(file: BinaryIO, entries: EntryQuerySet, at: datetime) -> int:
    """Write what `export` returns into an empty file on a disk, open for writing and reading.

    However long the log is, little of it is in memory. Returns the number of bytes. Errors: also OSError.
    """
    size, digest = head_size(), hashlib.sha256()
    for line in _body(entries, {}, at, size):
        digest.update(line)
        file.write(line)
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body, memoryview(body) as text:
        signature = sign(text)
    file.write(_foot(digest.hexdigest(), signature, size))
    file.flush()
    return file.tell()


def _body(entries: EntryQuerySet, asked: Mapping[str, str], at: datetime, size: int) -> Iterator[bytes]:
    """Yield every line but the last."""
    keep_subtrees(size)
    chosen = {name: value for name, value in sorted(asked.items()) if value}
    yield dump({"kind": KIND, "v": 2, "at": moment(at), "filters": chosen, "log": size}) + b"\n"
    sizes = sorted(set(_checkpoints(size).values_list("size", flat=True)))
    for line in lines(entries.filter(index__lt=size), size, sizes):
        yield line + b"\n"


def _foot(digest: str, signature: bytes, size: int) -> bytes:
    # One of two checkpoints over the same log says nothing new, and none over a longer one can be shown here.
    notes = list(dict.fromkeys(_checkpoints(size).values_list("note", flat=True)))
    foot = {
        "kind": "signature",
        "key": verifier_key(),
        "sha256": digest,
        "signature": base64.b64encode(signature).decode(),
        "checkpoints": notes,
    }
    return dump(foot) + b"\n"


def _checkpoints(size: int) -> QuerySet[Checkpoint]:
    return Checkpoint.objects.filter(size__lte=size).order_by("size", "pk")


def lines(entries: EntryQuerySet, size: int, sizes: list[int]) -> Iterator[bytes]:
    """Yield the lines of the log of `size` entries; runs of hidden ones end at each of `sizes`."""
    tree, done = Tree(), 0
    for entry in entries.order_by("index").iterator(chunk_size=BATCH):
        yield from hidden(tree, done, entry.index, sizes)
        yield canonical(entry)
        done = entry.index + 1
    yield from hidden(tree, done, size, sizes)


def hidden(tree: Tree, start: int, stop: int, sizes: list[int]) -> Iterator[bytes]:
    """Yield what stands for the entries [start, stop)."""
    for end in [*(size for size in sizes if start < size < stop), stop]:
        if start < end:
            roots = [tree.root(first, first + width) for first, width in perfect(start, end)]
            yield dump({"kind": "hidden", "from": start, "to": end, "roots": texts(roots)})
        start = end


def perfect(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield (first, width) of the perfect subtrees of which [start, stop) consists, left to right."""
    while start < stop:
        width = start & -start or 1 << (stop - start).bit_length()
        while width > stop - start:
            width >>= 1
        yield start, width
        start += width
