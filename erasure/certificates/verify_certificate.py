#!/usr/bin/env python3
"""Check a certificate of erasure, or an exported audit log, without help from the clinic that made it.

    python -I verify_certificate.py certificate.json --key "lacuna.example/audit+…"
    python -I verify_certificate.py audit-….jsonl --key … --checkpoint note-i-was-sent.note
    python -I verify_certificate.py certificate.json --key … --log audit-….jsonl

This single file needs Python 3.10 or newer and the package `cryptography`. It uses no network and no other
code of Lacuna. Exit codes: 0 if everything that could be checked holds, 1 if something does not hold, 2 if
the input cannot be checked. Licence: Apache-2.0.

The checks follow RFC 8032 (Ed25519), RFC 9162 (Merkle tree, inclusion, consistency) and C2SP signed-note and
tlog-checkpoint. The clinic's own pages run this same file.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

# The types of statements: the certificate of a night, and of what a patient had destroyed outside a night.
NIGHT, DESTRUCTION = "lacuna.certificate-of-erasure", "lacuna.certificate-of-destruction"
ED25519 = b"\x01"
MOST = 2**53  # the largest number a certificate or a log may hold
RESTORED_LINE = re.compile(r"restored(?P<late>-afterwards)? (?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z)")
LOST_LINE = re.compile(r"lost (?P<size>0|[1-9][0-9]{0,15}) (?P<root>[A-Za-z0-9+/]{43}=)")
SIGNATURE_LINE = re.compile(r"— (?P<name>[^\s+]+) (?P<blob>[A-Za-z0-9+/]+={0,2})")

# The sentences for all findings, by code.
SENTENCES = {
    "unreadable": "It cannot be checked: %(why)s.",
    "key-given": "The key is the one you gave: %(key)s.",
    "key-own": "You gave no key. The one in the file was used, %(key)s: that shows that nothing was changed, "
    "not who made it. Get the clinic's key from somewhere else and compare.",
    "signature": "The signature belongs to this text and this key.",
    "signature-not": "The signature does NOT belong to this text and this key.",
    "checkpoint": "The checkpoint over %(size)d entries is signed with this key.",
    "checkpoint-not": "A checkpoint is NOT to be believed: %(why)s.",
    "entries": "Entries of the log proved to be among those %(size)d: %(n)d.",
    "entry-not": "Entry %(index)d is NOT proved to be in the log.",
    "entry-foreign": "Entry %(index)d belongs to another run.",
    "destroyed": "Destroyed memories that have their entry in the log, with the same figures: %(n)d.",
    "destroyed-not": "Destroyed memories that have NO entry of the log that says the same of them: %(n)d.",
    "destroyed-more": "Destroyed memories in the log that the certificate leaves out: %(n)d.",
    "items": "Memories, keepsakes and words destroyed that have their entry in the log, with the same "
    "figures: %(n)d.",
    "items-not": "Memories, keepsakes or words destroyed that have NO entry of the log that says the same of "
    "them: %(n)d.",
    "items-more": "Memories, keepsakes or words destroyed in the log that the certificate leaves out: %(n)d.",
    "outcome": "The log says that the run ended as the certificate does: %(outcome)s.",
    "outcome-not": "The log does NOT say that the run ended as the certificate does.",
    "verified": "The log says that the verification found what the certificate says it found.",
    "verified-not": "The log does NOT say that the verification found what the certificate says.",
    "handed-over": "Entry %(index)d hands the signature over to another key, signed with both.",
    "logged": "That this very certificate was issued is entry %(index)d of the log.",
    "logged-not": "The log you gave has NO entry that this certificate was issued.",
    "log-root": "The log of %(size)d entries has the root %(root)s, computed from its first entry on.",
    "log-shown": "Entries written out: %(shown)d. Others, of which only hashes were given: %(hidden)d.",
    "log-line": "Line %(line)d is NOT what belongs there: %(why)s.",
    "note-same": "The log you hold a checkpoint of, %(size)d entries, is a beginning of this one.",
    "note-not": "The log you hold a checkpoint of, %(size)d entries, is NOT a beginning of this one: "
    "it was rewritten.",
    "note-longer": "The checkpoint over %(size)d entries is of a longer log than these %(have)d: the end was "
    "cut, unless this was made earlier.",
    "note-hidden": "The checkpoint over %(size)d entries cannot be compared: it ends among entries that "
    "were not given.",
    "note-apart": "The checkpoint over %(size)d entries cannot be compared with the certificate's alone: "
    "give the exported log too.",
    "note-lost": "The checkpoint over %(size)d entries is of a log whose end a restored backup lost, as a "
    "note signed over %(after)d entries declares.",
    "note-lost-late": "The checkpoint over %(size)d entries is of a log whose end a restored backup lost, as "
    "a note signed over %(after)d entries declares. It was signed afterwards, at %(at)s.",
    "restored-not": "Entry %(index)d says that a backup was restored, and NO note signed over this log "
    "declares it.",
}
UNKNOWN = {
    "disk": "whether a disk, a snapshot or a thief kept an old copy of a key before it was overwritten: "
    "the certificate says where keys lay and what limits that has",
    "copies": "whether copies exist outside the clinic: phones, clouds, prints, other people",
    "honest": "whether the clinic's program did what it wrote down: its source and its tests are public",
    "other-log": "whether somebody else was shown another log: only comparing checkpoints tells",
    "person": "whose memories they were, and whom they were about: that is not in any of this",
}


class Unreadable(ValueError):
    """The input is neither a certificate nor a log that can be checked. The message says why."""


class Finding(NamedTuple):
    """The result of one check. `holds` is None if it could not be made."""

    code: str
    holds: bool | None
    values: dict[str, Any]

    def __str__(self) -> str:
        return SENTENCES[self.code] % self.values


@dataclass(frozen=True)
class Key:
    """A public key that signs for a log, with the log's name."""

    name: str
    public: Ed25519PublicKey

    @property
    def number(self) -> bytes:
        """The key id of C2SP signed-note, 4 bytes."""
        raw = self.public.public_bytes_raw()
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + raw).digest()[:4]

    def __str__(self) -> str:
        """Return the verifier key: name+id+base64."""
        blob = base64.b64encode(ED25519 + self.public.public_bytes_raw()).decode()
        return f"{self.name}+{self.number.hex()}+{blob}"

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Return whether `signature` of `text` was made with this key."""
        try:
            self.public.verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Note:
    """A checkpoint whose signature was verified: size and root of the log.

    lost: of a restore note, the (size, root) of the checkpoints over entries that the restore gave up. late:
    it was signed afterwards. at: when it was signed.
    """

    size: int
    root: bytes
    lost: tuple[tuple[int, bytes], ...] = ()
    late: bool = False
    at: str = ""

    @property
    def reach(self) -> int:
        """The largest size that the note says anything about."""
        return max([self.size, *(size for size, _root in self.lost)])


@dataclass(frozen=True)
class Keys:
    """The keys of one log after key rotations.

    former: earlier keys as (largest log size the key may sign for, key).
    """

    last: Key
    former: tuple[tuple[int, Key], ...] = ()

    def for_size(self, size: int) -> list[Key]:
        """Return the keys that may sign for a log of `size` entries."""
        return [self.last, *(key for most, key in self.former if size <= most)]


@dataclass
class Log:
    """What was read from an export.

    roots: Merkle tree roots by size, for sizes that are compared later. entries: the entries given in full,
    by index. restored: the (size, root) that each entry `audit.restored` says a restored backup lost, by
    index; only a signed note proves it.
    """

    size: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    entries: dict[int, dict[str, Any]] = field(default_factory=dict)
    restored: dict[int, tuple[int, str]] = field(default_factory=dict)


# --- Hashes (RFC 9162) ------------------------------------------------------------------------------------
def leaf_hash(text: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + text).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` shows that `leaf` is at `index` in the tree (size, root): RFC 9162, 2.1.3.2."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


class Peaks:
    """A Merkle tree as (width, root) of its perfect subtrees. Entries or whole subtrees can be appended."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[tuple[int, bytes]] = []

    def add(self, root: bytes, width: int = 1) -> None:
        self.size += width
        while self.peaks and self.peaks[-1][0] == width:
            root, width = node_hash(self.peaks.pop()[1], root), width * 2
        self.peaks.append((width, root))

    def root(self) -> bytes:
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        found = self.peaks[-1][1]
        for _width, peak in reversed(self.peaks[:-1]):
            found = node_hash(peak, found)
        return found


