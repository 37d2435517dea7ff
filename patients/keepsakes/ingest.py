"""Make a keepsake from an original that is in the vault already (encrypted while it was uploaded)."""

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
from clinic.failpoints import hit
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.imaging import page_bundle
from patients.imaging.decode import DecodedFile, DecodedLetter, DecodedMedia, DecodedPages, decode
from patients.imaging.letter_page import PAGE_SIZE, count_undrawn, draw_page
from patients.imaging.refusals import FileRefused
from patients.keepsakes.limits import decode_limits
from patients.keepsakes.models import Keepsake, KeepsakeFields, Upload
from patients.memories.models import Memory
from patients.vault.keys import Unwanted
from patients.vault.models import StoredObject
from patients.vault.objects import destroy, mark_for_destruction, new_seal, publish, put, reader

FILENAME_LENGTH = 200  # characters kept of an uploaded file's name, counted from its end


def remaining_quota(case: Case) -> tuple[int, int]:
    """Return how many more keepsakes and how many more bytes may be uploaded to the case."""
    live = StoredObject.objects.filter(case=case, role=StoredObject.Role.ORIGINAL).remaining()
    used = live.aggregate(size=Sum("size"))["size"] or 0
    count = Keepsake.objects.filter(case=case, gone_at__isnull=True).count()
    return settings.LACUNA_CASE_MAX_KEEPSAKES - count, settings.LACUNA_CASE_MAX_BYTES - used


def check_accepts(case: Case, size: int = 0) -> None:
    """Check that the case accepts one more keepsake of `size` bytes.

    Errors: CaseLocked, with the sentence to show.
    """
    if not case.map_is_open:
        raise CaseLocked(_("Your map is locked, so nothing can be added now. Please talk to the clinic."))
    count, free = remaining_quota(case)
    if count < 1:
        raise CaseLocked(_("You have brought as many keepsakes as one file can hold."))
    if size > free:
        raise CaseLocked(_("There is no room left in your file for something this large."))


def _store_renditions(found: DecodedFile, case_id: UUID) -> list[StoredObject]:
    """Store screen rendition, thumb and the copy for browsers, if any, as pending objects; return them.

    They have no keepsake yet.
    """
    put_screen = partial(put, case_id=case_id, role=StoredObject.Role.SCREEN)
    put_thumb = partial(put, case_id=case_id, role=StoredObject.Role.THUMB, media_type="image/jpeg")
    if isinstance(found, DecodedLetter):
        bits = 8 * len("".join(found.text.split()).encode())
        text = put_screen(found.text.encode(), media_type="text/plain", capacity=bits)
        return [text, put_thumb(draw_page(found.text), size=PAGE_SIZE)]
    if isinstance(found, DecodedPages):
        pages = put_screen(
            found.screen, media_type=page_bundle.MEDIA_TYPE, size=found.screen_size, capacity=found.capacity
        )
        return [pages, put_thumb(found.thumb, size=found.thumb_size)]
    width, height = found.screen_size
    picture = put_screen(
        found.screen, media_type="image/jpeg", size=found.screen_size, capacity=width * height * 24
    )
    renditions = [picture, put_thumb(found.thumb, size=found.thumb_size)]
    if isinstance(found, DecodedMedia) and found.copy:
        renditions.append(put_screen(found.copy, media_type=found.media_type))
    return renditions


def _fields_of(found: DecodedFile, filename: str, caption: str) -> KeepsakeFields:
    fields = KeepsakeFields(caption=caption, filename=filename[-FILENAME_LENGTH:])
    if isinstance(found, DecodedLetter):
        return replace(fields, words=found.words, undrawn=count_undrawn(found.text))
    fields = replace(fields, unshown=list(found.unshown))
    if isinstance(found, DecodedPages):
        return replace(fields, pages=found.pages, prints=list(found.prints))
    fields = replace(
        fields,
        taken=found.taken or "",
        gps=list(found.gps) if found.gps else [],
        stored_words=found.words,
    )
    if isinstance(found, DecodedMedia):
        return replace(fields, fingerprint=found.fingerprint, sound=found.sound, seconds=found.seconds)
    return replace(fields, fingerprint=f"{found.fingerprint:016x}")


