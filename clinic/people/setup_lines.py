"""The lines of the set-up page that are about people: which roles somebody must have."""

from collections.abc import Sequence

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import Role, User
from clinic.setup.checklist import Line, register_lines

# What the clinic needs people for: key, role, how many, whether a night needs them, title, text.
NEEDS = (
    (
        "front-desk",
        Role.RECEPTIONIST,
        1,
        True,
        _("Somebody at the front desk"),
        _("They answer requests, invite patients and book nights."),
    ),
    (
        "doctor",
        Role.DOCTOR,
        1,
        True,
        _("A doctor"),
        _("Each night has one. Doctors decide on what is found off the map."),
    ),
    (
        "technician",
        Role.TECHNICIAN,
        1,
        True,
        _("A technician"),
        _("Technicians review, map, and run the session. Each night has at least one."),
    ),
    (
        "second-administrator",
        Role.ADMINISTRATOR,
        2,
        False,
        _("A second administrator"),
        _("Nobody changes their own account: without a second one, nobody can change yours."),
    ),
)


def people_lines() -> Sequence[Line]:
    """Return a line for each role that a clinic cannot do without."""
    active = User.objects.filter(is_active=True)
    return [
        Line(
            key,
            title,
            text,
            active.filter(grants__role=role).count() >= number,
            url=reverse("people"),
            label=_("Invite somebody"),
            needed=needed,
        )
        for key, role, number, needed, title, text in NEEDS
    ]


register_lines("people", people_lines)
