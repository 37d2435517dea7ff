"""Settings are rows. What the environment said until this release is taken over, so that no policy changes by it."""

import math
import os

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# The variable of earlier releases, the key of the setting, its default. The bounds are checked when it is changed.
NUMBERS = (
    ("LACUNA_COOLING_OFF_HOURS", "cooling-off-hours", 72),
    ("LACUNA_PACE_SECONDS", "pace-seconds", 90),
    ("LACUNA_PRESENCE_MINUTES", "presence-minutes", 20),
    ("LACUNA_PRESENCE_GRACE_SECONDS", "presence-grace-seconds", 90),
    ("LACUNA_PRESENCE_STRENGTH", "presence-strength", 30),
    ("LACUNA_CALL_AGAIN_SECONDS", "call-again-seconds", 60),
    ("LACUNA_CALL_ESCALATE_SECONDS", "call-escalate-seconds", 180),
)
PHONE = ("LACUNA_CLINIC_PHONE", "clinic-telephone", "")


def said(variable):
    """Return the number in a variable; None if it has none."""
    try:
        number = float(os.environ.get(variable, ""))
    except ValueError:
        return None
    if not math.isfinite(number) or number < 0:
        return None
    return int(number) if number.is_integer() else number


def take_over(apps, schema_editor):
    """Write a row for each variable that says something else than the default."""
    found = [(variable, key, default, said(variable)) for variable, key, default in NUMBERS]
    found.append((*PHONE, os.environ.get(PHONE[0], "").strip()[:40]))
    rows = [
        apps.get_model("clinic", "SettingChange")(
            key=key,
            number=1,
            value=value,
            before=default,
            reason=f"The upgrade took it over from {variable}.",
        )
        for variable, key, default, value in found
        if value is not None and value != default
    ]
    if rows:
        apps.get_model("clinic", "SettingsVersion").objects.create(pk=1, number=1)
        apps.get_model("clinic", "SettingChange").objects.bulk_create(rows)


class Migration(migrations.Migration):
    dependencies = [("clinic", "0008_set_up")]

    operations = [
        migrations.CreateModel(
            name="SettingsVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("pk", 1)), name="one_settings_version")
                ],
            },
        ),
        migrations.CreateModel(
            name="SettingChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=40)),
                ("number", models.PositiveIntegerField()),
                ("value", models.JSONField()),
                ("before", models.JSONField()),
                ("kept", models.BooleanField(default=False)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("reason", models.CharField(blank=True, max_length=300)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-number", "key"],
                "indexes": [models.Index(fields=["-number", "key"], name="settings_by_number")],
                "constraints": [
                    models.UniqueConstraint(fields=("key", "number"), name="setting_changed_once_in_version"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kept", True), models.Q(("reason", ""), _negated=True), _connector="OR"
                        ),
                        name="setting_change_has_reason",
                    ),
                ],
            },
        ),
        migrations.RunPython(take_over, migrations.RunPython.noop),
    ]