def widths(start: int, stop: int) -> list[int]:
    """Return the widths of the perfect subtrees that [start, stop) consists of, left to right."""
    found = []
    while start < stop:
        width = start & -start if start else 1 << (stop - start).bit_length() - 1
        while width > stop - start:
            width >>= 1
        found.append(width)
        start += width
    return found


# --- Reading untrusted input ------------------------------------------------------------------------------
def unreadable(why: str) -> NoReturn:
    raise Unreadable(why)


def read_json(text: bytes) -> Any:
    """Parse JSON without duplicate keys and without floats. Errors: Unreadable."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        return found if len(found) == len(pairs) else unreadable("it says one thing twice")

    def no(text: str) -> NoReturn:
        unreadable(f"{text[:20]} is no number that may stand there")

    try:
        return json.loads(text, object_pairs_hook=once, parse_constant=no, parse_float=no)
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error) if isinstance(error, Unreadable) else "it is no JSON") from error


def canonical(value: object) -> bytes:
    """Return `value` as canonical JSON, the only form that is signed. Errors: Unreadable."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable("it holds what cannot be written") from error


def get(source: Any, name: str, kind: type) -> Any:
    """Return `source[name]`, which must be of type `kind`. Errors: Unreadable."""
    found = source.get(name) if isinstance(source, dict) else None
    if type(found) is not kind or (isinstance(found, int) and not 0 <= found < MOST):
        unreadable(f"{name!r} is missing, or not what it should be")
    return found


