"""Automatic checkpoints: signs the log once a day, and mails checkpoints if LACUNA_WITNESS_MAIL is set."""

import logging
from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from clinic.audit.checkpoints import RESTORED, checkpoint, verifier_key
from clinic.audit.models import Checkpoint, Delivery
from clinic.audit.proofs import head_size, keep_subtrees

log = logging.getLogger("lacuna.audit")

DAILY = timedelta(days=1)


def sign_daily() -> Checkpoint | None:
    """Sign the log if it has grown and the newest checkpoint is a day old. Return the checkpoint or None."""
    newest = Checkpoint.objects.order_by("at").last()
    size = head_size()
    if not size or (newest and (newest.at > timezone.now() - DAILY or newest.size == size)):
        return None
    try:
        keep_subtrees(size)
    except LookupError as gap:  # verify_log reports it in detail; here it must not prevent the signature
        log.error("the log has gaps: %s", gap)
    return checkpoint("daily")


def send_newest() -> int:
    """Mail the newest checkpoint to each address of LACUNA_WITNESS_MAIL that has not got it. Return how many.

    The newest is enough: its log contains those of all earlier checkpoints, and a recipient can check that by
    comparing two of them. Restore notes are mailed too, each once: without them a recipient's older
    checkpoint would look as if the log had been cut. If a mail cannot be sent, the next call tries again.
    """
    newest = Checkpoint.objects.order_by("size", "pk").last()
    if newest is None:
        return 0
    restores = Checkpoint.objects.filter(reason=RESTORED).exclude(pk=newest.pk)
    return sum(_send(row, address) for address in settings.LACUNA_WITNESS_MAIL for row in [*restores, newest])


def _send(row: Checkpoint, address: str) -> bool:
    """Mail a checkpoint, unless it was mailed there already. Return whether it was sent now."""
    if Delivery.objects.filter(checkpoint__note=row.note, address=address).exists():
        return False
    try:
        message(row, address).send()
    except (SMTPException, OSError) as error:
        log.error("a checkpoint could not be mailed to %s: %s", address, error)
        return False
    try:
        with transaction.atomic():
            Delivery.objects.create(checkpoint=row, address=address, at=timezone.now())
    except IntegrityError:  # another supervisor sent it at the same time; two mails do no harm
        return False
    return True


def message(row: Checkpoint, address: str) -> EmailMessage:
    """Return the mail with the note, in the text and as attachment, and a sentence on what it is for."""
    words = _(
        "This is a signed checkpoint of the clinic's audit log. Keep it: with it you can tell, at any later"
        " time, whether a line written before it was changed, removed or added."
    )
    if row.reason == RESTORED:
        words += " " + _(
            "It also declares that a backup was restored: checkpoints that you have of the sizes named as"
            " lost are of entries that the restore gave up."
        )
    body = f"{words}\n\n{verifier_key()}\n\n{row.note}"
    mail = EmailMessage(_("Checkpoint over %(size)d entries") % {"size": row.size}, body, to=[address])
    mail.attach(f"{row.size:012d}.note", row.note, "text/plain")
    return mail
