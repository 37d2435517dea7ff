"""Things for tests to begin with, made as the house makes them."""

import io
import itertools
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from PIL import Image

from clinic.accounts.models import Role, User
from clinic.calendar.models import Resource
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
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.maps.locking import lock_map
from patients.memories.models import LockedMap, Memory, MemoryFields
from patients.vault.models import StoredObject
from patients.vault.objects import new_seal, put

PASSPHRASE = "a quiet winter beach"
# Random file numbers collide once in ten thousand pairs, which is a red run a day.
_numbers = itertools.count(1)


def make_user(*roles: str, name: str = "", email: str = "", **more: Any) -> User:
    """A person with an account, holding `roles`."""
    word = os.urandom(4).hex()
    return User.objects.create_user(
        email or f"{word}@lacuna.example", PASSPHRASE, name=name or f"P{word} Somebody", roles=roles, **more
    )


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
    """The first version of each consent text, where a flush has taken what the migration published."""
    for kind, language, body in FIRST_TEXTS:
        ConsentText.objects.get_or_create(
            kind=kind, version=1, language=language, defaults={"body": body, "digest": text_digest(body)}
        )


def make_case(patient: User | None = None, *, agreed: bool = True, **paper: Any) -> Case:
    """A case in the stage of bringing, with a subject; the patient has agreed that we keep things, or not."""
    with transaction.atomic():
        case = Case.objects.create(
            patient=patient or make_user(Role.PATIENT),
            stage=Case.Stage.BRINGING,
            reference=f"test-{next(_numbers)}",
        )
        new_seal(case_id=case.pk, seal_id=case.pk)
        case.write(CaseFields(**{"subject_name": "Clementine", **paper}))
        case.save(update_fields=["sealed"])
        if agreed:
            text = make_text(ConsentText.Kind.STORAGE)
            Signature.objects.create(case=case, text=text, text_digest=text.digest, signed_by=case.patient)
    return case


def make_memory(case: Case, title: str = "A day", day: str = "2003-02-01", **fields: Any) -> Memory:
    """A memory on the map, to be erased."""
    with transaction.atomic():
        memory = Memory.objects.create(case=case, **{"intensity": 5, **fields})
        new_seal(case_id=case.pk, seal_id=memory.pk, memory_id=memory.pk)
        memory.write(MemoryFields(title=title, day=day, story=f"The story of {title}."))
        memory.save(update_fields=["sealed"])
    return memory


def jpeg(size: tuple[int, int] = (120, 90), picture: bytes | None = None) -> bytes:
    """A JPEG of noise in large patches: no two alike, as no two photos are."""
    noise = Image.frombytes("RGB", (8, 6), picture or os.urandom(8 * 6 * 3))
    out = io.BytesIO()
    noise.resize(size, Image.Resampling.BICUBIC).save(out, "JPEG", quality=88)
    return out.getvalue()


def make_keepsake(memory: Memory, picture: bytes | None = None, *, caption: str = "A caption") -> Keepsake:
    """An accepted photo in `memory`: original, screen and thumb each under a key of its own."""
    data = picture or jpeg()
    with Image.open(io.BytesIO(data)) as image:
        size = image.size
        print_ = f"{fingerprint(image):016x}"
    rows = {
        role: put(
            data,
            case_id=memory.case_id,
            memory_id=memory.pk,
            role=role,
            media_type="image/jpeg",
            size=size,
            capacity=size[0] * size[1] * 24,
        )
        for role in (StoredObject.Role.ORIGINAL, StoredObject.Role.SCREEN, StoredObject.Role.THUMB)
    }
    return _own(memory, rows, Keepsake.Kind.PHOTO, size, KeepsakeFields(caption=caption, fingerprint=print_))


def make_other(memory: Memory, kind: str, *, fingerprint: str = "", sound: str = "") -> Keepsake:
    """An accepted keepsake of another kind: a thing, a recording or a video, with an original that is no
    picture; or, where `kind` is "pages", a letter of two pages."""
    size = (64, 90)
    sheaf = bind([Page(jpeg(size), size), Page(jpeg(size), size)])
    screen, media_type = (sheaf, MEDIA_TYPE) if kind == "pages" else (jpeg(size), "image/jpeg")
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
    paper = KeepsakeFields(
        fingerprint=fingerprint, sound=sound, pages=2 * (kind == "pages"), seconds=9.0 if played else 0.0
    )
    return _own(memory, rows, "letter" if kind == "pages" else kind, size, paper)


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
    return _own(memory, rows, Keepsake.Kind.LETTER, (60, 80), KeepsakeFields(words=len(text.split())))


def _own(
    memory: Memory,
    rows: dict[Any, StoredObject],
    kind: str,
    size: tuple[int, int],
    paper: KeepsakeFields,
) -> Keepsake:
    with transaction.atomic():
        keepsake = Keepsake.objects.create(
            case=memory.case,
            memory=memory,
            kind=kind,
            review=Keepsake.Review.ACCEPTED,
            picture=rows[StoredObject.Role.SCREEN],
            thumb=rows[StoredObject.Role.THUMB],
            width=size[0],
            height=size[1],
        )
        new_seal(case_id=memory.case_id, seal_id=keepsake.pk, memory_id=memory.pk, keepsake_id=keepsake.pk)
        keepsake.write(paper)
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
    """Lock the map of a case and sign for it."""
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


def make_procedure(case: Case, *, pace: float = 0, hours: int = 8) -> Procedure:
    """A night booked from now on, with a doctor, a technician and a room of its own."""
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


def make_run(
    memories: int = 2,
    *,
    pace: float = 0,
    letters: int = 0,
    case: Case | None = None,
    kinds: Sequence[str] = (),
) -> Run:
    """A run that has just started, over `memories` photos and `letters` letters, nothing faded yet.

    `kinds`: what the oldest memory holds beside its photo, as `make_other` takes them.
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
