"""Factories for tests. They use the same functions as the application where there is one."""

import io
import itertools
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from PIL import Image

from clinic.accounts.models import Role, User
from clinic.calendar.models import Booking, Resource
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from patients.cases.models import Case, CaseFields
from patients.consent.models import ConsentText, Signature
from patients.consent.signing import sign, text_digest
from patients.consent.texts import FIRST_TEXTS
from patients.imaging.fingerprint import fingerprint
from patients.imaging.page_bundle import MEDIA_TYPE, Page, bind
from patients.intake_review.models import IntakeReview
from patients.intake_review.reviewing import record_review
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.maps.locking import lock_map
from patients.memories.models import LockedMap, Memory, MemoryFields
from patients.notes.models import CaseNote
from patients.notes.writing import write_note
from patients.requests.decisions import create_request
from patients.requests.models import AppointmentRequest
from patients.vault.models import StoredObject
from patients.vault.objects import new_seal, put

PASSPHRASE = "a quiet winter beach"
REVIEWER = "ines.abel@lacuna.example"
# Counted, not random: two random file numbers would collide about once a day and fail a test.
_numbers = itertools.count(1)


def make_user(*roles: str, name: str = "", email: str = "", **more: Any) -> User:
    """A user with these roles."""
    word = os.urandom(4).hex()
    return User.objects.create_user(
        email or f"{word}@lacuna.example", PASSPHRASE, name=name or f"P{word} Somebody", roles=roles, **more
    )


def make_request(
    name: str = "Joel Barish",
    *,
    email: str = "joel@lacuna.example",
    phone: str = "555 0100",
    message: str = "Soon, please.",
    language: str = "en",
) -> AppointmentRequest:
    """A visitor's request for an appointment, with its key."""
    return create_request(
        ticket=uuid4(), name=name, email=email, phone=phone, message=message, language=language
    )


def make_note(case: Case, words: str = "Please call in the morning.", by: User | None = None) -> CaseNote:
    """A note on a case."""
    return write_note(case, words, note=uuid4(), by=by or make_user(Role.RECEPTIONIST))


def make_doctor() -> User:
    user = make_user(Role.DOCTOR)
    Resource.objects.create(kind=Resource.Kind.DOCTOR, label=user.name, user=user)
    return user


def make_technician() -> User:
    user = make_user(Role.TECHNICIAN)
    Resource.objects.create(kind=Resource.Kind.TECHNICIAN, label=user.name, user=user)
    return user


def make_room() -> Resource:
    return Resource.objects.create(kind=Resource.Kind.ROOM, label=f"Room {os.urandom(3).hex()}")


def publish_first_texts() -> None:
    """Create version 1 of each consent text again, after a flush has deleted those of the migration."""
    for kind, language, body in FIRST_TEXTS:
        ConsentText.objects.get_or_create(
            kind=kind, version=1, language=language, defaults={"body": body, "digest": text_digest(body)}
        )


def review_intake(case: Case, outcome: str = IntakeReview.Outcome.CLEARED, words: str = "") -> IntakeReview:
    """Record a doctor's review of the intake. The doctor has left the clinic: nobody calls or books them."""
    doctor = User.objects.filter(email=REVIEWER).first() or make_user(
        Role.DOCTOR, name="Dr. Ines Abel", email=REVIEWER, is_active=False
    )
    return record_review(case, outcome, words, by=doctor)


def make_case(
    patient: User | None = None, *, agreed: bool = True, reviewed: bool | None = None, **fields: Any
) -> Case:
    """A case in stage BRINGING, with a subject. agreed: whether the storage consent is signed.

    reviewed: whether a doctor has cleared the patient; by default, if a subject is named.
    """
    with transaction.atomic():
        case = Case.objects.create(
            patient=patient or make_user(Role.PATIENT),
            stage=Case.Stage.BRINGING,
            reference=f"test-{next(_numbers)}",
        )
        new_seal(case_id=case.pk, seal_id=case.pk)
        case.write(CaseFields(**{"subject_name": "Clementine", **fields}))
        case.save(update_fields=["sealed"])
        if agreed:
            text = make_text(ConsentText.Kind.STORAGE)
            Signature.objects.create(case=case, text=text, text_digest=text.digest, signed_by=case.patient)
        if reviewed is None:
            reviewed = bool(case.read().subject_name)
        if reviewed:
            review_intake(case)
    return case


