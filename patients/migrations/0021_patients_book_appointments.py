from django.db import migrations, models


def let_patients_book(apps, schema_editor):
    """Let patients book visits and mapping visits in a new installation. An older one decides itself."""
    if not apps.get_model("clinic", "User").objects.exists():
        templates = apps.get_model("patients", "AppointmentTemplate").objects
        templates.filter(kind__in=["visit", "mapping"]).update(patients_may_book=True)


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0020_consent_papers"),
    ]

    operations = [
        migrations.AddField(
            model_name="appointmenttemplate",
            name="patients_may_book",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(let_patients_book, migrations.RunPython.noop),
    ]
