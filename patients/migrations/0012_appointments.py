"""Appointments, their templates, and what they leave the desk to do.

A new installation can book at once: it has one template for each kind, as they were when this was released. An
administrator changes them, or retires them, in the browser.
"""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from patients.migrations._appointment_templates import TEMPLATES


def add_templates(apps, schema_editor):
    rows = apps.get_model("patients", "AppointmentTemplate").objects
    for values in TEMPLATES:
        rows.create(**values)


class Migration(migrations.Migration):
    dependencies = [
        ("clinic", "0011_availability"),
        ("patients", "0011_intake_reviews"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AppointmentTemplate",
            fields=[
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("visit", "visit"),
                            ("mapping", "mapping visit"),
                            ("follow-up", "follow-up"),
                        ],
                        max_length=12,
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "minutes",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(15),
                            django.core.validators.MaxValueValidator(480),
                        ]
                    ),
                ),
                (
                    "doctors",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                (
                    "technicians",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                (
                    "place",
                    models.CharField(
                        choices=[("room", "a room"), ("none", "no room")], default="room", max_length=8
                    ),
                ),
                (
                    "buffer_before",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(120)]
                    ),
                ),
                (
                    "buffer_after",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(120)]
                    ),
                ),
                ("preparation_en", models.TextField(blank=True, max_length=2000)),
                ("preparation_vi", models.TextField(blank=True, max_length=2000)),
                ("follow_up_days", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("days_after_night", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("in_use", models.BooleanField(default=True)),
                (
                    "follow_up",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.appointmenttemplate",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Appointment",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("visit", "visit"),
                            ("mapping", "mapping visit"),
                            ("follow-up", "follow-up"),
                        ],
                        max_length=12,
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "minutes",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(15),
                            django.core.validators.MaxValueValidator(480),
                        ]
                    ),
                ),
                (
                    "doctors",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                (
                    "technicians",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                (
                    "place",
                    models.CharField(
                        choices=[("room", "a room"), ("none", "no room")], default="room", max_length=8
                    ),
                ),
                (
                    "buffer_before",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(120)]
                    ),
                ),
                (
                    "buffer_after",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(120)]
                    ),
                ),
                ("preparation_en", models.TextField(blank=True, max_length=2000)),
                ("preparation_vi", models.TextField(blank=True, max_length=2000)),
                ("follow_up_days", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("held", "held"),
                            ("booked", "expected"),
                            ("arrived", "arrived"),
                            ("in_progress", "in the room"),
                            ("completed", "done"),
                            ("cancelled", "canceled"),
                            ("no_show", "did not come"),
                        ],
                        default="held",
                        max_length=12,
                    ),
                ),
                ("sequence", models.PositiveIntegerField(default=0)),
                ("patient_moves", models.PositiveIntegerField(default=0)),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("patient", "The patient asked for it"),
                            ("patient-ill", "The patient is ill"),
                            ("staff", "Somebody of the team cannot come"),
                            ("place", "The room cannot be used"),
                            ("clinic", "The clinic plans anew"),
                            ("mistake", "It was booked by mistake"),
                            ("other", "Another reason"),
                            ("case-over", "The file was closed"),
                        ],
                        max_length=12,
                    ),
                ),
                ("changed_at", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("booked_at", models.DateTimeField(null=True)),
                ("arrived_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("missed_at", models.DateTimeField(null=True)),
                ("cancelled_at", models.DateTimeField(null=True)),
                (
                    "booking",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointment",
                        to="clinic.booking",
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="patients.case",
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "follow_up",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.appointmenttemplate",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="patients.appointmenttemplate",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DeskTask",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("call", "did not come: call"), ("follow-up", "book the follow-up")],
                        max_length=12,
                    ),
                ),
                ("due", models.DateField(null=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "answer",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("booked", "an appointment was booked"),
                            ("closed", "nothing is needed"),
                            ("undone", "it was entered by mistake"),
                        ],
                        max_length=8,
                    ),
                ),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "appointment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="desk_tasks",
                        to="patients.appointment",
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="desk_tasks",
                        to="patients.case",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="desk_tasks",
                        to="patients.appointmenttemplate",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="appointmenttemplate",
            constraint=models.UniqueConstraint(fields=("name",), name="appointment_template_name_once"),
        ),
        migrations.AddConstraint(
            model_name="appointmenttemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(("minutes__gte", 15)), name="appointment_template_has_length"
            ),
        ),
        migrations.AddConstraint(
            model_name="appointmenttemplate",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("follow_up__isnull", True), ("follow_up_days__isnull", True)),
                    models.Q(("follow_up__isnull", False), ("follow_up_days__isnull", False)),
                    _connector="OR",
                ),
                name="appointment_template_follow_up_has_days",
            ),
        ),
        migrations.AddIndex(
            model_name="appointment",
            index=models.Index(fields=["status"], name="appointments_by_status"),
        ),
        migrations.AddConstraint(
            model_name="appointment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        ["held", "booked", "arrived", "in_progress", "completed", "cancelled", "no_show"],
                    )
                ),
                name="appointment_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="appointment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("booked_at__isnull", True), ("status", "held")),
                    models.Q(models.Q(("status", "held"), _negated=True), ("booked_at__isnull", False)),
                    _connector="OR",
                ),
                name="appointment_booked_unless_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="appointment",
            constraint=models.CheckConstraint(
                condition=models.Q(("patient_moves__lte", models.F("sequence"))),
                name="appointment_patient_moves_are_moves",
            ),
        ),
        migrations.AddIndex(
            model_name="desktask",
            index=models.Index(
                condition=models.Q(("answer", "")), fields=["made_at"], name="desk_tasks_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="desktask",
            constraint=models.UniqueConstraint(
                condition=models.Q(("answer", "")), fields=("appointment", "kind"), name="desk_task_open_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="desktask",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("appointment__isnull", False), ("due__isnull", True), ("kind", "call")),
                    models.Q(("due__isnull", False), ("kind", "follow-up"), ("template__isnull", False)),
                    _connector="OR",
                ),
                name="desk_task_complete",
            ),
        ),
        migrations.RunPython(add_templates, migrations.RunPython.noop),
    ]
