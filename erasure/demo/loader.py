"""Loads the demonstration, with the same functions that real uploads, signatures and bookings use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

from django.db import connections, transaction
from django.utils import timezone

from clinic.accounts.models import User
from clinic.audit.record import Act, acting, actor_of, record
from clinic.calendar.models import Resource
from erasure.demo.people_and_rooms import create_people_and_rooms
from erasure.demo.story import CHAPTERS, MEMORIES, StoryKeepsake, StoryMemory
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from patients.cases.models import Case, CaseFields
from patients.cases.opening import open_case
from patients.consent.models import ConsentText
from patients.consent.signing import current_text, sign
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake
from patients.maps.locking import lock_map
from patients.memories.models import Memory, MemoryFields, MemoryLink
from patients.requests.decisions import create_request
from patients.vault.models import StoredObject
from patients.vault.objects import new_seal, put

Report = Callable[[str], None]
UPLOADS_AT_ONCE = 2


def upload(case: Case, memory: Memory, keepsake: StoryKeepsake, *, by: User) -> Keepsake:
    """Upload one keepsake's file into the case, as a patient does."""
    original = put(keepsake.path.read_bytes(), case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    return create_keepsake(
        original,
        by=by,
        filename=keepsake.path.name,
        kind=keepsake.kind,
        caption=keepsake.caption,
        memory=memory,
    )


def write_memory(case: Case, source: StoryMemory) -> Memory:
    """Create one memory of the story in the case, without its keepsakes."""
    with transaction.atomic():
        memory = Memory.objects.create(
            case=case,
            zone=Memory.Zone.CHILDHOOD if source.childhood else Memory.Zone.MAP,
            fate=Memory.Fate.PROTECTED if source.protected else Memory.Fate.TARGET,
            intensity=source.intensity,
        )
        new_seal(case_id=case.pk, seal_id=memory.pk, memory_id=memory.pk)
        memory.write(
            MemoryFields(
                title=source.title,
                when=source.when,
                day=source.day,
                place=source.place,
                people=list(source.people),
                story=source.story,
                reaction=source.reaction,
            )
        )
        memory.save(update_fields=["sealed"])
        record(Act("memory.made", f"memory:{memory.pk}", case=case.pk))
    return memory


def link_memories(memories: dict[str, Memory]) -> None:
    """Create the story's links. `memories` by their key in the story."""
    pairs = {
        tuple(sorted((memories[source.key].pk, memories[other].pk)))
        for source in MEMORIES
        for other in source.links
    }
    MemoryLink.objects.bulk_create(MemoryLink(a_id=a, b_id=b) for a, b in pairs)


def fill_case(case: Case, patient: User, report: Report) -> None:
    """Write the story into the case: subject, chapters, memories, links and keepsakes."""
    case.write(
        CaseFields(
            subject_name="Clementine Kruczynski",
            subject_relation="partner",
            answers={"hope": "To sleep. To walk into the bookshop and only see books."},
            chapters=[
                {"name": chapter.name, "color": chapter.color, "from": chapter.first, "to": chapter.last}
                for chapter in CHAPTERS
            ],
        )
    )
    case.save(update_fields=["sealed"])
    memories = {source.key: write_memory(case, source) for source in MEMORIES}
    link_memories(memories)
    uploads = [(memories[source.key], keepsake) for source in MEMORIES for keepsake in source.keepsakes]

    def upload_in_thread(item: tuple[Memory, StoryKeepsake]) -> None:
        memory, keepsake = item
        try:
            with acting(actor_of(patient)):
                upload(case, memory, keepsake, by=patient)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as threads:
        for done, _ in enumerate(threads.map(upload_in_thread, uploads), start=1):
            report(f"\rEncrypting and sealing keepsakes: {done} of {len(uploads)}")
    report("\n")


def accept_all_keepsakes(case: Case, *, by: User) -> None:
    """Accept every keepsake of the case, as the review does."""
    with transaction.atomic():
        rows = list(Keepsake.objects.filter(case=case))
        Keepsake.objects.filter(case=case).update(review=Keepsake.Review.ACCEPTED)
        Case.objects.filter(pk=case.pk).update(stage=Case.Stage.REVIEW)
        record(
            *(
                Act("keepsake.accepted", f"keepsake:{row.pk}", actor=actor_of(by), case=case.pk)
                for row in rows
            )
        )
    case.refresh_from_db()


def consent_and_book(case: Case, people: dict[str, User]) -> Procedure:
    """Lock the map, sign the consent as the patient, and book the procedure for the next eight hours."""
    doctor, patient = people["mierzwiak"], people["joel"]
    mapped = lock_map(case, by=doctor)
    case.refresh_from_db()
    text = current_text(ConsentText.Kind.PROCEDURE)
    sign(
        case,
        by=patient,
        kind=ConsentText.Kind.PROCEDURE,
        text_seen=text.digest,
        map_seen=mapped.digest,
        may_extend=True,
    )
    now = timezone.now()
    team = Resource.objects.filter(user__in=[doctor, people["stan"]])
    kit = Resource.objects.get(label="Home kit A")
    return book_procedure(
        case,
        place=Procedure.Place.HOME,
        resources=[*team, kit],
        starts_at=now,
        ends_at=now + timedelta(hours=8),
        by=people["mary"],
    )


def load_demonstration(report: Report) -> Run:
    """Fill an empty, migrated database with the demonstration and start its run.

    report: is called with each line of progress.
    """
    report("Creating people and rooms\n")
    with transaction.atomic():
        people = create_people_and_rooms()
        record(Act("demo.loaded", "house:demonstration", actor="system:demo"))
    patient = people["joel"]
    with acting(actor_of(patient)):
        storage = current_text(ConsentText.Kind.STORAGE)
        open_case(people["nadia"], by=people["nadia"])
        case = open_case(patient, by=patient)
        sign(case, by=patient, kind=ConsentText.Kind.STORAGE, text_seen=storage.digest)
        fill_case(case, patient, report)
    create_request(
        ticket=uuid4(),
        name="Theodora Lint",
        email="theodora@lacuna.example",
        phone="",
        message="My dog died in spring. His things are still in the hall. I cannot walk past them.",
        language="en",
    )
    report("Locking the map, signing, booking the night\n")
    accept_all_keepsakes(case, by=people["mierzwiak"])
    procedure = consent_and_book(case, people)
    return start_run(procedure.pk, by=people["stan"])