def make_memory(case: Case, title: str = "A day", day: str = "2003-02-01", **fields: Any) -> Memory:
    """A memory on the map, a target."""
    with transaction.atomic():
        memory = Memory.objects.create(case=case, **{"intensity": 5, **fields})
        new_seal(case_id=case.pk, seal_id=memory.pk, memory_id=memory.pk)
        memory.write(MemoryFields(title=title, day=day, story=f"The story of {title}."))
        memory.save(update_fields=["sealed"])
    return memory


def jpeg(size: tuple[int, int] = (120, 90), picture: bytes | None = None) -> bytes:
    """A JPEG of noise in large patches, different in each call. picture: 8 x 6 RGB pixels to use instead."""
    noise = Image.frombytes("RGB", (8, 6), picture or os.urandom(8 * 6 * 3))
    out = io.BytesIO()
    noise.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=88)
    return out.getvalue()


def make_keepsake(
    memory: Memory | None,
    picture: bytes | None = None,
    *,
    caption: str = "A caption",
    case: Case | None = None,
    **fields: Any,
) -> Keepsake:
    """An accepted photo in `memory`, with objects for original, screen and thumb, each under its own key.

    picture: the bytes of an image file, by default a random JPEG. case: for a photo that is in no memory.
    """
    owner = memory.case if memory else case
    assert owner is not None
    data = picture or jpeg()
    with Image.open(io.BytesIO(data)) as image:
        size = image.size
        image_fingerprint = f"{fingerprint(image):016x}"
    rows = {
        role: put(
            data,
            case_id=owner.pk,
            memory_id=memory.pk if memory else None,
            role=role,
            media_type="image/jpeg",
            size=size,
            capacity=size[0] * size[1] * 24,
        )
        for role in (StoredObject.Role.ORIGINAL, StoredObject.Role.SCREEN, StoredObject.Role.THUMB)
    }
    values = KeepsakeFields(**{"caption": caption, "fingerprint": image_fingerprint, **fields})
    return _keepsake_with(memory, rows, Keepsake.Kind.PHOTO, size, values, case=owner)


def make_other(memory: Memory, kind: str, *, fingerprint: str = "", sound: str = "") -> Keepsake:
    """An accepted keepsake of another kind: object, recording or video, whose original is not an image.

    With the kind "pages" it is a letter of two pages.
    """
    size = (64, 90)
    page_bundle = bind([Page(jpeg(size), size), Page(jpeg(size), size)])
    screen, media_type = (page_bundle, MEDIA_TYPE) if kind == "pages" else (jpeg(size), "image/jpeg")
    played = {"recording": "audio/mpeg", "video": "video/mp4"}.get(kind, "")
    owner = {"case_id": memory.case_id, "memory_id": memory.pk}
    rows = {
        StoredObject.Role.ORIGINAL: put(
            os.urandom(300_000), role=StoredObject.Role.ORIGINAL, media_type=played, **owner
        ),
        StoredObject.Role.SCREEN: put(
            screen,
            role=StoredObject.Role.SCREEN,
            media_type=media_type,
            size=size,
            capacity=(2 if kind == "pages" else 1) * size[0] * size[1] * 24,
            **owner,
        ),
        StoredObject.Role.THUMB: put(
            jpeg(size), role=StoredObject.Role.THUMB, media_type="image/jpeg", size=size, **owner
        ),
    }
    fields = KeepsakeFields(
        fingerprint=fingerprint, sound=sound, pages=2 * (kind == "pages"), seconds=9.0 if played else 0.0
    )
    return _keepsake_with(memory, rows, "letter" if kind == "pages" else kind, size, fields)


def make_letter(memory: Memory, text: str = "Dear you, I kept the shell from the beach.") -> Keepsake:
    """An accepted letter in `memory`."""
    rows = {
        StoredObject.Role.ORIGINAL: put(
            text.encode(), case_id=memory.case_id, memory_id=memory.pk, role=StoredObject.Role.ORIGINAL
        ),
        StoredObject.Role.SCREEN: put(
            text.encode(),
            case_id=memory.case_id,
            memory_id=memory.pk,
            role=StoredObject.Role.SCREEN,
            media_type="text/plain",
            capacity=8 * len("".join(text.split()).encode()),
        ),
        StoredObject.Role.THUMB: put(
            jpeg((60, 80)),
            case_id=memory.case_id,
            memory_id=memory.pk,
            role=StoredObject.Role.THUMB,
            media_type="image/jpeg",
            size=(60, 80),
        ),
    }
    fields = KeepsakeFields(words=len(text.split()))
    return _keepsake_with(memory, rows, Keepsake.Kind.LETTER, (60, 80), fields)


