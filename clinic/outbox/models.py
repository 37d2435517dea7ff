"""Mail that is stored instead of sent."""

from django.db import models
from django.utils import timezone


class Mail(models.Model):
    """One message to one recipient. In the demonstration its recipient and who invited can read it."""

    to = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at"]
