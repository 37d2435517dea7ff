"""Notes on cases, how patients are reached, the words by which requests are found, and indexes of both lists.

A patient's telephone number is taken from the request that they were invited for.
"""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from clinic.migrations._search_words import email_words, name_words, phone_words, request_number_words

TOGETHER = 500  # requests written in one statement


def write_words(apps, schema_editor):
    Request, RequestWord = (
        apps.get_model("patients", name) for name in ("AppointmentRequest", "RequestWord")
    )
    Contact, PersonWord = apps.get_model("patients", "Contact"), apps.get_model("clinic", "PersonWord")
    new, phones = [], {}
    rows = Request.objects.select_related("invitation").defer("sealed").order_by("created_at")
    for row in rows.iterator(TOGETHER):
        words = name_words(row.name) | email_words(row.email) | phone_words(row.phone)
        words |= request_number_words(row.pk)
        new += [RequestWord(request_id=row.pk, kind=kind, word=word) for kind, word in sorted(words)]
        if row.phone and row.invitation and row.invitation.used_by_id:
            phones[row.invitation.used_by_id] = row.phone
    RequestWord.objects.bulk_create(new, batch_size=TOGETHER)
    Contact.objects.bulk_create(
        [Contact(patient_id=patient, phone=phone) for patient, phone in phones.items()], batch_size=TOGETHER
    )
    PersonWord.objects.bulk_create(
        [
            PersonWord(user_id=patient, kind=kind, word=word)
            for patient, phone in phones.items()
            for kind, word in sorted(phone_words(phone))
        ],
        batch_size=TOGETHER,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("clinic", "0013_search_words"),
        ("patients", "0012_appointments"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CaseNote",
            fields=[
                ("sealed", models.BinaryField(default=b"", editable=False)),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("written_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("struck_at", models.DateTimeField(null=True)),
                (
                    "case",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="staff_notes",
                        to="patients.case",
                    ),
                ),
                (
                    "written_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["case", "written_at"], name="note_of_case")]},
        ),
        migrations.CreateModel(
            name="Contact",
            fields=[
                (
                    "patient",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="contact",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("phone", models.CharField(blank=True, max_length=40)),
                ("address", models.TextField(blank=True, max_length=400)),
                (
                    "way",
                    models.CharField(
                        choices=[
                            ("mail", "by e-mail"),
                            ("phone", "by telephone"),
                            ("letter", "by letter"),
                            ("portal", "only on their own page"),
                        ],
                        default="mail",
                        max_length=8,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RequestWord",
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
                    "request",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="search_words",
                        to="patients.appointmentrequest",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["word", "request"], name="request_word")],
                "constraints": [
                    models.UniqueConstraint(fields=("request", "word", "kind"), name="request_word_once")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="appointmentrequest",
            index=models.Index(fields=["state", "-created_at", "id"], name="request_state_created"),
        ),
        migrations.AddIndex(
            model_name="appointmentrequest",
            index=models.Index(fields=["-created_at", "id"], name="request_created"),
        ),
        migrations.AddIndex(
            model_name="appointmentrequest",
            index=models.Index(fields=["-decided_at", "id"], name="request_decided"),
        ),
        migrations.AddIndex(
            model_name="case", index=models.Index(fields=["-opened_at", "id"], name="case_opened")
        ),
        migrations.AddIndex(
            model_name="case",
            index=models.Index(fields=["stage", "-opened_at", "id"], name="case_stage_opened"),
        ),
        # Last, as PostgreSQL changes no table in the transaction that has written to it.
        migrations.RunPython(write_words, migrations.RunPython.noop),
    ]
