"""Django system checks with the tag "system": which features that Lacuna needs the operating system lacks.

Each app registers its own checks (patients/checks.py, erasure/checks.py). `manage.py check` prints them, and
`manage.py serve` prints them when it starts.
"""

from django.core.checks import run_checks

SYSTEM = "system"


def lacking() -> list[str]:
    """Return a sentence for each missing feature of this system, with its consequence."""
    found = [message for message in run_checks(tags=[SYSTEM]) if not message.is_silenced()]
    return [str(message.msg) for message in sorted(found, key=lambda message: message.id or "")]
