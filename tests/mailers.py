"""Choose the mail backend of a test."""

import django
from pytest_django import Settings

MEMORY = "django.core.mail.backends.locmem.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def send_mail_through(settings: Settings, backend: str, **server: str | float) -> None:
    """Set the mail backend. server: host, port and timeout (seconds) of an SMTP server."""
    settings.MAIL_BACKEND = backend
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": server}}
        return
    settings.EMAIL_BACKEND = backend
    for name, value in server.items():
        setattr(settings, f"EMAIL_{name.upper()}", value)
