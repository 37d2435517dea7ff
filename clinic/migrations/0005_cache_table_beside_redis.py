"""The cache table for installations whose migration 0003 ran with LACUNA_REDIS set, which then created none."""

from django.db import migrations

from clinic.migrations._cache_table import create_cache_table


class Migration(migrations.Migration):
    dependencies = [("clinic", "0004_checkpoints_leave_and_proofs_are_short")]

    operations = [migrations.RunPython(create_cache_table, migrations.RunPython.noop)]
