"""Keepsakes: the things that hold a memory, and uploads on their way to becoming one."""

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patients.cases.models import Case
from patients.imaging.page_bundle import MEDIA_TYPE
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from patients.vault.sealed import SealedModel

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class KeepsakeFields:
    """What is sealed under the keepsake's own key.

    A key of its own, not the case's: a row's older versions stay in database files, and they must open with
    nothing once this keepsake is gone (docs/decisions/0003-keys-per-keepsake.md).
    """

    caption: str = ""
    filename: str = ""
    taken: str = ""  # EXIF date, naive ISO
    gps: list[float] = field(default_factory=list)  # [latitude, longitude] until the patient drops it
    place: str = ""
    focus: list[float] = field(default_factory=list)  # [x, y] in 0..1: what should go last
    others: str = ""  # who else is in it
    fingerprint: str = ""  # perceptual hash, hex; compared in memory within the case, never stored bare
    words: int = 0
    pages: int = 0  # of a letter that came as a PDF
    prints: list[str] = field(default_factory=list)  # of those pages, hex, as `fingerprint`
    sound: str = ""  # of a recording: where it grows louder, hex, as `fingerprint`
    seconds: float = 0.0  # how long a recording or a video plays
    returned_because: str = ""

    @property
    def page_numbers(self) -> range:
        return range(1, self.pages + 1)


UNNAMED: "dict[str, StrOrPromise]" = {
    "photo": _("A photograph"),
    "letter": _("A letter"),
    "object": _("A thing"),
    "recording": _("A recording"),
    "video": _("A video"),
}


class Keepsake(SealedModel):
    """One thing that holds a memory. `picture` is the only picture there is: screen rendition, then frame."""

    class Kind(models.TextChoices):
        PHOTO = "photo", _("photograph")
        LETTER = "letter", _("letter")
        OBJECT = "object", _("object")
        RECORDING = "recording", _("recording")
        VIDEO = "video", _("video")

    class Form(models.TextChoices):
        """What its picture is made of; nothing of this is stored, its media type says it."""

        TEXT = "text"
        PAGES = "pages"
        PICTURE = "picture"

    class Review(models.TextChoices):
        WAITING = "waiting", _("waiting for review")
        ACCEPTED = "accepted", _("accepted")
        RETURNED = "returned", _("returned")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="keepsakes")
    # Null while the patient has not placed it yet; the map cannot be locked until every one is placed.
    memory = models.ForeignKey(Memory, on_delete=models.PROTECT, null=True, related_name="keepsakes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    review = models.CharField(max_length=10, choices=Review.choices, default=Review.WAITING)
    added_at = models.DateTimeField(default=timezone.now)
    level = models.PositiveSmallIntegerField(default=0)  # passes it has been through
    # For a letter `picture` is its text or its pages (current state); `thumb` is always a picture.
    picture = models.ForeignKey(StoredObject, on_delete=models.PROTECT, null=True, related_name="+")
    thumb = models.ForeignKey(StoredObject, on_delete=models.PROTECT, null=True, related_name="+")
    # Long and short side before the first pass: the schedule of sizes starts from them.
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    gone_at = models.DateTimeField(null=True)

    sealed_fields = KeepsakeFields

    @property
    def form(self) -> str:
        """How it is shown, and fades, as long as it is there: as text, as pages, or as one picture."""
        media_type = self.picture.media_type if self.picture else ""
        return {"text/plain": self.Form.TEXT, MEDIA_TYPE: self.Form.PAGES}.get(media_type, self.Form.PICTURE)

    @property
    def unnamed(self) -> "StrOrPromise":
        """What it is called while nobody has said what it shows."""
        return UNNAMED[self.kind]

    @property
    def tag(self) -> str:
        """The short mark tied to a thing, such as 7F3A09: it names the keepsake and says nothing."""
        return self.pk.hex[:6].upper()

    class Meta:
        indexes = [models.Index(fields=["case", "added_at"], name="keepsakes_of_case")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(gone_at__isnull=True) | models.Q(picture__isnull=True, thumb__isnull=True),
                name="gone_shows_nothing",
            )
        ]


@dataclass(frozen=True)
class UploadFields:
    filename: str = ""


class Upload(SealedModel):
    """A file on its way in: ciphertext in the staging directory, whole segments only (tus 1.0).

    `id` is also the key under which the bytes and this row's paper are encrypted; it becomes the original's.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="uploads")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Keepsake.Kind.choices, default=Keepsake.Kind.PHOTO)
    length = models.BigIntegerField()  # plaintext bytes announced
    offset = models.BigIntegerField(default=0)  # plaintext bytes acknowledged
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    keepsake = models.OneToOneField(Keepsake, on_delete=models.CASCADE, null=True, related_name="upload")

    sealed_fields = UploadFields

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(offset__lte=models.F("length")), name="upload_within_its_length"
            )
        ]