def unhex(text: object) -> bytes:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9a-f]{64}", text):
        unreadable("a hash is not 64 hex digits")
    return bytes.fromhex(text)


def unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError as error:
        raise Unreadable("something is not base64 that should be") from error


def read_key(text: str, name: str = "") -> Key:
    """Parse a verifier key (name+id+base64), or a PEM key of the log called `name`. Errors: Unreadable."""
    try:
        if text.lstrip().startswith("-----BEGIN"):
            public = load_pem_public_key(text.strip().encode())
            return Key(name, public) if isinstance(public, Ed25519PublicKey) else unreadable("no Ed25519 key")
        called, number, blob = text.strip().split("+", 2)
        raw = unbase64(blob)
        if raw[:1] != ED25519 or len(raw) != 33:
            unreadable("the key is no Ed25519 verifier key")
        key = Key(called, Ed25519PublicKey.from_public_bytes(raw[1:]))
        return key if key.number.hex() == number else unreadable("the verifier key's id is not its own")
    except Unreadable:
        raise
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unreadable("the key is no verifier key (name+id+base64)") from error


def read_note(text: str, key: Key) -> Note:
    """Verify that `key` signed a checkpoint, and return its content. Errors: Unreadable."""
    body, _gap, signed = text.rpartition("\n\n")
    lines = body.split("\n")
    if len(lines) < 3 or not re.fullmatch(r"0|[1-9][0-9]{0,15}", lines[1]):
        unreadable("it is no signed note")
    if lines[0] != key.name:
        unreadable("it speaks of another log")
    ours = []
    for line in signed.rstrip("\n").split("\n"):
        match = SIGNATURE_LINE.fullmatch(line) or unreadable("a signature line is malformed")
        blob = unbase64(match["blob"])
        if match["name"] == key.name and blob[:4] == key.number:
            ours.append(blob[4:])
    root = unbase64(lines[2])
    if not ours:
        unreadable("it is not signed with this key")
    try:
        held = all(key.signed(f"{body}\n".encode(), signature) for signature in ours)
    except UnicodeEncodeError:
        held = False
    if not held or len(root) != 32:
        unreadable("its signature is not of this text")
    return Note(int(lines[1]), root, *read_restored(lines[3:]))