def _keepsake_with(
    memory: Memory | None,
    rows: dict[Any, StoredObject],
    kind: str,
    size: tuple[int, int],
    fields: KeepsakeFields,
    *,
    case: Case | None = None,
) -> Keepsake:
    """Create the keepsake that these stored objects belong to, and make them live."""
    owner = memory.case if memory else case
    assert owner is not None
    with transaction.atomic():
        keepsake = Keepsake.objects.create(
            case=owner,
            memory=memory,
            kind=kind,
            review=Keepsake.Review.ACCEPTED,
            picture=rows[StoredObject.Role.SCREEN],
            thumb=rows[StoredObject.Role.THUMB],
            width=size[0],
            height=size[1],
        )
        new_seal(
            case_id=owner.pk,
            seal_id=keepsake.pk,
            memory_id=memory.pk if memory else None,
            keepsake_id=keepsake.pk,
        )
        keepsake.write(fields)
        keepsake.save(update_fields=["sealed"])
        StoredObject.objects.filter(pk__in=[row.pk for row in rows.values()]).update(
            keepsake=keepsake, state=StoredObject.State.LIVE
        )
    return keepsake


def make_text(kind: str = ConsentText.Kind.PROCEDURE, version: int = 1) -> ConsentText:
    body = f"What stays gone stays gone. ({kind}, {version})"
    return ConsentText.objects.get_or_create(
        kind=kind, version=version, language="en", defaults={"body": body, "digest": text_digest(body)}
    )[0]


def make_signed(
    case: Case, *, by: User | None = None, may_extend: bool = True
) -> tuple[LockedMap, Signature]:
    """Lock the map of a case and have the patient sign the procedure consent for it."""
    doctor = by or make_user(Role.DOCTOR)
    mapped = lock_map(case, by=doctor)
    text = make_text()
    case.refresh_from_db()
    signature = sign(
        case,
        by=case.patient,
        kind=ConsentText.Kind.PROCEDURE,
        text_seen=text.digest,
        map_seen=mapped.digest,
        may_extend=may_extend,
    )
    case.refresh_from_db()
    return mapped, signature


def make_procedure(case: Case, *, pace: float | None = 0, hours: int = 8) -> Procedure:
    """A procedure booked from now on, with its own doctor, technician and room.

    pace: seconds for each memory; None: as the clinic has it.
    """
    make_signed(case)
    doctor, technician = make_doctor(), make_technician()
    people = Resource.objects.filter(user__in=[doctor, technician])
    now = timezone.now()
    return book_procedure(
        case,
        place=Procedure.Place.CLINIC,
        resources=[*people, make_room()],
        starts_at=now,
        ends_at=now + timedelta(hours=hours),
        pace_seconds=pace,
        by=doctor,
    )


def shift_hours(procedure: Procedure, by: timedelta) -> None:
    """Move the booked hours later, or with a negative `by` earlier. Only the row changes, no reservation."""
    hours = {name: F(name) + by for name in ("starts_at", "ends_at")}
    Booking.objects.filter(pk=procedure.booking_id).update(**hours)
    procedure.refresh_from_db()


def make_run(
    memories: int = 2,
    *,
    pace: float = 0,
    letters: int = 0,
    case: Case | None = None,
    kinds: Sequence[str] = (),
) -> Run:
    """A run that has just started: one memory for each of `memories` photos and `letters` letters.

    Nothing has faded yet. kinds: further keepsakes of the oldest memory, as `make_other` takes them.
    """
    case = case or make_case()
    for i in range(memories):
        memory = make_memory(case, f"Photo {i}", f"2003-02-{i + 1:02d}")
        make_keepsake(memory)
        for kind in kinds if i == 0 else ():
            make_other(memory, kind)
    for i in range(letters):
        make_letter(make_memory(case, f"Letter {i}", f"2003-03-{i + 1:02d}"))
    return start_run(make_procedure(case, pace=pace).pk, by=None)
