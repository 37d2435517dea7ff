"""The models of this app, imported here so that Django finds them."""

from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.custody.models import Custody
from patients.keepsakes.models import Keepsake, Upload
from patients.memories.models import LockedMap, Memory, MemoryLink
from patients.requests.models import AppointmentRequest
from patients.vault.models import CaseKey, HeldKey, KeyHouse, StoredObject, WrappedKey

__all__ = [
    "AppointmentRequest",
    "Case",
    "CaseKey",
    "ConsentText",
    "Custody",
    "HeldKey",
    "Keepsake",
    "KeyHouse",
    "LockedMap",
    "Memory",
    "MemoryLink",
    "Signature",
    "StoredObject",
    "Upload",
    "WrappedKey",
]