def read_restored(lines: Sequence[str]) -> tuple[tuple[tuple[int, bytes], ...], bool, str]:
    """Return what a restore note's further lines say: the lost heads, whether it is late, when it was signed.

    Nothing for other notes. Errors: Unreadable.
    """
    if not lines or not lines[0].startswith("restored"):
        return (), False, ""
    first = RESTORED_LINE.fullmatch(lines[0])
    lost = [LOST_LINE.fullmatch(line) for line in lines[1:]]
    if first is None or not lost or None in lost:
        unreadable("what it says about a restore is malformed")
    heads = tuple((int(one["size"]), unbase64(one["root"])) for one in lost if one)
    return heads, first["late"] is not None, first["at"]


# --- A certificate ----------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Certificate:
    """The content of a certificate file: the signed text, its signature, and the text parsed (`says`)."""

    text: bytes
    signature: bytes
    says: dict[str, Any]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


def read_certificate(file: bytes, signature: bytes | None = None) -> Certificate:
    """Parse certificate.json, or a statement alone with its detached `signature`. Errors: Unreadable."""
    outer = read_json(file)
    text, signed = file, signature
    if isinstance(outer, dict) and "statement" in outer:
        try:
            text = get(outer, "statement", str).encode()
        except UnicodeEncodeError as error:
            raise Unreadable("it holds what cannot be written") from error
        signed = unbase64(get(outer, "signature", str))
    if signed is None:
        unreadable("its signature is missing")
    says = read_json(text)
    if get(says, "type", str) not in (NIGHT, DESTRUCTION):
        unreadable("it is no certificate of erasure")
    if canonical(says) != text:
        unreadable("it is not written in the one way a statement is")
    return Certificate(text, signed, says)


def check_certificate(certificate: Certificate, key: Key | None) -> list[Finding]:
    """Check a certificate's signature, its checkpoint and the entries of the log in it. Errors: Unreadable.

    key: None uses the key in the certificate itself, which proves only that nothing was changed.
    """
    log = get(certificate.says, "log", dict)
    given, key = key, key or read_key(get(log, "verifier-key", str))
    found = [Finding("key-given", True, {"key": key}) if given else Finding("key-own", None, {"key": key})]
    if not key.signed(certificate.text, certificate.signature):
        return [*found, Finding("signature-not", False, {})]
    found.append(Finding("signature", True, {}))
    try:
        note = read_note(get(log, "checkpoint", str), key)
    except Unreadable as error:
        return [*found, Finding("checkpoint-not", False, {"why": error})]
    found.append(Finding("checkpoint", True, {"size": note.size}))
    entries = proved_entries(certificate.says, note, found)
    return [*found, *compare_entries(certificate.says, entries)]


def proved_entries(says: dict[str, Any], note: Note, found: list[Finding]) -> dict[int, dict[str, Any]]:
    """Return the run's entries that are proved to be in the log, by index. Append the others to `found`."""
    log = says["log"]
    hashes = (
        [unhex(text) for text in log.get("hashes", [])] if isinstance(log.get("hashes", []), list) else []
    )
    proved = {}
    for one in get(log, "entries", list):
        index, text = get(one, "index", int), get(one, "text", str)
        steps = get(one, "proof", list)
        if len(steps) > 64:
            unreadable("a proof is longer than any log")
        try:
            # Since version 2 a proof gives hashes as indexes into one list, because proofs share many hashes.
            path = [hashes[step] if type(step) is int else unhex(step) for step in steps]
            leaf = leaf_hash(text.encode())
        except (IndexError, UnicodeEncodeError) as error:
            raise Unreadable("a proof names a hash that is not there") from error
        entry = read_json(text.encode())
        if get(entry, "index", int) != index or not included(leaf, index, note.size, path, note.root):
            found.append(Finding("entry-not", False, {"index": index}))
        elif get(entry, "run", str) != get(says, "run", str):
            found.append(Finding("entry-foreign", False, {"index": index}))
        else:
            proved[index] = entry
    found.append(Finding("entries", True, {"n": len(proved), "size": note.size}))
    return proved


