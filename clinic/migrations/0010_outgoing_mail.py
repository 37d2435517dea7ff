"""Mail waits in a queue, and people have a language in which it is written."""

import uuid

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinic", "0009_settings_in_the_browser"),
    ]

    operations = [
        migrations.AddField(
            model_name="invitation",
            name="language",
            field=models.CharField(default="en", max_length=8),
        ),
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(blank=True, default="", max_length=8),
        ),
        migrations.CreateModel(
            name="OutgoingMessage",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("event", models.CharField(max_length=40)),
                ("about", models.CharField(max_length=80)),
                ("version", models.PositiveBigIntegerField()),
                ("recipient", models.CharField(max_length=80)),
                (
                    "audience",
                    models.CharField(choices=[("patient", "patient"), ("staff", "staff")], max_length=8),
                ),
                ("language", models.CharField(max_length=8)),
                ("case", models.UUIDField(null=True)),
                ("base", models.CharField(blank=True, max_length=200)),
                ("urgent", models.BooleanField(default=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("queued", "waiting"),
                            ("sending", "being sent"),
                            ("sent", "sent"),
                            ("failed", "not delivered"),
                            ("cancelled", "not sent, because it was true no longer"),
                        ],
                        default="queued",
                        max_length=10,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("queued_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("next_attempt_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("claim", models.UUIDField(null=True)),
                ("taken_until", models.DateTimeField(null=True)),
                ("cancelled_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("unreachable", "The mail server does not answer."),
                            ("certificate", "The mail server's certificate is not trusted."),
                            ("login", "The mail server refuses our login."),
                            ("security", "The mail server cannot do what the settings ask for."),
                            ("sender", "The mail server refuses our sender address."),
                            ("address", "The mail server knows no such address."),
                            ("content", "The mail server refuses the message."),
                            ("later", "The mail server asks us to try again later."),
                            ("fault", "The message could not be written. The server's log says why."),
                            ("untrue", "It was no longer true when its turn came."),
                            ("replaced", "What it said has changed or was canceled."),
                            ("given-up", "Given up by a member of staff."),
                        ],
                        max_length=12,
                    ),
                ),
                ("reply_code", models.PositiveSmallIntegerField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["status", "next_attempt_at"], name="message_due"),
                    models.Index(fields=["status", "-ended_at"], name="message_failed"),
                    models.Index(fields=["about"], name="message_about"),
                    models.Index(fields=["case"], name="message_case"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("event", "about", "version", "recipient"), name="message_queued_once"
                    )
                ],
            },
        ),
    ]
