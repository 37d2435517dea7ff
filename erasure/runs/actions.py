"""The audit actions of this package: code, label and tone."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "run.started": (_("Erasure started"), "plain"),
        "run.paused": (_("Paused"), "plain"),
        "run.resumed": (_("Resumed"), "plain"),
        "run.safe-word-lifted": (_("Safe word lifted, erasure resumed"), "plain"),
        "run.doctor-called": (_("Doctor called"), "alarm"),
        "run.doctor-acknowledged": (_("Doctor answered"), "plain"),
        "run.call-seen": (_("Somebody who was called knows"), "plain"),
        "run.doctor-called-again": (_("Doctor called again"), "alarm"),
        "run.doctor-escalated": (_("Nobody answered, others called"), "alarm"),
        "call.told": (_("Told that a doctor is wanted"), "plain"),
        "run.presence-asked": (_("Presence asked for"), "plain"),
        "run.presence-answered": (_("Presence confirmed"), "plain"),
        "run.presence-missed": (_("Presence check missed"), "alarm"),
        "run.responsible-left": (_("Nobody responsible any more"), "alarm"),
        "run.handover-offered": (_("Night offered to another technician"), "plain"),
        "run.handover-accepted": (_("Night taken by another technician"), "plain"),
        "run.handover-declined": (_("Handover not taken"), "plain"),
        "run.taken-over": (_("Doctor took over"), "plain"),
        "run.handed-back": (_("Doctor handed back"), "plain"),
        "run.aborted": (_("Erasure aborted"), "alarm"),
        "run.withdrawn": (_("Erasure stopped, consent withdrawn"), "alarm"),
        "run.damaged": (_("Keepsake found damaged"), "alarm"),
        "run.damage-decided": (_("Decided on a damaged memory"), "plain"),
        "run.storage-away": (_("Storage away"), "alarm"),
        "run.storage-back": (_("Storage answers again"), "plain"),
        "run.fault": (_("Machine failed"), "alarm"),
        "run.stalled": (_("Erasure does not move"), "alarm"),
        "run.finished": (_("Erasure finished"), "plain"),
        "keys.rolled": (_("Key epoch rolled"), "plain"),
        "memory.destroyed": (_("Memory destroyed"), "destroyed"),
        "memory.protected": (_("Memory protected"), "teal"),
        "resistance.found": (_("Copy found off the map"), "alarm"),
        "resistance.extended": (_("Map extended to a copy"), "plain"),
        "resistance.spared": (_("Copy spared"), "teal"),
    }
)