ITEM_ACTIONS = {f"destruction.{what}" for what in ("memory", "keepsake", "case")}


def compare_entries(says: dict[str, Any], entries: dict[int, dict[str, Any]]) -> list[Finding]:
    """Compare the certificate's statement with the log's entries about the run or destruction."""
    outside = says.get("type") == DESTRUCTION
    actions = ITEM_ACTIONS if outside else {"memory.destroyed"}
    told = {index: entry for index, entry in entries.items() if entry.get("action") in actions}
    things = get(says, "destroyed", list)
    agreed = {get(one, "entry", int) for one in things if same_as_entry(one, told, outside=outside)}
    code, found = "items" if outside else "destroyed", []
    if len(agreed) < len(things):
        found.append(Finding(f"{code}-not", False, {"n": len(things) - len(agreed)}))
    found.append(Finding(code, True, {"n": len(agreed)}))
    if told.keys() - agreed and len(agreed) == len(things):
        found.append(Finding(f"{code}-more", False, {"n": len(told.keys() - agreed)}))
    noun = "destruction" if outside else "run"
    outcome = get(says, "outcome", str)
    ends = [details_of(entry) for entry in entries.values() if entry.get("action") == f"{noun}.finished"]
    if [(end.get("outcome"), end.get("destroyed")) for end in ends] == [(outcome, len(things))]:
        found.append(Finding("outcome", True, {"outcome": outcome}))
    else:
        found.append(Finding("outcome-not", False, {}))
    result = get(says, "verification", dict).get("result")
    looked = [details_of(entry) for entry in entries.values() if entry.get("action") == f"{noun}.verified"]
    if looked and looked[-1].get("result") == result:
        found.append(Finding("verified", True, {}))
    else:
        found.append(Finding("verified-not", False, {}))
    return found


def same_as_entry(thing: Any, told: dict[int, dict[str, Any]], *, outside: bool) -> bool:
    """Return whether the log's entry on a destroyed thing says the same of it as the certificate.

    told: the entries on destroyed things, by index. outside: the thing was destroyed outside a night. Errors:
    Unreadable.
    """
    entry = told.get(get(thing, "entry", int), {})
    names = ("objects", "bytes", "passes")
    same = [get(thing, name, int) for name in names] == [details_of(entry).get(name) for name in names]
    unfaded = thing.get("unfaded", [])
    same &= isinstance(unfaded, list) and len(unfaded) == details_of(entry).get("unfaded", 0)
    if outside:
        same &= entry.get("action") == f"destruction.{get(thing, 'what', str)}"
        return same and entry.get("subject") == f"item:{get(thing, 'item', str)}"
    return same and entry.get("subject") == f"step:{get(thing, 'step', str)}"


def details_of(entry: dict[str, Any]) -> dict[str, Any]:
    details = entry.get("details")
    return details if isinstance(details, dict) else {}