def _kind(found: DecodedFile, requested: str) -> str:
    """Return the kind of keepsake. The content decides; only for a picture `requested` may choose OBJECT."""
    if isinstance(found, DecodedLetter | DecodedPages):
        return Keepsake.Kind.LETTER
    if isinstance(found, DecodedMedia):
        return Keepsake.Kind.VIDEO if found.moving else Keepsake.Kind.RECORDING
    return Keepsake.Kind.OBJECT if requested == Keepsake.Kind.OBJECT else Keepsake.Kind.PHOTO


def create_keepsake(
    original: StoredObject,
    *,
    by: User | None,
    filename: str = "",
    kind: str = "",
    caption: str = "",
    memory: Memory | None = None,
    decoded: DecodedFile | None = None,
) -> Keepsake:
    """Decode `original` (a pending object), store its renditions and create a keepsake in its case.

    `kind`: "object" for a photograph of an object; any other value is ignored, the content decides.
    `decoded`: what `decode` has returned for the same bytes, where several keepsakes are made of one file.
    Errors: FileRefused, CaseLocked; then all that was stored for the keepsake is destroyed, the original
    included. After any other error (a database or a disk that fails) the original is as it was and the call
    may be repeated. Renditions that were stored are made again; the vault's sweep destroys those left over.
    """
    renditions: list[StoredObject] = []
    try:
        if (found := decoded) is None:
            with reader(original) as file:
                found = decode(cast(BinaryIO, file), filename, limits=decode_limits())
        renditions += _store_renditions(found, original.case_id)
        hit("renditions-made")
        with transaction.atomic():
            keepsake = _create_keepsake(
                [original, *renditions],
                found,
                _fields_of(found, filename, caption),
                by=by,
                kind=kind,
                memory=memory,
            )
            hit("keepsake-made")
    except (FileRefused, CaseLocked, Unwanted) as error:
        # Only what is pending: if the answer to a commit was lost, it is a keepsake by now.
        rows = StoredObject.objects.filter(
            pk__in=[row.pk for row in (original, *renditions)], state=StoredObject.State.PENDING
        )
        mark_for_destruction(rows, "refused")
        destroy(StoredObject.objects.filter(pk__in=[row.pk for row in (original, *renditions)]))
        if isinstance(error, Unwanted):  # the sweep took the process for dead
            raise CaseLocked(_("This took too long. Please bring it again.")) from error
        raise
    return keepsake


def _create_keepsake(
    stored: list[StoredObject],
    found: DecodedFile,
    fields: KeepsakeFields,
    *,
    by: User | None,
    kind: str,
    memory: Memory | None,
) -> Keepsake:
    """Create the keepsake and publish its objects (original, picture, thumb, copy).

    Call it inside a transaction. Errors: CaseLocked.
    """
    original, picture, thumb = stored[:3]
    case = Case.objects.select_for_update().get(pk=original.case_id)
    check_accepts(case)
    # A text letter has no size in pixels, but its thumb has.
    sized = thumb if isinstance(found, DecodedLetter) else picture
    keepsake = Keepsake(
        case=case,
        memory=memory,
        kind=_kind(found, kind),
        picture=picture,
        thumb=thumb,
        width=sized.width,
        height=sized.height,
    )
    keepsake.save()
    new_seal(case_id=case.pk, seal_id=keepsake.pk, keepsake_id=keepsake.pk)
    keepsake.write(fields)
    keepsake.save(update_fields=["sealed"])
    StoredObject.objects.filter(pk__in=[row.pk for row in stored]).update(keepsake=keepsake)
    if isinstance(found, DecodedMedia) and not found.copy:
        # Only objects with a media type can be played (playback.py). It comes from the decoder process, never
        # from the client.
        StoredObject.objects.filter(pk=original.pk).update(media_type=found.media_type)
    if not publish(stored):
        raise CaseLocked(_("This took too long. Please bring it again."))
    # In the same transaction: discarding an upload without a keepsake destroys its key, which is now the
    # original's key.
    Upload.objects.filter(pk=original.pk).update(keepsake=keepsake, sealed_tail=b"")
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
