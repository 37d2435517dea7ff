"""Whoever was called can say that they know. The consent to a night that was stopped is spent.

Consents of nights that were stopped before this release are superseded at the end of their night, as `finish`
does it from now on. What a withdrawal ended stays withdrawn.
"""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def spend(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    runs = apps.get_model("erasure", "Run").objects.filter(state="finished", outcome="stopped")
    signatures = apps.get_model("patients", "Signature").objects
    for consent, ended in runs.values_list("procedure__consent", "finished_at"):
        in_force = signatures.filter(pk=consent, withdrawn_at__isnull=True, superseded_at__isnull=True)
        in_force.update(superseded_at=ended)


class Migration(migrations.Migration):
    dependencies = [("erasure", "0007_safe_words")]

    operations = [
        migrations.AddField("callnotice", "seen_at", models.DateTimeField(null=True)),
        migrations.RunPython(spend, migrations.RunPython.noop),
    ]
