"""The style page: all component templates and design tokens, in every state."""

from django.contrib.messages import ERROR, SUCCESS, WARNING
from django.contrib.messages.storage.base import Message
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from clinic.style.forms import field_states
from clinic.style.specimens import specimens
from clinic.style.tokens import read_tokens

QUARTERS = 40
KINDS = ("", "mapping", "night", "held", "alarm", "chosen", "again")


@require_safe
def style(request: HttpRequest) -> HttpResponse:
    """Show every component in every state, and every token."""
    fields = field_states()
    context = {
        "tokens": read_tokens(),
        "specimens": list(specimens(request, fields["error"], fields["changed"])),
        "fields": fields,
        "chapters": [("green", _("green")), ("red", _("red")), ("orange", _("orange")), ("blue", _("blue"))],
        "bookings": [(kind, 1 + 5 * place, 5) for place, kind in enumerate(KINDS)],
        "hours": [f"{hour:02d}" for hour in range(8, 8 + QUARTERS // 4)],
        # The base template shows them above every page; here is one of each level.
        "messages": [
            Message(SUCCESS, _("Saved.")),
            Message(WARNING, _("Choose a reason.")),
            Message(ERROR, _("Somebody was faster. Please look at the times again.")),
        ],
    }
    return render(request, "clinic/style/style.html", context)
