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
        "remainder.given-back": (_("Damaged keepsakes given back"), "plain"),
        "remainder.fetched": (_("Damaged keepsake fetched"), "plain"),
        "remainder.kept": (_("Damaged keepsakes kept"), "plain"),
        "remainder.destroyed": (_("Damaged keepsakes destroyed"), "destroyed"),
        "run.aborted": (_("Erasure aborted"), "alarm"),
        "run.withdrawn": (_("Erasure stopped, consent withdrawn"), "alarm"),
        "run.finished": (_("Erasure finished"), "plain"),
        # details: what each place gave, the process's bonds, as erasure/verification/places.py flattens them
        "run.verified": (_("Destruction verified"), "teal"),
        # details: why the verifier came to no end (a word), and the number of the attempt
        "run.unverified": (_("Verifier gave no answer"), "alarm"),
        # The same, by an operator after the certificate; a certificate speaks of the first alone.
        "run.verified-by-hand": (_("Destruction verified by hand"), "teal"),
        "run.unverified-by-hand": (_("Verifier started by hand gave no answer"), "alarm"),
        "backup.made": (_("Backup made"), "plain"),
        "backup.restored": (_("Backup restored"), "alarm"),
        "backup.drilled": (_("Backup tried: nothing erased opens"), "teal"),
        "backup.failed-drill": (_("Backup tried: it does not hold"), "alarm"),
        # details: how many rows of each kind were marked erased again because their keys are gone
        "keys.obeyed": (_("Rows without keys marked erased again"), "alarm"),
        "run.replayed": (_("Session watched again"), "plain"),
        "keys.rolled": (_("Key epoch rolled"), "plain"),
        "memory.destroyed": (_("Memory destroyed"), "destroyed"),
        "memory.protected": (_("Memory protected"), "teal"),
        "resistance.found": (_("Copy found off the map"), "alarm"),
        "resistance.extended": (_("Map extended to a copy"), "plain"),
        "resistance.spared": (_("Copy spared"), "teal"),
        "certificate.issued": (_("Certificate issued"), "teal"),
        "certificate.downloaded": (_("Certificate taken away"), "plain"),
    }
)
