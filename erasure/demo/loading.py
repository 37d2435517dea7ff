"""Building the demonstration clinic, through the same doors that everyone else goes through."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from uuid import uuid4

from django.db import connections, transaction
from django.utils import timezone

from clinic.audit.record import Act, acting, actor_of, record
from clinic.calendar.models import Resource
from clinic.people.models import User
from erasure.demo.made import make
from erasure.demo.people import engage
from erasure.demo.story import CHAPTERS, MOMENTS, Moment, Thing
from erasure.procedures.booking import book_procedure
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from patients.cases.models import Case, CasePaper
from patients.cases.opening import open_case
from patients.consent.models import ConsentText
from patients.consent.signing import current_text, sign
from patients.keepsakes.arrivals import receive
from patients.keepsakes.models import Keepsake
from patients.maps.locking import lock_map
from patients.memories.models import Memory, MemoryLink, MemoryPaper
from patients.requests.deciding import ask
from patients.vault.models import StoredObject
from patients.vault.objects import new_seal, put

Tell = Callable[[str], None]
# Pictures are painted in processes of their own while those painted before are taken in.
PAINTERS = 2


def all_things() -> list[tuple[Moment, Thing]]:
    return [(moment, thing) for moment in MOMENTS for thing in moment.things]


def bring(case: Case, memory: Memory, thing: Thing, made: tuple[str, bytes], *, by: User) -> Keepsake:
    """Bring one keepsake as a patient does: original into the vault, decoded, sealed, placed."""
    name, data = made
    original = put(data, case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    return receive(original, by=by, filename=name, kind=thing.kind, caption=thing.caption, memory=memory)


def remember(case: Case, moment: Moment) -> Memory:
    """Write one memory of the story into the case."""
    with transaction.atomic():
        memory = Memory.objects.create(
            case=case,
            zone=Memory.Zone.CHILDHOOD if moment.childhood else Memory.Zone.MAP,
            fate=Memory.Fate.PROTECTED if moment.kept else Memory.Fate.TARGET,
            intensity=moment.intensity,
        )
        new_seal(case_id=case.pk, seal_id=memory.pk, memory_id=memory.pk)
        memory.write(
            MemoryPaper(
                title=moment.title,
                when=moment.when,
                day=moment.day,
                place=moment.place,
                people=list(moment.people),
                story=moment.story,
                reaction=moment.reaction,
            )
        )
        memory.save(update_fields=["sealed"])
        record(Act("memory.made", f"memory:{memory.pk}", case=case.pk))
    return memory


def all_made() -> Iterator[tuple[Moment, Thing, tuple[str, bytes]]]:
    """Yield every keepsake's name and bytes in the story's order, made ahead by other processes."""
    things = all_things()
    with ProcessPoolExecutor(PAINTERS, mp_context=get_context("spawn")) as painters:
        waiting = [painters.submit(make, thing.key) for _moment, thing in things]
        for (moment, thing), made in zip(things, waiting, strict=True):
            yield moment, thing, made.result()


def link(memories: dict[str, Memory]) -> None:
    """Tie the memories that call each other up."""
    pairs = {
        tuple(sorted((memories[moment.key].pk, memories[other].pk)))
        for moment in MOMENTS
        for other in moment.links
    }
    MemoryLink.objects.bulk_create(MemoryLink(a_id=a, b_id=b) for a, b in pairs)


def fill_case(case: Case, patient: User, tell: Tell) -> None:
    """Bring everything of the story."""
    case.write(
        CasePaper(
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
    memories = {moment.key: remember(case, moment) for moment in MOMENTS}
    link(memories)
    total = len(all_things())

    def take_in(item: tuple[Moment, Thing, tuple[str, bytes]]) -> None:
        moment, thing, made = item
        try:
            with acting(actor_of(patient)):
                bring(case, memories[moment.key], thing, made, by=patient)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(PAINTERS) as hands:
        for done, _ in enumerate(hands.map(take_in, all_made()), start=1):
            tell(f"\rPainting, encrypting and sealing keepsakes: {done} of {total}")
    tell("\n")


def accept_all(case: Case, *, by: User) -> None:
    """The clinic looks through what was brought."""
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
    """Lock the map, let the patient sign for it, book the night from now on."""
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


def load(tell: Tell) -> Run:
    """Fill an empty, migrated database with the demonstration and start its run."""
    tell("Engaging people, furnishing rooms\n")
    with transaction.atomic():
        people = engage()
        record(Act("demo.loaded", "house:demonstration", actor="system:demo"))
    patient = people["joel"]
    with acting(actor_of(patient)):
        storage = current_text(ConsentText.Kind.STORAGE)
        open_case(people["nadia"], by=people["nadia"])
        case = open_case(patient, by=patient)
        sign(case, by=patient, kind=ConsentText.Kind.STORAGE, text_seen=storage.digest)
        fill_case(case, patient, tell)
    ask(
        ticket=uuid4(),
        name="Theodora Lint",
        email="theodora@lacuna.example",
        phone="",
        message="My dog died in spring. His things are still in the hall. I cannot walk past them.",
        language="en",
    )
    tell("Locking the map, signing, booking the night\n")
    accept_all(case, by=people["mierzwiak"])
    procedure = consent_and_book(case, people)
    return start_run(procedure.pk, by=people["stan"])
