"""Exceptions from the limit on nights of one patient."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class RepeatExceptionQuerySet(models.QuerySet["RepeatException"]):
    def open(self) -> "RepeatExceptionQuerySet":
        """Return the exceptions that were neither used nor taken back."""
        return self.filter(used_at=None, taken_back_at=None)

    def complete(self) -> "RepeatExceptionQuerySet":
        """Return the exceptions to which a doctor and an administrator have agreed."""
        return self.filter(doctor__isnull=False, administrator__isnull=False)


class RepeatException(models.Model):
    """One more night for a patient than the clinic's repeat limit allows.

    It is complete when a doctor and an administrator, two different people, have each agreed with a reason.
    Then the next night that needs it uses it up. The audit log stores who agreed and when, but not the
    reasons: they can be about somebody's health.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    patient = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="repeat_exceptions"
    )
    doctor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    doctor_reason = models.CharField(max_length=300, blank=True)
    doctor_at = models.DateTimeField(null=True, blank=True)
    administrator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    administrator_reason = models.CharField(max_length=300, blank=True)
    administrator_at = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True, blank=True)
    # The id of the procedure that used it. No foreign key: procedures are in the app above.
    used_for = models.UUIDField(null=True, blank=True)
    taken_back_at = models.DateTimeField(null=True, blank=True)
    taken_back_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = RepeatExceptionQuerySet.as_manager()

    class Meta:
        ordering = ["-made_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["patient"],
                condition=Q(used_at=None, taken_back_at=None),
                name="one_open_repeat_exception",
            ),
            models.CheckConstraint(
                condition=Q(doctor=None) | Q(administrator=None) | ~Q(doctor=F("administrator")),
                name="repeat_exception_by_two_people",
            ),
            models.CheckConstraint(
                condition=(Q(doctor=None) | ~Q(doctor_reason=""))
                & (Q(administrator=None) | ~Q(administrator_reason="")),
                name="repeat_exception_has_reasons",
            ),
            models.CheckConstraint(
                condition=Q(used_at=None, used_for=None)
                | Q(
                    used_at__isnull=False,
                    used_for__isnull=False,
                    doctor__isnull=False,
                    administrator__isnull=False,
                    taken_back_at=None,
                ),
                name="repeat_exception_used_when_complete",
            ),
        ]

    @property
    def is_complete(self) -> bool:
        return self.doctor_id is not None and self.administrator_id is not None
