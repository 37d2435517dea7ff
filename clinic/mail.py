"""What the settings say about mail."""

from django.conf import settings


def waits_for_server() -> bool:
    """Return whether mail waits because no mail server is set.

    In the demonstration the outbox takes the place of a mail server: everybody reads their mail there.
    """
    return bool(settings.MAIL_BACKEND == settings.OUTBOX) and not settings.LACUNA_DEMO
