"""How bytes become a keepsake: the original is in the vault already, encrypted as it came in."""

from dataclasses import replace
from functools import partial
from typing import BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from clinic.accounts.models import User
from clinic.audit.record import Act, actor_of, record
from patients.cases.editing import NotTaken
from patients.cases.models import Case
from patients.imaging import page_bundle
from patients.imaging.decode import (
    DEFAULT_LIMITS,
    DecodedLetter,
    DecodedMedia,
    DecodedPages,
    Found,
    Limits,
    decode,
)
from patients.imaging.letter_page import PAGE_SIZE, page
from patients.keepsakes.models import Keepsake, KeepsakeFields, Upload
from patients.memories.models import Memory
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, doom, new_seal, publish, put, reader

# Letters of 5 MB are nobody's; what a person wrote by hand and typed off is a few kilobytes.
FILENAME_LENGTH = 200


def room_left(case: Case) -> tuple[int, int]:
    """Return how many more keepsakes and bytes the case may bring."""
    live = StoredObject.objects.filter(case=case, role=StoredObject.Role.ORIGINAL).remaining()
    used = live.aggregate(size=Sum("size"))["size"] or 0
    count = Keepsake.objects.filter(case=case, gone_at__isnull=True).count()
    return settings.LACUNA_CASE_MAX_KEEPSAKES - count, settings.LACUNA_CASE_MAX_BYTES - used


def check_takes(case: Case, size: int = 0) -> None:
    """Errors: NotTaken, with the sentence to show."""
    if not case.takes_keepsakes:
        raise NotTaken(_("Your map is locked, so nothing can be added now. Please talk to the clinic."))
    count, free = room_left(case)
    if count < 1:
        raise NotTaken(_("You have brought as many keepsakes as one file can hold."))
    if size > free:
        raise NotTaken(_("There is no room left in your file for something this large."))


def limits() -> Limits:
    """What one file may ask for in this house."""
    return replace(
        DEFAULT_LIMITS,
        max_video_bytes=settings.LACUNA_VIDEO_MAX_BYTES,
        max_seconds=settings.LACUNA_MEDIA_MAX_SECONDS,
        max_pages=settings.LACUNA_PDF_MAX_PAGES,
    )


def _renditions(found: Found, case_id: UUID) -> tuple[StoredObject, StoredObject]:
    """Store what is shown of a keepsake; pending, without an owner yet. Returns picture and thumb."""
    screen = partial(put, case_id=case_id, role=StoredObject.Role.SCREEN)
    thumb = partial(put, case_id=case_id, role=StoredObject.Role.THUMB, media_type="image/jpeg")
    if isinstance(found, DecodedLetter):
        bits = 8 * len("".join(found.text.split()).encode())
        text = screen(found.text.encode(), media_type="text/plain", capacity=bits)
        return text, thumb(page(found.text), size=PAGE_SIZE)
    if isinstance(found, DecodedPages):
        pages = screen(
            found.screen, media_type=page_bundle.MEDIA_TYPE, size=found.screen_size, capacity=found.capacity
        )
        return pages, thumb(found.thumb, size=found.thumb_size)
    width, height = found.screen_size
    picture = screen(
        found.screen, media_type="image/jpeg", size=found.screen_size, capacity=width * height * 24
    )
    return picture, thumb(found.thumb, size=found.thumb_size)


def _paper(found: Found, filename: str, caption: str) -> KeepsakeFields:
    paper = KeepsakeFields(caption=caption, filename=filename[-FILENAME_LENGTH:])
    if isinstance(found, DecodedLetter):
        return replace(paper, words=found.words)
    if isinstance(found, DecodedPages):
        return replace(paper, pages=found.pages, prints=list(found.prints))
    paper = replace(paper, taken=found.taken or "", gps=list(found.gps) if found.gps else [])
    if isinstance(found, DecodedMedia):
        return replace(paper, fingerprint=found.fingerprint, sound=found.sound, seconds=found.seconds)
    return replace(paper, fingerprint=f"{found.fingerprint:016x}")


def _kind(found: Found, said: str) -> str:
    """What a keepsake is: its bytes decide, but for a photograph that shows a thing."""
    if isinstance(found, DecodedLetter | DecodedPages):
        return Keepsake.Kind.LETTER
    if isinstance(found, DecodedMedia):
        return Keepsake.Kind.VIDEO if found.moving else Keepsake.Kind.RECORDING
    return Keepsake.Kind.OBJECT if said == Keepsake.Kind.OBJECT else Keepsake.Kind.PHOTO


def receive(
    original: StoredObject,
    *,
    by: User | None,
    filename: str = "",
    kind: str = "",
    caption: str = "",
    memory: Memory | None = None,
) -> Keepsake:
    """Open `original` (a pending object), store its renditions and make it a keepsake of its case.

    `kind`: only "object" says more than the bytes do. Errors: Refused (of patients.imaging), NotTaken; then
    everything that was stored for it, the original included, is destroyed.
    """
    stored = [original]
    try:
        with reader(original) as file:
            found = decode(cast(BinaryIO, file), filename, limits=limits())
        picture, thumb = _renditions(found, original.case_id)
        stored += [picture, thumb]
        with transaction.atomic():
            return _settle_in(
                stored, found, _paper(found, filename, caption), by=by, kind=kind, memory=memory
            )
    except BaseException:
        rows = StoredObject.objects.filter(pk__in=[row.pk for row in stored])
        doom(rows, "refused")
        destroy(rows)
        raise


def _settle_in(
    stored: list[StoredObject],
    found: Found,
    paper: KeepsakeFields,
    *,
    by: User | None,
    kind: str,
    memory: Memory | None,
) -> Keepsake:
    original, picture, thumb = stored
    case = Case.objects.select_for_update().get(pk=original.case_id)
    check_takes(case)
    shape = thumb if isinstance(found, DecodedLetter) else picture
    keepsake = Keepsake(
        case=case,
        memory=memory,
        kind=_kind(found, kind),
        picture=picture,
        thumb=thumb,
        width=shape.width,
        height=shape.height,
    )
    keepsake.save()
    new_seal(case_id=case.pk, seal_id=keepsake.pk, keepsake_id=keepsake.pk)
    keepsake.write(paper)
    keepsake.save(update_fields=["sealed"])
    StoredObject.objects.filter(pk__in=[row.pk for row in stored]).update(keepsake=keepsake)
    if isinstance(found, DecodedMedia):
        # Only what has one can be played (playback.py): the child's word, never the sender's.
        StoredObject.objects.filter(pk=original.pk).update(media_type=found.media_type)
    if not publish(stored):
        raise NotTaken(_("This took too long. Please bring it again."))
    # In this commit and not after it: who ends an upload without a keepsake destroys its key, and that is the
    # original's key.
    Upload.objects.filter(pk=original.pk).update(keepsake=keepsake)
    Case.objects.filter(pk=case.pk, stage=Case.Stage.INTAKE).update(stage=Case.Stage.BRINGING)
    record(
        Act(
            "keepsake.brought",
            f"keepsake:{keepsake.pk}",
            actor=actor_of(by, "demo"),
            case=case.pk,
            details={"kind": keepsake.kind, "bytes": original.size},
        )
    )
    return keepsake
