"""Django system checks of tags of their own: what the system lacks, and what is set in vain.

Each app registers its own checks (patients/checks.py, erasure/checks.py). `manage.py check` prints them, and
`manage.py serve` prints them when it starts.
"""

from django.core.checks import run_checks

SYSTEM = "system"  # features that Lacuna needs and the operating system lacks
ENVIRONMENT = "environment"  # environment variables that nothing reads any more


def lacking() -> list[str]:
    """Return a sentence for each missing feature of this system, with its consequence."""
    return _sentences(SYSTEM)


def set_in_vain() -> list[str]:
    """Return a sentence for each environment variable that is set although nothing reads it any more."""
    return _sentences(ENVIRONMENT)


def _sentences(tag: str) -> list[str]:
    found = [message for message in run_checks(tags=[tag]) if not message.is_silenced()]
    return [str(message.msg) for message in sorted(found, key=lambda message: message.id or "")]
