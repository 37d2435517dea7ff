"""Version 1 of the texts that are signed.

A new wording is a new migration that adds a version. patients/consent/texts.py has the newest.
"""

from django.db import migrations

from patients.migrations._consent_texts import publish


class Migration(migrations.Migration):
    dependencies = [("patients", "0001_first")]

    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
