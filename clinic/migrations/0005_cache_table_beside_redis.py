"""The cache table for houses whose migration 0003 ran with LACUNA_REDIS set, which then made none.

Where the table exists, `createcachetable` leaves it as it is.
"""

from django.core.management import call_command
from django.db import migrations


def create(apps, schema_editor):
    call_command("createcachetable", "clinic_cache", database=schema_editor.connection.alias, verbosity=0)


class Migration(migrations.Migration):
    dependencies = [("clinic", "0004_checkpoints_leave_and_proofs_are_short")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
