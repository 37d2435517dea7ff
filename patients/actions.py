"""What the log may say about this room."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "request.made": (_("Appointment asked for"), "plain"),
        "request.accepted": (_("Request accepted"), "plain"),
        "request.held": (_("Request held"), "plain"),
        "request.declined": (_("Request declined"), "plain"),
        "case.opened": (_("File opened"), "plain"),
        "case.submitted": (_("Keepsakes handed in"), "plain"),
        "intake.answered": (_("Intake answered"), "plain"),
        "keepsake.brought": (_("Keepsake brought"), "plain"),
        "keepsake.refused": (_("Upload refused"), "plain"),
        "keepsake.changed": (_("Keepsake changed"), "plain"),
        "keepsake.removed": (_("Keepsake taken back and destroyed"), "destroyed"),
        "keepsake.accepted": (_("Keepsake accepted"), "plain"),
        "keepsake.returned": (_("Keepsake returned"), "plain"),
        "custody.received": (_("Thing received"), "plain"),
        "custody.handed": (_("Thing handed to the procedure"), "plain"),
        "custody.ended": (_("End of a thing said"), "plain"),
        "custody.witnessed": (_("End of a thing witnessed"), "destroyed"),
        "custody.contradicted": (_("End of a thing contradicted"), "alarm"),
        "keepsake.unblurred": (_("Preview unblurred"), "plain"),
        "memory.made": (_("Memory added"), "plain"),
        "memory.changed": (_("Memory changed"), "plain"),
        "memory.removed": (_("Memory taken off the file"), "plain"),
        "memory.kept": (_("Memory marked to be kept"), "teal"),
        "memory.released": (_("Memory marked to be erased"), "plain"),
        "map.linked": (_("Memories linked"), "plain"),
        "map.unlinked": (_("Link between memories taken away"), "plain"),
        "map.chapters": (_("Chapters named"), "plain"),
        "map.locked": (_("Map locked"), "plain"),
        "map.unlocked": (_("Map opened again"), "plain"),
        "consent.signed": (_("Consent signed"), "teal"),
        "consent.withdrawn": (_("Consent withdrawn"), "alarm"),
        "file.viewed": (_("File viewed"), "plain"),
        "keys.rolled-by-hand": (_("Keys rolled by an operator"), "teal"),
        # details: how many keys no row accounted for when a restored database was opened
        "keys.held": (_("Keys without rows held after a restore"), "alarm"),
        "keys.let-go": (_("Keys held after a restore destroyed"), "destroyed"),
        "keys.struck": (_("Keys that nothing opens struck off"), "alarm"),
    }
)