# --- An exported log --------------------------------------------------------------------------------------
def check_log(file: bytes, key: Key | None, outside: Sequence[str] = ()) -> tuple[Log, list[Finding]]:
    """Check an export: every line, the Merkle tree of all lines, the export's signature and every checkpoint.

    outside: checkpoints from elsewhere, checked like those in the export.
    Errors: Unreadable if it is no export.
    """
    body, _newline, last = file.rstrip(b"\n").rpartition(b"\n")
    lines, body = body.split(b"\n"), body + b"\n"
    head, foot = read_json(lines[0]), read_json(last)
    if get(head, "kind", str) != "lacuna-audit-export" or get(foot, "kind", str) != "signature":
        unreadable("it is no exported log, or its end is missing")
    given, key = key, key or read_key(get(foot, "key", str))
    found = [Finding("key-given", True, {"key": key}) if given else Finding("key-own", None, {"key": key})]
    keys = all_keys(lines[1:], key, found)
    held = keys.last.signed(body, unbase64(get(foot, "signature", str)))
    found.append(Finding("signature", True, {}) if held else Finding("signature-not", False, {}))
    inside = [note for note in get(foot, "checkpoints", list) if isinstance(note, str)]
    notes = believed(list(dict.fromkeys([*inside, *outside])), keys, found)
    log = Log()
    grow(log, lines[1:], {note.size for note in notes}, found)
    size = get(head, "log", int)
    if log.size != size:
        why = f"the log ends at {log.size} and not at {size}"
        found.append(Finding("log-line", False, {"line": len(lines), "why": why}))
    hidden = log.size - len(log.entries)
    found.append(Finding("log-root", True, {"size": log.size, "root": log.roots[log.size].hex()}))
    found.append(
        Finding("log-shown", None if hidden else True, {"shown": len(log.entries), "hidden": hidden})
    )
    return log, [*found, *compare_notes(log, notes)]


def all_keys(lines: Sequence[bytes], key: Key, found: list[Finding]) -> Keys:
    """Return the log's keys: `key`, and those before and after it by key rotations in the log.

    Only rotations that both keys have signed count.
    """
    steps = []
    for line in lines:
        if b'"audit.key-rotated"' in line:
            try:
                steps.append(handover(read_json(line), key.name))
            except (Unreadable, ValueError):  # not a valid rotation
                continue
    last = key
    former: list[tuple[int, Key]] = []
    for index, before, now in steps:
        if before == last:
            last, former = now, [*former, (index, before)]
            found.append(Finding("handed-over", True, {"index": index}))
    first = key
    for index, before, now in reversed(steps):
        if now == first:
            first, former = before, [(index, before), *former]
            found.append(Finding("handed-over", True, {"index": index}))
    return Keys(last, tuple(former))


def handover(entry: Any, name: str) -> tuple[int, Key, Key]:
    """Return the index of a key rotation's entry, the old and the new key. Errors: Unreadable, ValueError."""
    index, said = get(entry, "index", int), details_of(entry)
    raw = [unhex(said.get(which)) for which in ("before", "now")]
    before, now = (Key(name, Ed25519PublicKey.from_public_bytes(one)) for one in raw)
    text = f"lacuna signing key\n{name}\n{raw[0].hex()}\n{raw[1].hex()}\n".encode()
    for which, key in (("before", before), ("now", now)):
        signature = unhex(said.get(f"signed_{which}_1")) + unhex(said.get(f"signed_{which}_2"))
        if entry.get("action") != "audit.key-rotated" or not key.signed(text, signature):
            unreadable("the handover is not signed with both keys")
    return index, before, now


def grow(log: Log, lines: Sequence[bytes], sizes: set[int], found: list[Finding]) -> None:
    """Build the Merkle tree of an export's lines into `log`. Append a faulty line to `found` and stop there.

    The root is kept at each size in `sizes` (those of the checkpoints) and after each line of hidden entries.
    """
    peaks = Peaks()
    log.roots[0] = peaks.root()
    for number, line in enumerate(lines, start=2):
        try:
            said = read_json(line)
            if isinstance(said, dict) and said.get("kind") == "hidden":
                for width, root in hidden_roots(said, peaks.size):
                    peaks.add(root, width)
            else:
                if get(said, "index", int) != peaks.size:
                    unreadable(f"entry {peaks.size} should stand there")
                if canonical(said) != line:
                    unreadable("it is not written in the one way an entry is")
                log.entries[peaks.size] = said
                lost = details_of(said)
                if said.get("action") == "audit.restored" and "size" in lost:
                    log.restored[peaks.size] = get(lost, "size", int), get(lost, "root", str)
                peaks.add(leaf_hash(line))
        except Unreadable as error:
            found.append(Finding("log-line", False, {"line": number, "why": error}))
            break
        if peaks.size in sizes or said.get("kind") == "hidden":
            log.roots[peaks.size] = peaks.root()
    log.size, log.roots[peaks.size] = peaks.size, peaks.root()


