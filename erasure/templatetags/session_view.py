"""Template tags and filters of the session's templates."""

from typing import Any

from django import template
from django.template import Context
from django.utils.formats import number_format

from erasure.session.view_model import SessionView, session_view

register = template.Library()


@register.simple_tag(takes_context=True)
def show_session(context: Context, present: dict[str, Any]) -> SessionView:
    """Return the view of a snapshot: `{% show_session present as view %}`.

    `?memory=<id>` in the request chooses the memory described in the panel.
    """
    request = context.get("request")
    return session_view(present, request.GET.get("memory") if request else None)


@register.filter
def grouped(value: int) -> str:
    """Return a number with the language's thousand separators, even if USE_THOUSAND_SEPARATOR is off."""
    return number_format(value, force_grouping=True)
