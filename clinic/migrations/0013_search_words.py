"""The words by which people are found, and those of the accounts that there are."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from clinic.migrations._search_words import email_words, name_words

TOGETHER = 500  # accounts written in one statement


def write_words(apps, schema_editor):
    User, PersonWord = apps.get_model("clinic", "User"), apps.get_model("clinic", "PersonWord")
    new = []
    for user in User.objects.only("pk", "name", "email").order_by("pk").iterator(TOGETHER):
        words = name_words(user.name) | email_words(user.email)
        new += [PersonWord(user_id=user.pk, kind=kind, word=word) for kind, word in sorted(words)]
    PersonWord.objects.bulk_create(new, batch_size=TOGETHER)


class Migration(migrations.Migration):
    dependencies = [("clinic", "0012_calendar")]

    operations = [
        migrations.CreateModel(
            name="PersonWord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("name", "Name"),
                            ("person", "Person"),
                            ("email", "Email"),
                            ("mailbox", "Mailbox"),
                            ("phone", "Phone"),
                            ("digits", "Digits"),
                            ("number", "Number"),
                        ],
                        max_length=8,
                    ),
                ),
                ("word", models.BinaryField()),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_words",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["word", "user"], name="person_word")],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "word", "kind"), name="person_word_once")
                ],
            },
        ),
        migrations.RunPython(write_words, migrations.RunPython.noop),
    ]