def hidden_roots(said: dict[str, Any], start: int) -> list[tuple[int, bytes]]:
    """Return (width, root) of the subtrees that a line of hidden entries gives. Errors: Unreadable."""
    roots = [unhex(text) for text in get(said, "roots", list)]
    if get(said, "from", int) != start:
        unreadable(f"entry {start} should stand there")
    wide = widths(start, get(said, "to", int))
    return (
        list(zip(wide, roots, strict=True))
        if len(wide) == len(roots) > 0
        else unreadable("hashes are missing")
    )


def believed(texts: Sequence[str], keys: Keys, found: list[Finding]) -> list[Note]:
    """Return the checkpoints signed by a key that may sign for their size. Append the others to `found`.

    A checkpoint that a believed restore note gives up may be signed with any of the keys, whatever its size;
    a restore note that the last key has signed too needs its former signature no more.
    """
    notes, doubtful = [], []
    for text in dict.fromkeys(texts):
        try:
            notes.append(read_ours(text, keys))
        except Unreadable as error:
            doubtful.append((text, error))
    lost = {head for note in notes for head in note.lost}
    for text, why in doubtful:
        signed = read_former(text, keys)
        if signed is not None and signed not in notes and (signed.size, signed.root) in lost:
            notes.append(signed)
        elif signed is None or signed not in notes:
            found.append(Finding("checkpoint-not", False, {"why": why}))
    return notes


def read_former(text: str, keys: Keys) -> Note | None:
    """Return the note if a former key signed it, for whatever size; else None."""
    for _most, key in keys.former:
        try:
            return read_note(text, key)
        except Unreadable:
            continue
    return None


def read_ours(text: str, keys: Keys) -> Note:
    """Like `read_note`, with whichever of the keys may sign for a log of that size. Errors: Unreadable."""
    for _most, key in keys.former:
        try:
            note = read_note(text, key)
        except Unreadable:
            continue
        if key in keys.for_size(note.reach):
            return note
    return read_note(text, keys.last)


def compare_notes(log: Log, notes: Sequence[Note]) -> list[Finding]:
    """Compare checkpoints with the Merkle tree of the log, and entries on restores with the restore notes."""
    found = []
    lost: dict[tuple[int, bytes], Note] = {}
    for note in notes:  # a restore note over another log than this one explains nothing
        if log.roots.get(note.size) == note.root:
            lost |= dict.fromkeys(note.lost, note)
    for note in notes:
        root, restore = log.roots.get(note.size), lost.get((note.size, note.root))
        if root == note.root:
            found.append(Finding("note-same", True, {"size": note.size}))
        elif restore is not None:
            code = "note-lost-late" if restore.late else "note-lost"
            found.append(Finding(code, None, {"size": note.size, "after": restore.size, "at": restore.at}))
        elif note.size > log.size:
            found.append(Finding("note-longer", False, {"size": note.size, "have": log.size}))
        elif root is None:
            found.append(Finding("note-hidden", None, {"size": note.size}))
        else:
            found.append(Finding("note-not", False, {"size": note.size}))
    declared = {(size, root.hex()) for size, root in lost}
    undeclared = [index for index, head in log.restored.items() if head not in declared]
    return [*found, *(Finding("restored-not", False, {"index": index}) for index in undeclared)]


