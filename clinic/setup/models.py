"""The trials of the mail server, which the set-up page shows."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class MailTrial(models.Model):
    """A message that an administrator sent to themselves. server: the one it went through, as "host:port"."""

    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    server = models.CharField(max_length=300)
    sent = models.BooleanField()
    refusal = models.CharField(max_length=300, blank=True)  # what the server answered, if it was not sent

    class Meta:
        ordering = ["-pk"]
