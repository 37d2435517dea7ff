from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("patients", "0006_one_storage_consent")]

    operations = [
        migrations.AlterField(
            model_name="case", name="reference", field=models.CharField(max_length=24, unique=True)
        ),
    ]
