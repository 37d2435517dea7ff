"""Mail that is stored instead of sent."""

from django.db import models
from django.utils import timezone


class Mail(models.Model):
    """One message to one recipient. Staff can read it in the demonstration."""

    to = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at"]