def check_both(certificate: Certificate, log: Log) -> Finding:
    """Return a finding: whether the log has the entry that this certificate was issued."""
    for index, entry in log.entries.items():
        if (
            entry.get("action") == "certificate.issued"
            and details_of(entry).get("digest") == certificate.digest
        ):
            return Finding("logged", True, {"index": index})
    return Finding("logged-not", False, {})


# --- The program ------------------------------------------------------------------------------------------
def summary(certificate: Certificate) -> list[str]:
    """Return the lines printed before the findings."""
    says = certificate.says
    remains = says.get("remains")
    gone, spared = says.get("destroyed"), remains.get("spared") if isinstance(remains, dict) else None
    counts = [len(found) if isinstance(found, list) else 0 for found in (gone, spared)]
    outside = says.get("type") == DESTRUCTION
    title, things = ("destruction", "things") if outside else ("erasure", "memories")
    return [
        f"Certificate of {title} {says.get('reference', '')}, SHA-256 {certificate.digest}",
        f"It claims: {says.get('claim')}; outcome: {says.get('outcome')}.",
        f"Destroyed: {counts[0]} {things}. Spared: {counts[1]}.",
    ]


def say(*lines: object) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


def verify(asked: argparse.Namespace) -> list[Finding]:
    """Check the files given on the command line, and return the findings. Errors: Unreadable, OSError."""
    key = None
    if asked.key:
        path = Path(asked.key)
        text = path.read_bytes().decode(errors="replace") if path.is_file() else asked.key
        key = read_key(text, asked.origin)
    outside = [Path(path).read_bytes().decode(errors="replace") for path in asked.checkpoint]
    file = asked.file.read_bytes()
    if b'"lacuna-audit-export"' in file.split(b"\n", 1)[0]:
        return check_log(file, key, outside)[1]
    signature = asked.signature.read_bytes() if asked.signature else None
    certificate = read_certificate(file, signature)
    say(*summary(certificate), "")
    found = check_certificate(certificate, key)
    log = get(certificate.says, "log", dict)
    key = key or read_key(get(log, "verifier-key", str))
    own = get(log, "checkpoint", str)
    if asked.log:
        whole, more = check_log(asked.log.read_bytes(), key, [own, *outside])
        return [*found, *more[1:], check_both(certificate, whole)]
    alone = Log()  # without an export, only the root in the certificate's checkpoint is known
    for note in believed([own], Keys(key), []):
        alone.size, alone.roots[note.size] = note.size, note.root
    for finding in compare_notes(alone, believed(outside, Keys(key), found)):
        apart = finding.code in ("note-hidden", "note-longer")
        found.append(Finding("note-apart", None, finding.values) if apart else finding)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program. Return 0 if all holds, 1 if something does not hold, 2 if it cannot be checked."""
    parser = argparse.ArgumentParser(description="Check a certificate of erasure, or an exported audit log.")
    parser.add_argument("file", type=Path, help="certificate.json, its statement alone, or an exported log")
    parser.add_argument(
        "--key", default="", help="the clinic's verifier key (name+id+base64), or a file of it"
    )
    parser.add_argument("--origin", default="", help="the log's name, where the key is a PEM file")
    parser.add_argument("--signature", type=Path, help="the detached signature, for a statement alone")
    parser.add_argument(
        "--checkpoint", action="append", default=[], help="a checkpoint you hold; may be repeated"
    )
    parser.add_argument("--log", type=Path, help="the exported log, to find the certificate's own entry in")
    try:
        found = verify(parser.parse_args(arguments))
    except (Unreadable, OSError) as error:
        sys.stderr.write(f"This cannot be checked: {error}\n")
        return 2
    marks = {True: "holds   ", False: "DOES NOT", None: "unknown "}
    say(*(f"{marks[finding.holds]}  {finding}" for finding in found))
    say("", "What this cannot know:", *(f"  - {text}" for text in UNKNOWN.values()), "")
    broken = sum(finding.holds is False for finding in found)
    say(f"{broken} of these do NOT hold." if broken else "Everything that could be checked holds.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
