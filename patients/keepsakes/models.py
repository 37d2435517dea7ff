"""Keepsakes, and the uploads that become one."""

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patients.cases.models import Case
from patients.imaging.device_clock import believable_day
from patients.imaging.page_bundle import MEDIA_TYPE
from patients.imaging.unshown import sentences
from patients.memories.models import Memory
from patients.memories.when import shown
from patients.vault.models import StoredObject
from patients.vault.sealed import SealedModel

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@dataclass(frozen=True)
class KeepsakeFields:
    """The fields that are encrypted with the keepsake's own key.

    The case's key would not do: older versions of a row stay in the database files, and nothing may decrypt
    them once this keepsake is gone (docs/decisions/0003-keys-per-keepsake.md).
    """

    caption: str = ""
    filename: str = ""
    taken: str = ""  # ISO time without time zone, as the device stored it, or only a day; use `taken_day`
    when: str = ""  # the patient's own date in their words: "about 2003"; "" if `day` is exact
    day: str = ""  # the patient's own date in ISO, for a rough one the middle of its period; before `taken`
    gps: list[float] = field(default_factory=list)  # [latitude, longitude]; empty once the patient drops it
    place: str = ""
    focus: list[float] = field(default_factory=list)  # [x, y] in 0..1: the spot that fades last
    others: str = ""  # other people in it
    fingerprint: str = ""  # perceptual hash in hex; compared in memory within the case, only stored encrypted
    words: int = 0  # number of words of a text letter
    undrawn: int | None = None  # number of its characters that its page does not show; None: not counted
    pages: int = 0  # number of pages of a letter uploaded as a PDF
    prints: list[str] = field(default_factory=list)  # fingerprints in hex of those pages that are not blank
    sound: str = ""  # fingerprint in hex of a recording: where it grows louder
    seconds: float = 0.0  # duration of a recording or a video
    stored_words: str = ""  # the caption or comment that is in the file
    # Codes of what the file holds and its page does not show (patients/imaging/unshown.py).
    unshown: list[str] = field(default_factory=list)
    returned_because: str = ""
    # Ids of the proposals with this keepsake that the patient dismissed (patients/placement/changes.py).
    dismissed: list[str] = field(default_factory=list)
    # How to undo the last action on several keepsakes (patients/placement/changes.py).
    undo: dict[str, Any] = field(default_factory=dict)

    @property
    def taken_day(self) -> str:
        """Return the ISO day it was taken; empty if unknown, in the future, or of a clock never set."""
        return believable_day(self.taken, timezone.localdate())

    @property
    def known_day(self) -> str:
        """Return the ISO day to sort by: the patient's own, else that of the device; empty if unknown."""
        return self.day or self.taken_day

    @property
    def known_date(self) -> str:
        """Return the date in words for a page; empty if it is unknown."""
        return shown(self.known_day, self.when)

    @property
    def unshown_sentences(self) -> "list[StrOrPromise]":
        return sentences(self.unshown)

    @property
    def page_numbers(self) -> range:
        return range(1, self.pages + 1)


# The most characters of `KeepsakeFields.others`.
OTHERS_LENGTH = 300
UNNAMED: "dict[str, StrOrPromise]" = {
    "photo": _("A photograph"),
    "letter": _("A letter"),
    "object": _("A thing"),
    "recording": _("A recording"),
    "video": _("A video"),
}


class Keepsake(SealedModel):
    """One thing that holds a memory.

    `picture` is all that is shown of it: the screen rendition first, later the frame of the last pass.
    """

    class Kind(models.TextChoices):
        PHOTO = "photo", _("photograph")
        LETTER = "letter", _("letter")
        OBJECT = "object", _("object")
        RECORDING = "recording", _("recording")
        VIDEO = "video", _("video")

    class Form(models.TextChoices):
        """How `picture` is stored: as text, pages or one image. Derived from its media type."""

        TEXT = "text"
        PAGES = "pages"
        PICTURE = "picture"

    class Review(models.TextChoices):
        WAITING = "waiting", _("waiting for review")
        ACCEPTED = "accepted", _("accepted")
        RETURNED = "returned", _("returned")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="keepsakes")
    # Null until the patient assigns it to a memory. The map cannot be locked while one is unassigned.
    memory = models.ForeignKey(Memory, on_delete=models.PROTECT, null=True, related_name="keepsakes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    review = models.CharField(max_length=10, choices=Review.choices, default=Review.WAITING)
    added_at = models.DateTimeField(default=timezone.now)
    level = models.PositiveSmallIntegerField(default=0)  # number of passes it has been through
    # `picture` of a letter is the current state of its text or its pages; `thumb` is always an image.
    picture = models.ForeignKey(StoredObject, on_delete=models.PROTECT, null=True, related_name="+")
    thumb = models.ForeignKey(StoredObject, on_delete=models.PROTECT, null=True, related_name="+")
    # Size of `picture` (of a text letter: of `thumb`) in pixels before the first pass. The frames' sizes are
    # computed from it.
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    gone_at = models.DateTimeField(null=True)

    sealed_fields = KeepsakeFields

    @property
    def form(self) -> str:
        """Return how it is shown and fades. Once it is gone: PICTURE."""
        media_type = self.picture.media_type if self.picture else ""
        return {"text/plain": self.Form.TEXT, MEDIA_TYPE: self.Form.PAGES}.get(media_type, self.Form.PICTURE)

    @property
    def unnamed(self) -> "StrOrPromise":
        """Return the name to show while it has no caption."""
        return UNNAMED[self.kind]

    @property
    def tag(self) -> str:
        """Return the code on an object's label, such as 7F3A09. It reveals nothing about the keepsake."""
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
    metadata: str = ""  # the Upload-Metadata header as the client sent it, without the file's first bytes


class Upload(SealedModel):
    """An upload in progress (tus 1.0). Its ciphertext is in the staging directory, in whole segments only.

    The bytes behind the last whole segment are in `sealed_tail`, so that the smallest piece is kept.
    `id` is also the id of the key that encrypts the file and this row's sealed fields. The original that the
    upload becomes (a StoredObject) keeps this id and key.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="uploads")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=Keepsake.Kind.choices, default=Keepsake.Kind.PHOTO)
    length = models.BigIntegerField()  # plaintext bytes announced
    # The client says later how long it is. Until then `length` is what it may have at most.
    length_deferred = models.BooleanField(default=False)
    offset = models.BigIntegerField(default=0)  # plaintext bytes acknowledged
    sealed_tail = models.BinaryField(default=b"", editable=False)
    # Another request of the client waits for the lock. A request that gets no more bytes then gives it up.
    wanted = models.BooleanField(default=False)
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
