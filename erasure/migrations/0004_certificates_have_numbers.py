"""A certificate is found by its digest, so the digest becomes a column of its own."""

import hashlib

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def number(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for row in apps.get_model("erasure", "Certificate").objects.only("pk", "body"):
        row.digest = hashlib.sha256(row.body.encode()).hexdigest()
        row.save(update_fields=["digest"])


class Migration(migrations.Migration):
    dependencies = [("erasure", "0003_backups")]

    operations = [
        migrations.AddField("certificate", "digest", models.CharField(max_length=64, null=True)),
        migrations.RunPython(number, migrations.RunPython.noop),
        migrations.AlterField("certificate", "digest", models.CharField(max_length=64, unique=True)),
    ]
