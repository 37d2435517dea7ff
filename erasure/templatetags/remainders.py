"""What the patient's own pages ask of this room."""

from django import template

from clinic.people.models import User
from erasure.remainders import deciding

register = template.Library()


@register.simple_tag
def half_gone(user: User) -> int:
    """`{% half_gone request.user as waiting %}`: memories that wait for their patient's word."""
    return deciding.undecided(user)
