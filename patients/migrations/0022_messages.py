import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0001_squashed_0021_patients_book_appointments"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Message",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("from_clinic", models.BooleanField()),
                ("written_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("opened_at", models.DateTimeField(null=True)),
                (
                    "author",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="patients.case",
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
            ],
            options={
                "indexes": [
                    models.Index(fields=["case", "written_at", "-id"], name="message_of_case"),
                    models.Index(
                        condition=models.Q(("opened_at__isnull", True)),
                        fields=["case", "from_clinic"],
                        name="message_unopened",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="MessageThread",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("last_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("waits_since", models.DateTimeField(null=True)),
                ("answer_by", models.DateTimeField(null=True)),
                ("settled_at", models.DateTimeField(null=True)),
                ("settled_answer_by", models.DateTimeField(null=True)),
                (
                    "assigned_to",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "case",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="message_thread",
                        to="patients.case",
                    ),
                ),
                (
                    "settled_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("answer_by__isnull", False)),
                        fields=["answer_by", "-id"],
                        name="thread_waiting",
                    ),
                    models.Index(fields=["-last_at", "id"], name="thread_newest"),
                    models.Index(fields=["assigned_to", "-last_at", "id"], name="thread_assigned"),
                    models.Index(
                        condition=models.Q(("answer_by__isnull", False)),
                        fields=["assigned_to", "answer_by"],
                        name="thread_assigned_waiting",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("answer_by__isnull", True), ("waits_since__isnull", False), _connector="OR"
                        ),
                        name="thread_waits_since_something",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("answer_by__isnull", True), ("settled_at__isnull", True), _connector="OR"
                        ),
                        name="settled_thread_waits_for_nothing",
                    ),
                ],
            },
        ),
    ]
