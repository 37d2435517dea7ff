"""Whether one checkpoint's log is a beginning of another's: any two, of ours or from outside."""

from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from clinic.audit.checkpoints import Note, verify_note
from clinic.audit.keyring import verify_ours
from clinic.audit.merkle import EMPTY_ROOT, verify_consistency
from clinic.audit.proofs import Tree, texts, tree_of

HOLDS = _(
    "The longer log begins with all of the shorter one: nothing in it was changed, removed or inserted."
)
OTHER_ROOTS = _("Both are signed, for logs of the same length that differ: somebody was shown another log.")
NOT_OURS = _("The stored log is not the one that was signed: it was rewritten, or its end was cut.")


@dataclass(frozen=True)
class Comparison:
    """Two signed statements and the RFC 9162 proof between them; `says` is a plain sentence."""

    old: Note
    new: Note
    proof: tuple[str, ...]
    holds: bool
    says: str | Promise


def compare(one: str, other: str, key: Ed25519PublicKey | None = None) -> Comparison:
    """Compare two signed notes, in any order, by a consistency proof made from the stored log.

    key: the public key both must be signed with, by default this house's of their time.
    Errors: NoteInvalid where either is no note of this log.
    """
    read = partial(verify_note, key=key) if key else verify_ours
    old, new = sorted((read(one), read(other)), key=lambda note: note.size)
    if old.size == new.size:
        same = old.root == new.root
        return Comparison(old, new, (), same, HOLDS if same else OTHER_ROOTS)
    if old.size == 0:  # of nothing there is nothing to prove, and RFC 9162 has no proof for it
        return Comparison(old, new, (), old.root == EMPTY_ROOT, HOLDS if old.root == EMPTY_ROOT else NOT_OURS)
    proof = proof_between(old, new)
    holds = verify_consistency(old.size, new.size, proof, old.root, new.root)
    return Comparison(old, new, tuple(texts(proof)), holds, HOLDS if holds else NOT_OURS)


def proof_between(old: Note, new: Note) -> list[bytes]:
    """Return what the stored log gives as proof; it need not hold, and is empty where there is none."""
    try:
        tree: Tree = tree_of(new.size, new.root)
        return tree.consistency(old.size, new.size)
    except LookupError:
        return []
