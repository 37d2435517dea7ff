"""The schema as migrations 0001 to 0021 leave it, in one step for a new installation.

An installation that has applied some of them goes on with the rest of them. tests/test_migrations.py compares the
two ways. A new installation has the first texts to sign and the first appointment templates.
"""

import uuid

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from patients.migrations._appointment_templates import TEMPLATES
from patients.migrations._consent_texts import publish

PATIENTS_BOOK = {"visit", "mapping"}


def add_templates(apps, schema_editor):
    rows = apps.get_model("patients", "AppointmentTemplate").objects
    for values in TEMPLATES:
        rows.create(**values, patients_may_book=values["kind"] in PATIENTS_BOOK)


class Migration(migrations.Migration):
    replaces = [
        ("patients", "0001_first"),
        ("patients", "0002_consent_texts"),
        ("patients", "0003_keepsakes_of_every_kind"),
        ("patients", "0004_key_store_of_several_machines"),
        ("patients", "0005_held_keys"),
        ("patients", "0006_one_storage_consent"),
        ("patients", "0007_file_numbers_with_check_digits"),
        ("patients", "0008_requests_in_one_form"),
        ("patients", "0009_drafts"),
        ("patients", "0010_signatures_keep_their_cooling_off"),
        ("patients", "0011_intake_reviews"),
        ("patients", "0012_appointments"),
        ("patients", "0013_desk"),
        ("patients", "0014_indexes_for_reports"),
        ("patients", "0015_signatures_keep_their_season"),
        ("patients", "0016_repeat_exceptions"),
        ("patients", "0017_uploads_by_tus"),
        ("patients", "0018_lists_of_an_old_clinic"),
        ("patients", "0019_waitlist"),
        ("patients", "0020_consent_papers"),
        ("patients", "0021_patients_book_appointments"),
    ]

    initial = True

    dependencies = [
        ("clinic", "0001_squashed_0016_lists_of_an_old_clinic"),
    ]

    operations = [
        migrations.CreateModel(
            name="AppointmentRequest",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=120, verbose_name="name")),
                ("email", models.EmailField(max_length=254, verbose_name="e-mail address")),
                ("phone", models.CharField(blank=True, max_length=40, verbose_name="telephone")),
                ("language", models.CharField(default="en", max_length=8)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("new", "new"),
                            ("held", "held"),
                            ("declined", "declined"),
                            ("accepted", "accepted"),
                        ],
                        default="new",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "invitation",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointment_request",
                        to="clinic.invitation",
                    ),
                ),
            ],
            options={
                "abstract": False,
                "indexes": [
                    models.Index(fields=["state", "-created_at", "id"], name="request_state_created"),
                    models.Index(fields=["-created_at", "id"], name="request_created"),
                    models.Index(fields=["-decided_at", "id"], name="request_decided"),
                    models.Index(fields=["state", "decided_at"], name="decided_requests_by_time"),
                ],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Case",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("reference", models.CharField(max_length=24, unique=True)),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("intake", "intake"),
                            ("bringing", "bringing keepsakes"),
                            ("review", "in review"),
                            ("mapped", "map locked"),
                            ("consented", "consent given"),
                            ("booked", "night booked"),
                            ("running", "being erased"),
                            ("closed", "closed"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="intake",
                        max_length=12,
                    ),
                ),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cases",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["-opened_at", "id"], name="case_opened"),
                    models.Index(fields=["stage", "-opened_at", "id"], name="case_stage_opened"),
                    models.Index(fields=["stage", "closed_at"], name="closed_cases_by_time"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("stage__in", ["closed", "withdrawn"]), _negated=True),
                        fields=("patient",),
                        name="one_current_case_each",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ConsentText",
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
                        choices=[("storage", "keeping what you bring"), ("procedure", "the procedure")],
                        max_length=12,
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                ("language", models.CharField(default="en", max_length=8)),
                ("body", models.TextField()),
                ("digest", models.CharField(max_length=64)),
                ("published_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "version", "language"), name="consent_text_once")
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="LockedMap",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("version", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
                ("body", models.JSONField()),
                ("locked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("unlocked_at", models.DateTimeField(null=True)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="maps", to="patients.case"
                    ),
                ),
                (
                    "locked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("needs_review", models.BooleanField(default=True)),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("case", "version"), name="map_version_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("unlocked_at__isnull", True)),
                        fields=("case",),
                        name="one_locked_map_each",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Memory",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "zone",
                    models.CharField(
                        choices=[("map", "on the map"), ("childhood", "childhood, not on the map")],
                        default="map",
                        max_length=10,
                    ),
                ),
                (
                    "fate",
                    models.CharField(
                        choices=[
                            ("target", "to be erased"),
                            ("protected", "kept on purpose"),
                            ("erased", "erased"),
                        ],
                        default="target",
                        max_length=10,
                    ),
                ),
                (
                    "intensity",
                    models.PositiveSmallIntegerField(
                        null=True, validators=[django.core.validators.MaxValueValidator(10)]
                    ),
                ),
                ("number", models.PositiveIntegerField(null=True)),
                ("chapter", models.PositiveSmallIntegerField(null=True)),
                ("x", models.FloatField(null=True)),
                ("y", models.FloatField(null=True)),
                ("w", models.FloatField(null=True)),
                ("h", models.FloatField(null=True)),
                ("tilt", models.FloatField(default=0)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memories",
                        to="patients.case",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("case", "number"), name="memory_number_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("intensity__isnull", True), ("intensity__lte", 10), _connector="OR"
                        ),
                        name="intensity_to_10",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Keepsake",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("photo", "photograph"),
                            ("letter", "letter"),
                            ("object", "object"),
                            ("recording", "recording"),
                            ("video", "video"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "review",
                    models.CharField(
                        choices=[
                            ("waiting", "waiting for review"),
                            ("accepted", "accepted"),
                            ("returned", "returned"),
                        ],
                        default="waiting",
                        max_length=10,
                    ),
                ),
                ("added_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("level", models.PositiveSmallIntegerField(default=0)),
                ("width", models.PositiveIntegerField(default=0)),
                ("height", models.PositiveIntegerField(default=0)),
                ("gone_at", models.DateTimeField(null=True)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="keepsakes",
                        to="patients.case",
                    ),
                ),
                (
                    "memory",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="keepsakes",
                        to="patients.memory",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["case", "added_at"], name="keepsakes_of_case")],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="MemoryLink",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "a",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="links_from",
                        to="patients.memory",
                    ),
                ),
                (
                    "b",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="links_to",
                        to="patients.memory",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("a", "b"), name="memories_linked_once"),
                    models.CheckConstraint(
                        condition=models.Q(("a__lt", models.F("b"))), name="link_smaller_id_first"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Signature",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("text_digest", models.CharField(max_length=64)),
                ("map_digest", models.CharField(blank=True, max_length=64)),
                ("may_extend", models.BooleanField(default=False)),
                ("signed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("superseded_at", models.DateTimeField(null=True)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signatures",
                        to="patients.case",
                    ),
                ),
                (
                    "map",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signatures",
                        to="patients.lockedmap",
                    ),
                ),
                (
                    "signed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "text",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signatures",
                        to="patients.consenttext",
                    ),
                ),
                (
                    "cooling_off_hours",
                    models.FloatField(default=0, validators=[django.core.validators.MinValueValidator(0)]),
                ),
                (
                    "season",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="signatures",
                        to="clinic.season",
                    ),
                ),
                ("season_name", models.CharField(blank=True, max_length=80)),
                ("list_digest", models.CharField(blank=True, max_length=64)),
                ("paper_digest", models.CharField(blank=True, max_length=64)),
                ("witnessed", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("map__isnull", False)),
                        fields=["signed_at"],
                        name="procedure_consents_by_time",
                    ),
                    models.Index(
                        condition=models.Q(("map__isnull", False)),
                        fields=["withdrawn_at"],
                        name="withdrawn_consents_by_time",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("superseded_at__isnull", True), ("withdrawn_at__isnull", True)),
                        fields=("case", "map"),
                        name="one_consent_in_force",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("map__isnull", True),
                            ("superseded_at__isnull", True),
                            ("withdrawn_at__isnull", True),
                        ),
                        fields=("case",),
                        name="one_storage_consent_in_force",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StoredObject",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("original", "Original"),
                            ("screen", "Screen"),
                            ("thumb", "Thumb"),
                            ("frame", "Frame"),
                            ("seal", "Seal"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("live", "Live"),
                            ("doomed", "Doomed"),
                            ("destroyed", "Destroyed"),
                        ],
                        default="live",
                        max_length=10,
                    ),
                ),
                ("blob", models.CharField(blank=True, max_length=120)),
                ("media_type", models.CharField(blank=True, max_length=40)),
                ("size", models.BigIntegerField(default=0)),
                ("width", models.PositiveIntegerField(default=0)),
                ("height", models.PositiveIntegerField(default=0)),
                ("level", models.PositiveSmallIntegerField(default=0)),
                ("capacity", models.BigIntegerField(default=0)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("doomed_at", models.DateTimeField(null=True)),
                ("doomed_by", models.CharField(blank=True, max_length=60)),
                ("destroyed_at", models.DateTimeField(null=True)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="stored", to="patients.case"
                    ),
                ),
                (
                    "keepsake",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stored",
                        to="patients.keepsake",
                    ),
                ),
                (
                    "memory",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="stored",
                        to="patients.memory",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["state", "doomed_at"], name="object_doomed"),
                    models.Index(fields=["keepsake", "role"], name="object_of_keepsake"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("destroyed_at__isnull", False), ("state", "destroyed")),
                            models.Q(
                                models.Q(("state", "destroyed"), _negated=True),
                                ("destroyed_at__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="destroyed_has_its_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["pending", "live"]), ("doomed_at__isnull", False), _connector="OR"
                        ),
                        name="doom_has_its_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Upload",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("photo", "photograph"),
                            ("letter", "letter"),
                            ("object", "object"),
                            ("recording", "recording"),
                            ("video", "video"),
                        ],
                        default="photo",
                        max_length=10,
                    ),
                ),
                ("length", models.BigIntegerField()),
                ("offset", models.BigIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                (
                    "by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uploads",
                        to="patients.case",
                    ),
                ),
                (
                    "keepsake",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="upload",
                        to="patients.keepsake",
                    ),
                ),
                ("length_deferred", models.BooleanField(default=False)),
                ("sealed_tail", models.BinaryField(default=b"")),
                ("wanted", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("offset__lte", models.F("length"))),
                        name="upload_within_its_length",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Custody",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("received", "on our shelf"),
                            ("handed", "handed to the procedure"),
                            ("ending", "waiting for a second witness"),
                            ("destroyed", "destroyed before two witnesses"),
                            ("returned", "given back before two witnesses"),
                        ],
                        default="received",
                        max_length=10,
                    ),
                ),
                ("shelf", models.CharField(max_length=12)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("handed_at", models.DateTimeField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("destroyed", "destroyed"), ("returned", "given back")],
                        max_length=10,
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                ("witnessed_at", models.DateTimeField(null=True)),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "handed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "keepsake",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="custody",
                        to="patients.keepsake",
                    ),
                ),
                (
                    "received_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "witnessed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["destroyed", "returned"]), _negated=True),
                            models.Q(
                                ("ended_at__isnull", False),
                                ("ended_by__isnull", False),
                                ("witnessed_at__isnull", False),
                                ("outcome", models.F("state")),
                                ("witnessed_by__isnull", False),
                                models.Q(("witnessed_by", models.F("ended_by")), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="custody_closed_by_two",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "handed"), _negated=True),
                            models.Q(("handed_at__isnull", False), ("handed_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="custody_handed_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "ending"), _negated=True),
                            models.Q(("ended_by__isnull", False), models.Q(("outcome", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="custody_ending_says_how",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="CaseKey",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(blank=True, max_length=32)),
                ("rolls", models.PositiveBigIntegerField(default=0)),
                ("dirty", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="KeyHouse",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.UUIDField(default=uuid.uuid4, unique=True)),
                ("epoch", models.PositiveBigIntegerField(default=1)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="WrappedKey",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("live", models.BooleanField(default=True)),
                ("nonce", models.BinaryField(max_length=12)),
                ("wrapped", models.BinaryField(max_length=48)),
                (
                    "case_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="wrapped",
                        to="patients.casekey",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="HeldKey",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("since", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.CreateModel(
            name="Draft",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("form", models.CharField(max_length=60)),
                ("about", models.UUIDField()),
                ("revision", models.UUIDField(default=uuid.uuid4)),
                ("saved_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "case",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drafts",
                        to="patients.case",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="drafts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["about"], name="drafts_about")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("person", "form"),
                        name="one_draft_of_each_form",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("ended_at__isnull", True), ("sealed", b""), _connector="OR"),
                        name="ended_draft_holds_nothing",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IntakeReview",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("number", models.PositiveIntegerField()),
                ("digest", models.CharField(max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("cleared", "cleared"),
                            ("cleared_with_conditions", "cleared with conditions"),
                            ("not_cleared", "not cleared"),
                        ],
                        max_length=24,
                    ),
                ),
                ("reviewed_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="intake_reviews",
                        to="patients.case",
                    ),
                ),
                (
                    "reviewed_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("case", "number"), name="intake_review_number_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("outcome__in", ["cleared", "cleared_with_conditions", "not_cleared"])
                        ),
                        name="intake_review_outcome_known",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="AppointmentTemplate",
            fields=[
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("visit", "visit"),
                            ("mapping", "mapping visit"),
                            ("follow-up", "follow-up"),
                        ],
                        max_length=12,
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "minutes",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(15),
                            django.core.validators.MaxValueValidator(480),
                        ]
                    ),
                ),
                (
                    "doctors",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                (
                    "technicians",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                (
                    "place",
                    models.CharField(
                        choices=[("room", "a room"), ("none", "no room")], default="room", max_length=8
                    ),
                ),
                (
                    "buffer_before",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(120)]
                    ),
                ),
                (
                    "buffer_after",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(120)]
                    ),
                ),
                ("preparation_en", models.TextField(blank=True, max_length=2000)),
                ("preparation_vi", models.TextField(blank=True, max_length=2000)),
                ("follow_up_days", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("days_after_night", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("in_use", models.BooleanField(default=True)),
                (
                    "follow_up",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.appointmenttemplate",
                    ),
                ),
                ("patients_may_book", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [],
                "constraints": [
                    models.UniqueConstraint(fields=("name",), name="appointment_template_name_once"),
                    models.CheckConstraint(
                        condition=models.Q(("minutes__gte", 15)), name="appointment_template_has_length"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("follow_up__isnull", True), ("follow_up_days__isnull", True)),
                            models.Q(("follow_up__isnull", False), ("follow_up_days__isnull", False)),
                            _connector="OR",
                        ),
                        name="appointment_template_follow_up_has_days",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Appointment",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("visit", "visit"),
                            ("mapping", "mapping visit"),
                            ("follow-up", "follow-up"),
                        ],
                        max_length=12,
                    ),
                ),
                ("name", models.CharField(max_length=80)),
                (
                    "minutes",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(15),
                            django.core.validators.MaxValueValidator(480),
                        ]
                    ),
                ),
                (
                    "doctors",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                (
                    "technicians",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(4)]
                    ),
                ),
                (
                    "place",
                    models.CharField(
                        choices=[("room", "a room"), ("none", "no room")], default="room", max_length=8
                    ),
                ),
                (
                    "buffer_before",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(120)]
                    ),
                ),
                (
                    "buffer_after",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(120)]
                    ),
                ),
                ("preparation_en", models.TextField(blank=True, max_length=2000)),
                ("preparation_vi", models.TextField(blank=True, max_length=2000)),
                ("follow_up_days", models.PositiveSmallIntegerField(blank=True, null=True)),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("held", "held"),
                            ("booked", "expected"),
                            ("arrived", "arrived"),
                            ("in_progress", "in the room"),
                            ("completed", "done"),
                            ("cancelled", "canceled"),
                            ("no_show", "did not come"),
                        ],
                        default="held",
                        max_length=12,
                    ),
                ),
                ("sequence", models.PositiveIntegerField(default=0)),
                ("patient_moves", models.PositiveIntegerField(default=0)),
                (
                    "reason",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("patient", "The patient asked for it"),
                            ("patient-ill", "The patient is ill"),
                            ("staff", "Somebody of the team cannot come"),
                            ("place", "The room cannot be used"),
                            ("clinic", "The clinic plans anew"),
                            ("mistake", "It was booked by mistake"),
                            ("other", "Another reason"),
                            ("case-over", "The file was closed"),
                            ("earlier", "An earlier time became free"),
                        ],
                        max_length=12,
                    ),
                ),
                ("changed_at", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("booked_at", models.DateTimeField(null=True)),
                ("arrived_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                ("missed_at", models.DateTimeField(null=True)),
                ("cancelled_at", models.DateTimeField(null=True)),
                (
                    "booking",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointment",
                        to="clinic.booking",
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="patients.case",
                    ),
                ),
                (
                    "changed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "follow_up",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.appointmenttemplate",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="patients.appointmenttemplate",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["status"], name="appointments_by_status"),
                    models.Index(
                        condition=models.Q(
                            ("cancelled_at__isnull", True),
                            ("completed_at__isnull", True),
                            ("missed_at__isnull", True),
                        ),
                        fields=["booking"],
                        name="appointments_open",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "status__in",
                                [
                                    "held",
                                    "booked",
                                    "arrived",
                                    "in_progress",
                                    "completed",
                                    "cancelled",
                                    "no_show",
                                ],
                            )
                        ),
                        name="appointment_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("booked_at__isnull", True), ("status", "held")),
                            models.Q(
                                models.Q(("status", "held"), _negated=True), ("booked_at__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="appointment_booked_unless_held",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("patient_moves__lte", models.F("sequence"))),
                        name="appointment_patient_moves_are_moves",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeskTask",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("call", "did not come: call"), ("follow-up", "book the follow-up")],
                        max_length=12,
                    ),
                ),
                ("due", models.DateField(null=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "answer",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("booked", "an appointment was booked"),
                            ("closed", "nothing is needed"),
                            ("undone", "it was entered by mistake"),
                        ],
                        max_length=8,
                    ),
                ),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "answered_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "appointment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="desk_tasks",
                        to="patients.appointment",
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="desk_tasks",
                        to="patients.case",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="desk_tasks",
                        to="patients.appointmenttemplate",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("answer", "")), fields=["made_at"], name="desk_tasks_open"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("answer", "")),
                        fields=("appointment", "kind"),
                        name="desk_task_open_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("appointment__isnull", False), ("due__isnull", True), ("kind", "call")),
                            models.Q(
                                ("due__isnull", False), ("kind", "follow-up"), ("template__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="desk_task_complete",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="CaseNote",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
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
            options={
                "indexes": [models.Index(fields=["case", "written_at"], name="note_of_case")],
                "constraints": [],
            },
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
            options={
                "indexes": [],
                "constraints": [],
            },
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
        migrations.CreateModel(
            name="RepeatException",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("doctor_reason", models.CharField(blank=True, max_length=300)),
                ("doctor_at", models.DateTimeField(blank=True, null=True)),
                ("administrator_reason", models.CharField(blank=True, max_length=300)),
                ("administrator_at", models.DateTimeField(blank=True, null=True)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("used_at", models.DateTimeField(blank=True, null=True)),
                ("used_for", models.UUIDField(blank=True, null=True)),
                ("taken_back_at", models.DateTimeField(blank=True, null=True)),
                (
                    "administrator",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "doctor",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="repeat_exceptions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "taken_back_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-made_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("taken_back_at", None), ("used_at", None)),
                        fields=("patient",),
                        name="one_open_repeat_exception",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("doctor", None),
                            ("administrator", None),
                            models.Q(("doctor", models.F("administrator")), _negated=True),
                            _connector="OR",
                        ),
                        name="repeat_exception_by_two_people",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("doctor", None),
                                models.Q(("doctor_reason", ""), _negated=True),
                                _connector="OR",
                            ),
                            models.Q(
                                ("administrator", None),
                                models.Q(("administrator_reason", ""), _negated=True),
                                _connector="OR",
                            ),
                        ),
                        name="repeat_exception_has_reasons",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("used_at", None), ("used_for", None)),
                            models.Q(
                                ("administrator__isnull", False),
                                ("doctor__isnull", False),
                                ("taken_back_at", None),
                                ("used_at__isnull", False),
                                ("used_for__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="repeat_exception_used_when_complete",
                    ),
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="ChangedSpan",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("starts_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("ends_at__gt", models.F("starts_at"))),
                        name="changed_span_has_length",
                    )
                ],
                "indexes": [],
            },
        ),
        migrations.CreateModel(
            name="WaitlistEntry",
            fields=[
                ("sealed", models.BinaryField(default=b"")),
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("appointment", "an appointment"),
                            ("earlier", "an earlier time for an appointment"),
                            ("night", "a night"),
                            ("earlier-night", "an earlier night"),
                        ],
                        max_length=16,
                    ),
                ),
                ("place", models.CharField(blank=True, max_length=8)),
                ("weekdays", models.PositiveSmallIntegerField(default=127)),
                ("from_clock", models.TimeField(blank=True, null=True)),
                ("until_clock", models.TimeField(blank=True, null=True)),
                ("first_day", models.DateField(blank=True, null=True)),
                ("last_day", models.DateField(blank=True, null=True)),
                ("order_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "ended_because",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("booked", "an appointment is booked"),
                            ("taken-back", "the patient took it back"),
                            ("removed", "the desk took it off"),
                            ("case-over", "the file was closed"),
                            ("gone", "the appointment takes place no longer"),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "appointment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waitlist_entries",
                        to="patients.appointment",
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waitlist_entries",
                        to="patients.case",
                    ),
                ),
                (
                    "made_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waitlist_entries",
                        to="patients.appointmenttemplate",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("ended_at", None)),
                        fields=["order_at", "-id"],
                        name="waitlist_in_order",
                    ),
                    models.Index(
                        condition=models.Q(("ended_at", None)),
                        fields=["template", "order_at", "-id"],
                        name="waitlist_by_template",
                    ),
                    models.Index(
                        condition=models.Q(("ended_at", None)),
                        fields=["kind", "order_at", "-id"],
                        name="waitlist_by_kind",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None), ("kind", "appointment")),
                        fields=("case", "template"),
                        name="waits_once_for_template",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None), ("kind", "earlier")),
                        fields=("appointment",),
                        name="waits_once_for_earlier",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None), ("kind__in", ["night", "earlier-night"])),
                        fields=("case", "kind"),
                        name="waits_once_for_night",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("appointment__isnull", True),
                                ("kind", "appointment"),
                                ("template__isnull", False),
                            ),
                            models.Q(
                                ("appointment__isnull", False),
                                ("kind", "earlier"),
                                ("template__isnull", True),
                            ),
                            models.Q(
                                ("appointment__isnull", True),
                                ("kind", "night"),
                                ("template__isnull", True),
                                models.Q(("place", ""), _negated=True),
                            ),
                            models.Q(
                                ("appointment__isnull", True),
                                ("kind", "earlier-night"),
                                ("template__isnull", True),
                            ),
                            _connector="OR",
                        ),
                        name="waitlist_entry_says_for_what",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("weekdays__gte", 1), ("weekdays__lte", 127)),
                        name="waitlist_entry_has_a_weekday",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at", None), ("ended_because", "")),
                            models.Q(
                                ("ended_at__isnull", False), models.Q(("ended_because", ""), _negated=True)
                            ),
                            _connector="OR",
                        ),
                        name="waitlist_entry_ended_with_reason",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("first_day", None),
                            ("last_day", None),
                            ("last_day__gte", models.F("first_day")),
                            _connector="OR",
                        ),
                        name="waitlist_days_in_order",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitlistOffer",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "waits for an answer"),
                            ("accepted", "accepted"),
                            ("declined", "declined"),
                            ("expired", "not answered in time"),
                            ("taken-back", "taken back"),
                        ],
                        default="open",
                        max_length=12,
                    ),
                ),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "because",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("team", "Somebody or something that it needs is not available any more."),
                            ("case-over", "The file was closed."),
                            ("not-ready", "Something has to be settled before the night first."),
                            ("patient", "The patient has something else at that time."),
                            ("later", "The appointment is earlier than that now."),
                            ("changed", "This kind of appointment was changed."),
                            ("ended", "The patient is not on the waitlist for it any more."),
                            ("taken", "The time was given to somebody else."),
                        ],
                        max_length=12,
                    ),
                ),
                (
                    "booking",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waitlist_offer",
                        to="clinic.booking",
                    ),
                ),
                (
                    "case",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="waitlist_offers",
                        to="patients.case",
                    ),
                ),
                (
                    "ended_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="offers",
                        to="patients.waitlistentry",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "open")),
                        fields=["expires_at"],
                        name="open_offer_expires",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "open")), fields=("case",), name="one_open_offer_each"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("state__in", ["open", "accepted", "declined", "expired", "taken-back"])
                        ),
                        name="waitlist_offer_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at", None), ("state", "open")),
                            models.Q(models.Q(("state", "open"), _negated=True), ("ended_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="waitlist_offer_ended_unless_open",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="ConsentPaper",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("keys", models.JSONField()),
                ("sealed", models.BinaryField()),
                ("made_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "signature",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="paper",
                        to="patients.signature",
                    ),
                ),
            ],
            options={
                "indexes": [],
                "constraints": [],
            },
        ),
        migrations.AddField(
            model_name="Keepsake",
            name="picture",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="patients.storedobject",
            ),
        ),
        migrations.AddField(
            model_name="Keepsake",
            name="thumb",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="patients.storedobject",
            ),
        ),
        migrations.AddConstraint(
            model_name="Keepsake",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("gone_at__isnull", True),
                    models.Q(("picture__isnull", True), ("thumb__isnull", True)),
                    _connector="OR",
                ),
                name="gone_shows_nothing",
            ),
        ),
        migrations.RunPython(publish, migrations.RunPython.noop),
        migrations.RunPython(add_templates, migrations.RunPython.noop),
    ]
