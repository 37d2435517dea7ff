"""The table of the shared cache, so that throttles hold across processes without another service.

It is named here, so it is made also where the cache is in Redis: the house may do without Redis later.
"""

from django.core.management import call_command
from django.db import migrations


def create(apps, schema_editor):
    call_command("createcachetable", "clinic_cache", database=schema_editor.connection.alias, verbosity=0)


def drop(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS clinic_cache")


class Migration(migrations.Migration):
    dependencies = [("clinic", "0002_audit_triggers")]

    operations = [migrations.RunPython(create, drop)]
