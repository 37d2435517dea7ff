"""The models of this app, imported here so that Django finds them."""

from erasure.backups.models import Backup, Drill
from erasure.bedside.models import BedTap, BedToken, SpokenWord
from erasure.certificates.models import Certificate
from erasure.destructions.models import Destruction, DestructionItem
from erasure.procedures.models import Procedure
from erasure.renewal.models import Renewal, ServerProcess
from erasure.runs.models import (
    Attendance,
    CallNotice,
    DoctorCall,
    Event,
    Handover,
    Hold,
    PresenceCheck,
    Remainder,
    Run,
    SafeWord,
    Step,
    Trouble,
)

__all__ = [
    "Attendance",
    "Backup",
    "BedTap",
    "BedToken",
    "CallNotice",
    "Certificate",
    "Destruction",
    "DestructionItem",
    "DoctorCall",
    "Drill",
    "Event",
    "Handover",
    "Hold",
    "PresenceCheck",
    "Procedure",
    "Remainder",
    "Renewal",
    "Run",
    "SafeWord",
    "ServerProcess",
    "SpokenWord",
    "Step",
    "Trouble",
]
