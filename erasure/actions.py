"""What the log may say about this room."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "demo.loaded": (_("Demonstration loaded"), "plain"),
        "procedure.booked": (_("Night booked"), "plain"),
        "procedure.moved": (_("Night moved"), "plain"),
        "procedure.canceled": (_("Night canceled"), "plain"),
        "run.started": (_("Erasure started"), "plain"),
        "run.paused": (_("Paused"), "plain"),
        "run.resumed": (_("Resumed"), "plain"),
        "run.doctor-called": (_("Doctor called"), "alarm"),
        "run.doctor-acknowledged": (_("Doctor answered"), "plain"),
        "run.aborted": (_("Erasure aborted"), "alarm"),
        "run.withdrawn": (_("Erasure stopped, consent withdrawn"), "alarm"),
        "run.finished": (_("Erasure finished"), "plain"),
        "run.verified": (_("Destruction verified"), "teal"),
        "keys.rolled": (_("Key epoch rolled"), "plain"),
        "memory.destroyed": (_("Memory destroyed"), "destroyed"),
        "memory.protected": (_("Memory protected"), "teal"),
        "resistance.found": (_("Copy found off the map"), "alarm"),
        "resistance.extended": (_("Map extended to a copy"), "plain"),
        "resistance.spared": (_("Copy spared"), "teal"),
        "certificate.issued": (_("Certificate issued"), "teal"),
    }
)
