"""The hidden fields of every form that is posted."""

from django import template
from django.utils.html import format_html_join

from clinic.access.page_owner import FIELD, owner_mark

register = template.Library()


@register.simple_tag(takes_context=True)
def form_tokens(context: template.Context) -> str:
    """Return the CSRF token and the mark of the page's owner as hidden fields: `{% form_tokens %}`.

    It replaces `{% csrf_token %}`; settings.py makes it a builtin tag.
    """
    fields = {"csrfmiddlewaretoken": context.get("csrf_token", ""), FIELD: page_owner(context)}
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', fields.items())


@register.simple_tag(takes_context=True)
def page_owner(context: template.Context) -> str:
    """Return the mark of the person for whom the page is made; "" if nobody is signed in or has a pass."""
    request = context.get("request")
    access_pass = getattr(request, "acting_pass", None)  # set by clinic.access.passes.acting_pass
    return owner_mark(access_pass.user if access_pass else getattr(request, "user", None))
