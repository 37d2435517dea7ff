"""The trial of the mail server: an administrator sends a message to their own address."""

from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from clinic.setup.models import MailTrial


def is_only_stored() -> bool:
    """Return whether mail is only stored in the database, because the settings name no mail server."""
    return bool(settings.MAIL_BACKEND == settings.OUTBOX)


def mail_server() -> str:
    """Return the mail server of the settings as "host:port"."""
    return f"{settings.MAIL_SERVER['host']}:{settings.MAIL_SERVER['port']}"


def last_trial() -> MailTrial | None:
    """Return the last trial with the mail server of the settings, or None."""
    return MailTrial.objects.filter(server=mail_server()).first()


def try_mail(user: User) -> MailTrial:
    """Send a message to `user` and return how it went.

    If the server refuses, the result says so; that raises no error.
    """
    refusal = ""
    try:
        send_mail(
            _("Lacuna can send mail"),
            _("You tried it out on the set-up page. Whoever is invited gets their link this way."),
            None,
            [user.email],
        )
    except (SMTPException, OSError) as error:
        refusal = str(error)[:300] or type(error).__name__
    with transaction.atomic():
        trial = MailTrial.objects.create(by=user, server=mail_server(), sent=not refusal, refusal=refusal)
        record(
            Act(
                "mail.tried",
                f"user:{user.pk}",
                actor=actor_of(user),
                details={"sent": trial.sent},
            )
        )
    return trial
