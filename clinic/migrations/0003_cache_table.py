"""The table of the shared cache, so that throttles hold across processes without another service."""

from django.db import migrations

from clinic.migrations._cache_table import create_cache_table, drop_cache_table


class Migration(migrations.Migration):
    dependencies = [("clinic", "0002_audit_triggers")]

    operations = [migrations.RunPython(create_cache_table, drop_cache_table)]
