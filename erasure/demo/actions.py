"""The audit actions of this package, each with its phrase and its tone on the page."""

from django.utils.translation import gettext_lazy as _

from clinic.audit.actions import register
from erasure.runs.event_texts import register_sentence

register(
    {
        "demo.loaded": (_("Demonstration loaded"), "plain"),
        "demo.decided": (_("The demonstration decided, because nobody else had"), "alarm"),
    }
)
register_sentence("demo-decided", _("Nobody decided for ninety seconds: the demonstration's doctor does."))
