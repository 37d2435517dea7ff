"""The models of this app, imported here so that Django finds them."""

from patients.appointments.models import Appointment, AppointmentTemplate, DeskTask
from patients.cases.models import Case
from patients.consent.models import ConsentText, Signature
from patients.consent_papers.models import ConsentPaper
from patients.contacts.models import Contact
from patients.custody.models import Custody
from patients.drafts.models import Draft
from patients.intake_review.models import IntakeReview
from patients.keepsakes.models import Keepsake, Upload
from patients.left_behind.models import LeftBehindTick
from patients.memories.models import LockedMap, Memory, MemoryLink
from patients.messages.models import Message, MessageThread
from patients.notes.models import CaseNote
from patients.repeats.models import RepeatException
from patients.requests.models import AppointmentRequest, RequestWord
from patients.vault.models import CaseKey, HeldKey, KeyHouse, StoredObject, WrappedKey
from patients.waitlist.models import ChangedSpan, WaitlistEntry, WaitlistOffer

__all__ = [
    "Appointment",
    "AppointmentRequest",
    "AppointmentTemplate",
    "Case",
    "CaseKey",
    "CaseNote",
    "ChangedSpan",
    "ConsentPaper",
    "ConsentText",
    "Contact",
    "Custody",
    "DeskTask",
    "Draft",
    "HeldKey",
    "IntakeReview",
    "Keepsake",
    "KeyHouse",
    "LeftBehindTick",
    "LockedMap",
    "Memory",
    "MemoryLink",
    "Message",
    "MessageThread",
    "RepeatException",
    "RequestWord",
    "Signature",
    "StoredObject",
    "Upload",
    "WaitlistEntry",
    "WaitlistOffer",
    "WrappedKey",
]
