"""A key that is made of many keys: it is lost as soon as one of them is destroyed.

It encrypts, for example, the paper of a consent, which names many keepsakes. As soon as the key of one of
them is destroyed, nobody can open the paper any more, and nobody has to remember to destroy the paper.
"""

from collections.abc import Iterable
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from patients.vault.configured import key_store
from patients.vault.keys import KeyGone


def joint_key(key_ids: Iterable[UUID], purpose: str) -> bytes:
    """Return the key (32 bytes) that is made of all these keys by HKDF-SHA256, whatever their order.

    purpose: what the key is for; each purpose gives another key. Errors: KeyGone if one of `key_ids` is
    destroyed.
    """
    wanted = sorted(set(key_ids))
    keys = key_store().get_many(wanted)
    if missing := [key_id for key_id in wanted if key_id not in keys]:
        raise KeyGone(missing[0])
    derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"lacuna {purpose}".encode())
    return derivation.derive(b"".join(bytes(keys[key_id]) for key_id in wanted))
