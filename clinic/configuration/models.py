"""The changes of settings: one row for each, never altered. The newest row of a key is in force."""

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef
from django.utils import timezone


class SettingsVersion(models.Model):
    """The number of changes, in a table of one row. A change locks the row; readers compare the number.

    The first change creates the row. A database sequence does not suffice: a later number can be committed
    before an earlier one, and a reader would miss the earlier change.
    """

    number = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_settings_version")]


class SettingChangeQuerySet(models.QuerySet["SettingChange"]):
    def in_force(self) -> "SettingChangeQuerySet":
        """Return the newest row of each key. Every reader uses this method."""
        newer = SettingChange.objects.filter(key=OuterRef("key"), number__gt=OuterRef("number"))
        return self.filter(~Exists(newer))


class SettingChange(models.Model):
    """One decision on one setting: who, when, from what, to what, and why."""

    key = models.CharField(max_length=40)
    # The number of the SettingsVersion after this change. Changes that are saved together share it.
    number = models.PositiveIntegerField()
    value = models.JSONField()
    before = models.JSONField()
    # Somebody confirmed the value as it was. Then no reason is asked for.
    kept = models.BooleanField(default=False)
    # null: the demonstration's loader, or the upgrade that copied the values of environment variables.
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    reason = models.CharField(max_length=300, blank=True)

    objects = SettingChangeQuerySet.as_manager()

    class Meta:
        ordering = ["-number", "key"]
        constraints = [
            models.UniqueConstraint(fields=["key", "number"], name="setting_changed_once_in_version"),
            models.CheckConstraint(
                condition=models.Q(kept=True) | ~models.Q(reason=""), name="setting_change_has_reason"
            ),
        ]
        indexes = [models.Index(fields=["-number", "key"], name="settings_by_number")]
