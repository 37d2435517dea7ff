"""Doctors' reviews of the intake, and which locked maps need one.

What was locked, signed or booked before stays valid: maps that exist when this migration runs get
needs_review=False, whatever the clock says. Whoever opens such a map again locks a new one, which needs a
review.
"""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0010_signatures_keep_their_cooling_off"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # Two steps: the first gives the rows that are there their value.
        migrations.AddField(
            model_name="lockedmap", name="needs_review", field=models.BooleanField(default=False)
        ),
        migrations.AlterField(
            model_name="lockedmap", name="needs_review", field=models.BooleanField(default=True)
        ),
        migrations.CreateModel(
            name="IntakeReview",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("cleared", "cleared"),
                            ("cleared_with_conditions", "cleared with conditions"),
                            ("not_cleared", "not cleared"),
                        ],
                        max_length=24,
                    ),
                ),
                ("reviewed_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="intake_reviews",
                        to="patients.case",
                    ),
                ),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("case", "number"), name="intake_review_number_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("outcome__in", ["cleared", "cleared_with_conditions", "not_cleared"])
                        ),
                        name="intake_review_outcome_known",
                    ),
                ],
            },
        ),
    ]
