"""Seasons: spans of days with rules of their own, agreements to their extra hours, and their changes."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinic", "0014_indexes_for_reports"),
    ]

    operations = [
        migrations.CreateModel(
            name="Season",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=80)),
                ("first", models.DateField()),
                ("last", models.DateField()),
                ("extra_days", models.CharField(blank=True, max_length=7)),
                ("extra_starts", models.TimeField(blank=True, null=True)),
                ("extra_ends", models.TimeField(blank=True, null=True)),
                ("hours_version", models.PositiveIntegerField(default=1)),
                (
                    "cooling_off_hours",
                    models.FloatField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(0)]
                    ),
                ),
                ("nights_per_patient", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("appointments_per_patient", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("waitlist_open", models.BooleanField(default=False)),
                ("canceled_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-first"],
                "indexes": [models.Index(fields=["first", "last"], name="seasons_by_days")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("last__gte", models.F("first"))),
                        name="season_ends_after_it_begins",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True), name="season_has_name"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("extra_days", ""), ("extra_ends", None), ("extra_starts", None)),
                            models.Q(
                                models.Q(("extra_days", ""), _negated=True),
                                ("extra_ends__isnull", False),
                                ("extra_starts__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="season_hours_complete",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("cooling_off_hours", None), ("cooling_off_hours__gte", 0), _connector="OR"
                        ),
                        name="season_cooling_off_not_negative",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SeasonAgreement",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("hours_version", models.PositiveIntegerField()),
                ("agreed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "agreed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="season_agreements",
                        to="clinic.resource",
                    ),
                ),
                (
                    "season",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="agreements",
                        to="clinic.season",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("season", "resource"),
                        name="season_agreement_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SeasonChange",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("made", "Entered"),
                            ("changed", "Changed"),
                            ("ended", "Ended early"),
                            ("canceled", "Given up before it began"),
                        ],
                        max_length=8,
                    ),
                ),
                ("values", models.JSONField()),
                ("reason", models.CharField(max_length=300)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "season",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="changes",
                        to="clinic.season",
                    ),
                ),
            ],
            options={
                "ordering": ["-at", "-number"],
                "constraints": [
                    models.UniqueConstraint(fields=("season", "number"), name="season_change_once"),
                    models.CheckConstraint(
                        condition=models.Q(("reason", ""), _negated=True), name="season_change_has_reason"
                    ),
                ],
            },
        ),
    ]
