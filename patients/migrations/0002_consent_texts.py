"""Version 1 of the texts that are signed."""

from django.db import migrations

from patients.consent.texts import publish_first_texts


def publish(apps, schema_editor):
    publish_first_texts(apps.get_model("patients", "ConsentText"))


class Migration(migrations.Migration):
    dependencies = [("patients", "0001_first")]

    operations = [migrations.RunPython(publish, migrations.RunPython.noop)]
