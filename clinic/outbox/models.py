"""Mail that waits in the house instead of leaving it."""

from django.db import models
from django.utils import timezone


class Mail(models.Model):
    """One message as it would have been sent; read by staff in the demonstration."""

    to = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at"]
