"""What the session's templates ask for."""

from typing import Any

from django import template
from django.template import Context
from django.utils.formats import number_format

from erasure.session.view_model import Showing, showing

register = template.Library()


@register.simple_tag(takes_context=True)
def show_session(context: Context, present: dict[str, Any]) -> Showing:
    """`{% show_session present as view %}`; `?memory=<id>` of the request chooses whom the panel tells of."""
    request = context.get("request")
    return showing(present, request.GET.get("memory") if request else None)


@register.filter
def grouped(value: int) -> str:
    """A figure with the separators of the active language, whatever USE_THOUSAND_SEPARATOR says."""
    return number_format(value, force_grouping=True)
