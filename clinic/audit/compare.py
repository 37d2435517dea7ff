"""Comparison of two checkpoints, from our database or from outside: does one log begin with the other?"""

from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.audit.checkpoints import Note, verify_note
from clinic.audit.keyring import verify_ours
from clinic.audit.merkle import EMPTY_ROOT, verify_consistency
from clinic.audit.proofs import Tree, hex_digests, tree_of

HOLDS = _(
    "The longer log begins with all of the shorter one: nothing in it was changed, removed or inserted."
)
OTHER_ROOTS = _("Both are signed, for logs of the same length that differ: somebody was shown another log.")
NOT_OURS = _("The stored log is not the one that was signed: it was rewritten, or its end was cut.")


@dataclass(frozen=True)
class Comparison:
    """Two checkpoints and the RFC 9162 proof between them (hex). says: the result as a sentence."""

    old: Note
    new: Note
    proof: tuple[str, ...]
    holds: bool
    says: str | Promise


def compare(one: str, other: str, key: Ed25519PublicKey | None = None) -> Comparison:
    """Compare two signed notes, in any order, with a consistency proof made from the stored log.

    key: the public key that must have signed both; by default, our own key that was in use at the time.
    Errors: NoteInvalid if one of them is not a valid note of this log.
    """
    verify = partial(verify_note, key=key) if key else verify_ours
    old, new = sorted((verify(one), verify(other)), key=lambda note: note.size)
    if old.size == new.size:
        same = old.root == new.root
        return Comparison(old, new, (), same, HOLDS if same else OTHER_ROOTS)
    if old.size == 0:  # RFC 9162 has no proof for an empty log: every log begins with it
        return Comparison(old, new, (), old.root == EMPTY_ROOT, HOLDS if old.root == EMPTY_ROOT else NOT_OURS)
    proof = proof_between(old, new)
    holds = verify_consistency(old.size, new.size, proof, old.root, new.root)
    return Comparison(old, new, tuple(hex_digests(proof)), holds, HOLDS if holds else NOT_OURS)


def proof_between(old: Note, new: Note) -> list[bytes]:
    """Return the proof that the stored log gives, or [] if it has none. The proof is not checked here."""
    try:
        tree: Tree = tree_of(new.size, new.root)
        return tree.consistency(old.size, new.size)
    except LookupError:
        return []
