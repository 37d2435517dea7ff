"""From here on the database refuses to change or remove what the log says."""

from django.db import migrations

from clinic.migrations._audit_triggers import install_triggers, remove_triggers


class Migration(migrations.Migration):
    dependencies = [("clinic", "0001_first")]

    operations = [migrations.RunPython(install_triggers, remove_triggers, elidable=False)]
