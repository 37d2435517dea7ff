"""From here on the database refuses to change or remove what the log says."""

from django.db import migrations

from clinic.audit import triggers


class Migration(migrations.Migration):
    dependencies = [("clinic", "0001_first")]

    operations = [migrations.RunPython(triggers.install, triggers.remove, elidable=False)]
