"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register

register(
    {
        "custody.received": (_("Thing received"), "plain"),
        "custody.handed": (_("Thing handed to the procedure"), "plain"),
        "custody.ended": (_("End of a thing said"), "plain"),
        "custody.witnessed": (_("End of a thing witnessed"), "destroyed"),
        "custody.contradicted": (_("End of a thing contradicted"), "alarm"),
    }
)
