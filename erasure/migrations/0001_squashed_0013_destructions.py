"""The schema as migrations 0001 to 0013 leave it, in one step for a new installation.

An installation that has applied some of them goes on with the rest of them. tests/test_migrations.py compares the
two ways.
"""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("erasure", "0001_first"),
        ("erasure", "0002_calls_presence_handover"),
        ("erasure", "0003_backups"),
        ("erasure", "0004_certificates_have_numbers"),
        ("erasure", "0005_renewal"),
        ("erasure", "0006_troubles"),
        ("erasure", "0007_safe_words"),
        ("erasure", "0008_stopped_nights_spend_their_consent"),
        ("erasure", "0009_runs_keep_their_policies"),
        ("erasure", "0010_notices_are_no_queue"),
        ("erasure", "0011_indexes_for_reports"),
        ("erasure", "0012_lists_of_an_old_clinic"),
        ("erasure", "0013_destructions"),
    ]

    initial = True

    dependencies = [
        ("clinic", "0001_squashed_0016_lists_of_an_old_clinic"),
        ("patients", "0001_squashed_0021_patients_book_appointments"),
    ]

    operations = [
        migrations.CreateModel(
            name="Procedure",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "place",
                    models.CharField(
                        choices=[("clinic", "in the clinic"), ("home", "at the patient's home")], max_length=8
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("booked", "booked"),
                            ("started", "started"),
                            ("done", "done"),
                            ("canceled", "canceled"),
                        ],
                        default="booked",
                        max_length=10,
                    ),
                ),
                ("pace_seconds", models.FloatField(validators=[django.core.validators.MinValueValidator(0)])),
                ("booked_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "booked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "booking",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="procedure",
                        to="clinic.booking",
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="procedures",
                        to="patients.case",
                    ),
                ),
                (
                    "consent",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="procedures",
                        to="patients.signature",
                    ),
                ),
                (
                    "map",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="procedures",
                        to="patients.lockedmap",
                    ),
                ),
                (
                    "presence_minutes",
                    models.FloatField(
                        blank=True, null=True, validators=[django.core.validators.MinValueValidator(0)]
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "booked")), fields=["booking"], name="procedures_booked"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ["booked", "started"])),
                        fields=("case",),
                        name="one_procedure_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("pace_seconds__gte", 0)), name="pace_not_negative"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Run",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "erasing"),
                            ("paused", "paused"),
                            ("stopping", "stopping"),
                            ("finished", "finished"),
                        ],
                        default="running",
                        max_length=10,
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("complete", "complete"), ("partial", "partial"), ("stopped", "stopped")],
                        max_length=10,
                    ),
                ),
                (
                    "why",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("staff", "by the team"),
                            ("patient", "by the patient"),
                            ("safe-word", "safe word"),
                            ("abort", "abort begun"),
                            ("withdrawn", "consent withdrawn"),
                            ("restored", "a backup was restored"),
                            ("presence", "nobody answered"),
                            ("damaged", "a keepsake cannot be read"),
                            ("storage", "the storage is away"),
                            ("fault", "the machine failed"),
                        ],
                        max_length=12,
                    ),
                ),
                ("held_at", models.DateTimeField(null=True)),
                ("expected_steps", models.PositiveIntegerField()),
                ("epoch", models.PositiveIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_holder", models.CharField(blank=True, max_length=64)),
                ("next_due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("woken_at", models.DateTimeField(null=True)),
                ("last_seq", models.PositiveIntegerField(default=0)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                ("paused_seconds", models.FloatField(default=0)),
                (
                    "held_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "procedure",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="run",
                        to="erasure.procedure",
                    ),
                ),
                (
                    "started_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("attended_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "responsible",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("taken_over_at", models.DateTimeField(null=True)),
                (
                    "taken_over_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("presence_minutes", models.FloatField()),
                ("presence_grace_seconds", models.FloatField()),
                ("presence_strength", models.FloatField()),
                ("call_again_seconds", models.FloatField()),
                ("call_escalate_seconds", models.FloatField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "next_due_at"], name="run_due"),
                    models.Index(fields=["started_at"], name="runs_by_start"),
                    models.Index(fields=["finished_at"], name="runs_by_end"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "finished"), _negated=True),
                            models.Q(
                                ("finished_at__isnull", False), models.Q(("outcome", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="finished_has_outcome",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seq", models.PositiveIntegerField()),
                ("kind", models.CharField(max_length=24)),
                ("at", models.DateTimeField()),
                ("data", models.JSONField(default=dict)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="events", to="erasure.run"
                    ),
                ),
            ],
            options={
                "ordering": ["seq"],
                "indexes": [],
                "constraints": [models.UniqueConstraint(fields=("run", "seq"), name="event_seq_gapless")],
            },
        ),
        migrations.CreateModel(
            name="DoctorCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("called_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("acknowledged_at", models.DateTimeField(null=True)),
                (
                    "acknowledged_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "called_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="calls", to="erasure.run"
                    ),
                ),
                ("escalate_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("escalated_at", models.DateTimeField(null=True)),
                ("remind_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "why",
                    models.CharField(
                        choices=[
                            ("asked", "somebody asked for the doctor"),
                            ("safe-word", "safe word"),
                            ("hold", "a copy off the map"),
                            ("presence", "nobody answered"),
                            ("damaged", "a keepsake cannot be read"),
                            ("storage", "the storage is away"),
                            ("fault", "the machine failed"),
                            ("stalled", "nothing moves"),
                        ],
                        default="asked",
                        max_length=10,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("acknowledged_at__isnull", True)),
                        fields=["remind_at"],
                        name="open_call_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("acknowledged_at__isnull", True)),
                        fields=("run",),
                        name="one_open_call_each",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Step",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("position", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("fading", "fading"),
                            ("held", "held"),
                            ("destroyed", "destroyed"),
                            ("spared", "spared"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("level", models.PositiveSmallIntegerField(default=0)),
                ("spared_because", models.CharField(blank=True, max_length=20)),
                ("started_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
                ("bytes_destroyed", models.BigIntegerField(default=0)),
                ("objects_destroyed", models.PositiveIntegerField(default=0)),
                (
                    "entry",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="clinic.entry",
                    ),
                ),
                (
                    "memory",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="steps",
                        to="patients.memory",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="steps", to="erasure.run"
                    ),
                ),
            ],
            options={
                "ordering": ["position"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("run", "memory"), name="memory_once_in_run"),
                    models.UniqueConstraint(fields=("run", "position"), name="position_once_in_run"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "destroyed"), _negated=True),
                            models.Q(("entry__isnull", False), ("done_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="destroyed_is_recorded",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Hold",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("distance", models.PositiveSmallIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "waiting for the doctor"),
                            ("extended", "map extended"),
                            ("spared", "copy spared"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("found_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("decided_at", models.DateTimeField(null=True)),
                ("reason", models.CharField(blank=True, max_length=20)),
                (
                    "copy",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.keepsake"
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "keepsake",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.keepsake"
                    ),
                ),
                (
                    "step",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="holds", to="erasure.step"
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("step", "copy"), name="copy_held_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state", "open"),
                            models.Q(("decided_at__isnull", False), models.Q(("reason", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="decision_has_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Attendance",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="attendances",
                        to="erasure.run",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [models.UniqueConstraint(fields=("run", "user"), name="attends_once")],
            },
        ),
        migrations.CreateModel(
            name="CallNotice",
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
                            ("first", "called"),
                            ("again", "told again"),
                            ("escalated", "called because nobody answered"),
                        ],
                        max_length=10,
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("sent_at", models.DateTimeField(null=True)),
                (
                    "call",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="notices",
                        to="erasure.doctorcall",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("seen_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["at", "pk"],
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Handover",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("offered_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("offered", "offered"),
                            ("accepted", "accepted"),
                            ("declined", "declined"),
                            ("withdrawn", "taken back"),
                        ],
                        default="offered",
                        max_length=10,
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "offered_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "offered_to",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="handovers",
                        to="erasure.run",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "offered")), fields=("run",), name="one_offer_at_a_time"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PresenceCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("due_at", models.DateTimeField()),
                ("answered_at", models.DateTimeField(null=True)),
                ("missed_at", models.DateTimeField(null=True)),
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
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="presence_checks",
                        to="erasure.run",
                    ),
                ),
                (
                    "step",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="presence_check",
                        to="erasure.step",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("answered_at__isnull", True), ("missed_at__isnull", True)),
                        fields=("run",),
                        name="one_open_question_each",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("answered_at__isnull", True), ("missed_at__isnull", True), _connector="OR"
                        ),
                        name="answered_or_missed",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Remainder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("given-back", "given back"),
                            ("kept", "kept here as it is"),
                            ("destroyed", "destroyed"),
                        ],
                        max_length=10,
                    ),
                ),
                ("given_at", models.DateTimeField(null=True)),
                ("decided_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "decided_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "step",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="remainder",
                        to="erasure.step",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Backup",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("directory", models.CharField(max_length=500)),
                ("made_at", models.DateTimeField()),
                ("digest", models.CharField(max_length=64)),
                ("log_size", models.BigIntegerField()),
                ("objects_count", models.PositiveIntegerField()),
                ("size", models.BigIntegerField()),
                ("restored_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-made_at"],
                "constraints": [models.UniqueConstraint(fields=("digest",), name="backup_catalogued_once")],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="Drill",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("held_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "result",
                    models.CharField(
                        choices=[
                            ("holds", "nothing erased opens"),
                            ("broken", "it does not hold"),
                            ("uncontrolled", "nothing opens, and nothing was left to compare"),
                        ],
                        max_length=14,
                    ),
                ),
                ("kept_opened", models.PositiveIntegerField()),
                ("kept_closed", models.PositiveIntegerField()),
                ("erased_opened", models.PositiveIntegerField()),
                ("erased_closed", models.PositiveIntegerField()),
                (
                    "backup",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drills",
                        to="erasure.backup",
                    ),
                ),
            ],
            options={
                "ordering": ["-held_at"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("result", "holds"), _negated=True),
                            models.Q(("erased_opened", 0), ("kept_closed", 0), ("kept_opened__gt", 0)),
                            _connector="OR",
                        ),
                        name="drill_holds_only_so",
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ServerProcess",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=20)),
                ("machine", models.CharField(max_length=120)),
                ("pid", models.PositiveIntegerField()),
                ("born", models.CharField(blank=True, max_length=40)),
                ("renewable", models.BooleanField()),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["ended_at"], name="processes_that_live")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("machine", "pid", "born"), name="one_row_for_each_process"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Trouble",
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
                            ("damaged", "a keepsake cannot be read"),
                            ("storage", "the storage is away"),
                            ("fault", "the machine failed"),
                            ("stalled", "nothing moves"),
                        ],
                        max_length=10,
                    ),
                ),
                ("cause", models.CharField(blank=True, max_length=60)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "it lasts"),
                            ("over", "it is over"),
                            ("destroy", "to be destroyed as it is"),
                            ("spared", "left as it is"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("found_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "keepsake",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.keepsake",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="troubles", to="erasure.run"
                    ),
                ),
                (
                    "step",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="troubles",
                        to="erasure.step",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open"), models.Q(("kind", "damaged"), _negated=True)),
                        fields=("run", "kind"),
                        name="one_open_trouble_of_a_kind",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("step", "keepsake"),
                        name="damage_found_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "damaged"), ("step__isnull", False)),
                            models.Q(
                                models.Q(("kind", "damaged"), _negated=True),
                                ("keepsake__isnull", True),
                                ("step__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="damage_is_of_a_step",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("state", "open")),
                            models.Q(models.Q(("state", "open"), _negated=True), ("ended_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="trouble_has_its_end",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="SafeWord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sealed", models.BinaryField(default=b"")),
                ("said_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("lifted_at", models.DateTimeField(null=True)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="patients.case"
                    ),
                ),
                (
                    "lifted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="safe_words",
                        to="erasure.run",
                    ),
                ),
                (
                    "said_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["said_at", "pk"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=("run",),
                        name="one_safe_word_stands",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lifted_at__isnull", True), ("lifted_by__isnull", True)),
                            models.Q(("lifted_at__isnull", False), ("lifted_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="lifted_by_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Destruction",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("begins_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("destroying", "being destroyed"),
                            ("finished", "finished"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        blank=True, choices=[("complete", "complete"), ("stopped", "stopped")], max_length=10
                    ),
                ),
                ("whole_case", models.BooleanField(default=False)),
                ("finished_at", models.DateTimeField(null=True)),
                ("next_due_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_holder", models.CharField(blank=True, max_length=60)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="destructions",
                        to="patients.case",
                    ),
                ),
            ],
            options={
                "ordering": ["asked_at", "pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "finished"), _negated=True),
                        fields=["next_due_at"],
                        name="destructions_unfinished",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "finished"), _negated=True),
                        fields=("case",),
                        name="one_destruction_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("finished_at__isnull", False),
                                ("state", "finished"),
                                models.Q(("outcome", ""), _negated=True),
                            ),
                            models.Q(
                                models.Q(("state", "finished"), _negated=True),
                                ("finished_at__isnull", True),
                                ("outcome", ""),
                            ),
                            _connector="OR",
                        ),
                        name="destruction_ends_with_outcome",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Certificate",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("body", models.TextField()),
                ("signature", models.CharField(max_length=200)),
                ("issued_at", models.DateTimeField()),
                (
                    "run",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="certificate",
                        to="erasure.run",
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                (
                    "destruction",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="certificate",
                        to="erasure.destruction",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("run__isnull", True), ("destruction__isnull", True), _connector="XOR"
                        ),
                        name="certificate_of_one",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Renewal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("last_process", models.BigIntegerField()),
                ("asked_at", models.DateTimeField()),
                (
                    "run",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renewal",
                        to="erasure.run",
                    ),
                ),
                (
                    "destruction",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="renewal",
                        to="erasure.destruction",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("run__isnull", True), ("destruction__isnull", True), _connector="XOR"
                        ),
                        name="renewal_of_one",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DestructionItem",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("position", models.PositiveIntegerField()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("memory", "memory"),
                            ("keepsake", "keepsake"),
                            ("case", "the words of the file"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting"),
                            ("doomed", "being destroyed"),
                            ("destroyed", "destroyed"),
                            ("spared", "stays"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("objects_destroyed", models.PositiveIntegerField(default=0)),
                ("bytes_destroyed", models.BigIntegerField(default=0)),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "destruction",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="erasure.destruction",
                    ),
                ),
                (
                    "entry",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="clinic.entry",
                    ),
                ),
                (
                    "keepsake",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.keepsake",
                    ),
                ),
                (
                    "memory",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.memory",
                    ),
                ),
            ],
            options={
                "ordering": ["position"],
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("destruction", "position"), name="position_once_in_destruction"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("keepsake__isnull", True), ("kind", "memory"), ("memory__isnull", False)
                            ),
                            models.Q(
                                ("keepsake__isnull", False), ("kind", "keepsake"), ("memory__isnull", True)
                            ),
                            models.Q(("keepsake__isnull", True), ("kind", "case"), ("memory__isnull", True)),
                            _connector="OR",
                        ),
                        name="destruction_item_is_one_thing",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "destroyed"), _negated=True),
                            models.Q(("done_at__isnull", False), ("entry__isnull", False)),
                            _connector="OR",
                        ),
                        name="destroyed_item_is_recorded",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="Run",
            name="safe_word",
            field=models.OneToOneField(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="erasure.safeword",
            ),
        ),
        migrations.AddConstraint(
            model_name="Run",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("safe_word__isnull", True),
                    models.Q(("state", "running"), _negated=True),
                    _connector="OR",
                ),
                name="safe_word_stops",
            ),
        ),
    ]
