"""Comparison of the list of former signing keys with the handovers in the log.

Whoever can write that file could add a key of their own, and everything signed with it would be believed.
"""

from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from clinic.audit.checkpoints import public_key
from clinic.audit.comparisons import entries_of
from clinic.audit.keyring import former_keys, handover
from clinic.audit.models import Entry
from clinic.audit.restored import declared_notes


def differences(size: int) -> Iterator[str]:
    """Yield an English sentence for each way in which the keys differ from the first `size` entries."""
    listed = [(one.size, one.key.public_bytes_raw()) for one in former_keys()]
    handed: dict[int, tuple[bytes, bytes]] = {}
    for entry in entries_of(size, "audit.key-rotated"):
        if (keys := _keys(entry)) is None:
            yield f"Entry {entry.index} replaces the signing key, and is not signed with both keys."
        else:
            handed[entry.index] = keys
    present = public_key().public_bytes_raw()
    for index, key in listed:
        if handed.get(index, (b"", b""))[0] != key and not _lost_in_restore(index):
            yield f"A former signing key is listed up to {index} entries, and no entry hands it over."
    for index, (before, _now) in handed.items():
        # A rotation that was broken off is completed by the next: until then the old key is the present one.
        if (index, before) not in listed and before != present:
            yield f"Entry {index} replaces a signing key that is not in the list of former keys."
    if handed:
        last = max(handed)
        if present not in handed[last]:
            yield f"The signing key is not the one that entry {last} hands over to."


def _keys(entry: Entry) -> tuple[bytes, bytes] | None:
    """Return the old and the new key of a rotation, None if the entry is not signed with both."""
    try:
        said = {name: str(value) for name, value in entry.details.items()}
        raw = bytes.fromhex(said["before"]), bytes.fromhex(said["now"])
        before, now = (Ed25519PublicKey.from_public_bytes(one) for one in raw)
        for name, key in (("before", before), ("now", now)):
            signature = bytes.fromhex(said[f"signed_{name}_1"] + said[f"signed_{name}_2"])
            key.verify(signature, handover(before, now))
    except (KeyError, ValueError, AttributeError, InvalidSignature):
        return None
    return raw


def _lost_in_restore(index: int) -> bool:
    """Return whether a declared restore gave up entry `index`."""
    return any(note.size <= index < note.reach for note in declared_notes())
