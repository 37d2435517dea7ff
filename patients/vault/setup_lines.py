"""The line of the set-up page on the mirror of keys."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext as _

from clinic.setup.checklist import Line, register_lines


def key_lines() -> Sequence[Line]:
    """Return the line on key mirrors. In a database the keys are copied by its replica, so there is none."""
    if settings.LACUNA_KEYS != "slots":
        return []
    mirrors = len(settings.LACUNA_KEY_MIRRORS)
    return [
        Line(
            "key-mirror",
            _("A mirror of the keys"),
            _(
                "Backups never hold keys. If the disk with the keys breaks and there is no mirror, "
                "everything that patients brought is lost. On the server: set LACUNA_KEY_MIRRORS "
                "(docs/keys.md)."
            ),
            mirrors > 0,
        )
    ]


register_lines("keys", key_lines)
