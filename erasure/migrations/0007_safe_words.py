"""A safe word stands until a doctor lifts it. One that was said in a night that is paused now stands too."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models import Q

PROTECT = django.db.models.deletion.PROTECT


def stand(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Let the safe word stand in every paused run in which it was said since the run last went on."""
    Run, SafeWord = apps.get_model("erasure", "Run"), apps.get_model("erasure", "SafeWord")
    for run in Run.objects.filter(state="paused").select_related("procedure"):
        said = None
        for event in run.events.filter(kind__in=["paused", "resumed"]).order_by("seq"):
            if event.kind == "resumed":
                said = None
            elif event.data.get("why") == "safe-word":
                said = event
        if said is not None:
            by = said.data.get("by")
            word = SafeWord.objects.create(
                run=run, case_id=run.procedure.case_id, said_by_id=by, said_at=said.at
            )
            Run.objects.filter(pk=run.pk).update(safe_word=word)


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0006_one_storage_consent"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("erasure", "0006_troubles"),
    ]

    operations = [
        migrations.CreateModel(
            name="SafeWord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("sealed", models.BinaryField(default=b"", editable=False)),
                ("said_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("lifted_at", models.DateTimeField(null=True)),
                ("case", models.ForeignKey(on_delete=PROTECT, related_name="+", to="patients.case")),
                (
                    "lifted_by",
                    models.ForeignKey(
                        null=True, on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                ("run", models.ForeignKey(on_delete=PROTECT, related_name="safe_words", to="erasure.run")),
                (
                    "said_by",
                    models.ForeignKey(
                        null=True, on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={"ordering": ["said_at", "pk"]},
        ),
        migrations.AddField(
            "run",
            "safe_word",
            models.OneToOneField(null=True, on_delete=PROTECT, related_name="+", to="erasure.safeword"),
        ),
        migrations.AddConstraint(
            "run",
            models.CheckConstraint(
                condition=Q(safe_word__isnull=True) | ~Q(state="running"), name="safe_word_stops"
            ),
        ),
        migrations.AddConstraint(
            "safeword",
            models.UniqueConstraint(
                fields=["run"], condition=Q(lifted_at__isnull=True), name="one_safe_word_stands"
            ),
        ),
        migrations.AddConstraint(
            "safeword",
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by__isnull=True)
                | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                name="lifted_by_somebody",
            ),
        ),
        # Last: PostgreSQL adds no constraint to a table that has got rows in the same transaction.
        migrations.RunPython(stand, migrations.RunPython.noop),
    ]
