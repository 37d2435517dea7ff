"""The schema as migrations 0001 to 0016 leave it, in one step for a new installation.

An installation that has applied some of them goes on with the rest of them. tests/test_migrations.py compares the
two ways. The rows that 0007 to 0013 convert are not there in a new installation, nor the variables that 0009 takes over.
"""

import uuid

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from clinic.migrations._audit_triggers import install_triggers, remove_triggers
from clinic.migrations._cache_table import create_cache_table, drop_cache_table


class Migration(migrations.Migration):
    replaces = [
        ("clinic", "0001_first"),
        ("clinic", "0002_audit_triggers"),
        ("clinic", "0003_cache_table"),
        ("clinic", "0004_checkpoints_leave_and_proofs_are_short"),
        ("clinic", "0005_cache_table_beside_redis"),
        ("clinic", "0006_bookings_are_released"),
        ("clinic", "0007_names_in_one_form"),
        ("clinic", "0008_set_up"),
        ("clinic", "0009_settings_in_the_browser"),
        ("clinic", "0010_outgoing_mail"),
        ("clinic", "0011_availability"),
        ("clinic", "0012_calendar"),
        ("clinic", "0013_search_words"),
        ("clinic", "0014_indexes_for_reports"),
        ("clinic", "0015_seasons"),
        ("clinic", "0016_lists_of_an_old_clinic"),
    ]

    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("size", models.BigIntegerField()),
                ("root", models.BinaryField(max_length=32)),
                ("note", models.TextField()),
                ("reason", models.CharField(max_length=60)),
                ("at", models.DateTimeField()),
            ],
            options={
                "ordering": ["size", "id"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("index", models.BigIntegerField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_index=True)),
                ("action", models.CharField(db_index=True, max_length=60)),
                ("actor", models.CharField(db_index=True, max_length=60)),
                ("subject", models.CharField(db_index=True, max_length=120)),
                ("case", models.UUIDField(db_index=True, null=True)),
                ("run", models.UUIDField(db_index=True, null=True)),
                ("details", models.JSONField(default=dict)),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("address", models.CharField(blank=True, max_length=45)),
                ("leaf", models.BinaryField(max_length=32)),
            ],
            options={
                "ordering": ["index"],
                "indexes": [
                    models.Index(fields=["action", "-index"], name="entries_of_action"),
                    models.Index(fields=["actor", "-index"], name="entries_of_actor"),
                ],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Mail",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("to", models.EmailField(max_length=254)),
                ("subject", models.CharField(max_length=200)),
                ("body", models.TextField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "ordering": ["-at"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("is_active", models.BooleanField(default=True)),
                ("stamp", models.PositiveIntegerField(default=0, editable=False)),
                ("joined_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("family_name_first", models.BooleanField(default=False)),
                ("search_key", models.TextField(default="", editable=False)),
                ("sort_en", models.BinaryField(default=b"")),
                ("sort_vi", models.BinaryField(default=b"")),
                ("language", models.CharField(blank=True, default="", max_length=8)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        django.db.models.functions.text.Lower("email"), name="user_email_once"
                    )
                ],
                "indexes": [
                    models.Index(fields=["sort_en", "id"], name="users_by_name_en"),
                    models.Index(fields=["sort_vi", "id"], name="users_by_name_vi"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("email", models.EmailField(max_length=254)),
                ("name", models.CharField(max_length=120)),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("receptionist", "front desk"),
                            ("technician", "technician"),
                            ("doctor", "doctor"),
                            ("administrator", "administrator"),
                            ("auditor", "auditor"),
                            ("patient", "patient"),
                        ],
                        max_length=20,
                    ),
                ),
                ("token_digest", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("used_at", models.DateTimeField(null=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "used_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invitations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("language", models.CharField(default="en", max_length=8)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("used_at__isnull", True)),
                        fields=["expires_at"],
                        name="unused_invitations_by_end",
                    )
                ],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Resource",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("doctor", "doctor"),
                            ("technician", "technician"),
                            ("room", "room"),
                            ("home-kit", "home kit"),
                        ],
                        max_length=12,
                    ),
                ),
                ("label", models.CharField(max_length=80)),
                ("in_use", models.BooleanField(default=True)),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="resources",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "label"), name="resource_label_once"),
                    models.UniqueConstraint(fields=("kind", "user"), name="resource_person_once"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Booking",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("visit", "visit"),
                            ("mapping", "mapping"),
                            ("erasure", "erasure"),
                            ("follow-up", "follow-up"),
                        ],
                        max_length=12,
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("canceled_at", models.DateTimeField(blank=True, null=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("resources", models.ManyToManyField(related_name="bookings", to="clinic.resource")),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("buffer_after", models.PositiveSmallIntegerField(default=0)),
                ("buffer_before", models.PositiveSmallIntegerField(default=0)),
                ("held_until", models.DateTimeField(blank=True, null=True)),
                ("sequence", models.PositiveIntegerField(default=0)),
                ("moved_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["starts_at"], name="bookings_by_start")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="booking_has_length"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("quarter", models.DateTimeField()),
                (
                    "booking",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reservations",
                        to="clinic.booking",
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reservations",
                        to="clinic.resource",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("resource", "quarter"), name="resource_taken_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="RoleGrant",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("receptionist", "front desk"),
                            ("technician", "technician"),
                            ("doctor", "doctor"),
                            ("administrator", "administrator"),
                            ("auditor", "auditor"),
                            ("patient", "patient"),
                        ],
                        max_length=20,
                    ),
                ),
                ("granted_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "granted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="grants",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["role", "user"], name="grants_by_role")],
                "constraints": [models.UniqueConstraint(fields=("user", "role"), name="role_granted_once")],
            },
        ),
        migrations.CreateModel(
            name="TreeHead",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("size", models.BigIntegerField(default=0)),
                ("frontier", models.JSONField(default=list)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="one_tree_head")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Subtree",
            fields=[
                ("block", models.BigIntegerField(primary_key=True, serialize=False)),
                ("root", models.BinaryField(max_length=32)),
            ],
            options={
                "ordering": ["block"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("address", models.EmailField(max_length=254)),
                ("at", models.DateTimeField()),
                (
                    "checkpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="deliveries",
                        to="clinic.checkpoint",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("checkpoint", "address"), name="checkpoint_sent_once")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="MailTrial",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("server", models.CharField(max_length=300)),
                ("sent", models.BooleanField()),
                ("refusal", models.CharField(blank=True, max_length=300)),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [],
                "constraints": [],
            },
        ),
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
                "indexes": [],
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
        migrations.CreateModel(
            name="AvailabilityException",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("adds", models.BooleanField(default=False)),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("reason", models.CharField(max_length=200)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
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
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="exceptions",
                        to="clinic.resource",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["ends_at"], name="exceptions_by_end")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="exception_has_length",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("resource__isnull", False), ("adds", False), _connector="OR"),
                        name="the_clinic_only_closes",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="NightLimits",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "nights_a_week",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(7),
                        ],
                    ),
                ),
                (
                    "rest_hours",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MaxValueValidator(72)]
                    ),
                ),
                (
                    "resource",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="night_limits",
                        to="clinic.resource",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="WorkingHours",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("weekday", models.PositiveSmallIntegerField()),
                ("starts", models.TimeField()),
                ("ends", models.TimeField()),
                ("valid_from", models.DateField()),
                ("valid_until", models.DateField(blank=True, null=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="working_hours",
                        to="clinic.resource",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["resource", "valid_from"], name="hours_by_resource")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("weekday__lte", 6)), name="hours_on_a_weekday"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_until__isnull", True),
                            ("valid_until__gte", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="hours_end_after_they_begin",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CalendarFeed",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="calendar_feeds",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("user",),
                        name="one_calendar_feed_at_a_time",
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="PersonWord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("name", "Name"),
                            ("person", "Person"),
                            ("email", "Email"),
                            ("mailbox", "Mailbox"),
                            ("phone", "Phone"),
                            ("digits", "Digits"),
                            ("number", "Number"),
                        ],
                        max_length=8,
                    ),
                ),
                ("word", models.BinaryField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_words",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["word", "user"], name="person_word")],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "word", "kind"), name="person_word_once")
                ],
            },
        ),
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
                "indexes": [],
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
                "indexes": [],
            },
        ),
        migrations.RunPython(install_triggers, remove_triggers),
        migrations.RunPython(create_cache_table, drop_cache_table),
    ]
