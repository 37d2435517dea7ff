"""What the operating system lacks, of what Lacuna relies on: Django system checks with a tag of their own.

Each app registers its own (patients/checks.py, erasure/checks.py). `manage.py check` prints them, and so does
`manage.py serve` when it starts.
"""

from django.core.checks import run_checks

SYSTEM = "system"


def lacking() -> list[str]:
    """A sentence for each thing that this system lacks, with what follows from it."""
    found = [message for message in run_checks(tags=[SYSTEM]) if not message.is_silenced()]
    return [str(message.msg) for message in sorted(found, key=lambda message: message.id or "")]
