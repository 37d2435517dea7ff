"""How a patient is reached: what the front desk writes down."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Contact(models.Model):
    """Telephone and address of a patient, and by which way they want to be reached. The row is deleted with
    the account.

    The e-mail address and the language are the account's own.
    """

    class Way(models.TextChoices):
        MAIL = "mail", _("by e-mail")
        PHONE = "phone", _("by telephone")
        LETTER = "letter", _("by letter")
        PORTAL = "portal", _("only on their own page")

    patient = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="contact"
    )
    phone = models.CharField(max_length=40, blank=True)
    address = models.TextField(max_length=400, blank=True)
    way = models.CharField(max_length=8, choices=Way.choices, default=Way.MAIL)
