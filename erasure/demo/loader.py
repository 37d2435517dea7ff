"""Loads the demonstration, with the same functions that real uploads, signatures and bookings use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin

from django.db import connections, transaction
from django.urls import reverse

from clinic.audit.record import Act, record
from erasure.demo import other_cases, stages
from erasure.demo.bringing import Decoder, bring
from erasure.demo.clinic_settings import change_settings_for_demonstration
from erasure.demo.other_cases import StoryCase
from erasure.demo.people_and_rooms import create_people_and_rooms, people_by_key
from erasure.demo.progress import begin_loading, end_loading
from erasure.demo.stages import NIGHT, TEAM_A, DemoContext
from erasure.demo.story import CHAPTERS, MEMORIES
from erasure.jobs.certifying import certify
from erasure.runs.models import Run
from patients.cases.models import Case

Report = Callable[[str], None]


def bring_joel(clinic: DemoContext, report: Report) -> Case:
    """Bring Joel's story into his case, and let the doctor accept it."""
    story = StoryCase(
        "joel",
        "Clementine Kruczynski",
        "partner",
        "To sleep. To walk into the bookshop and only see books.",
        MEMORIES,
        {
            "why": "I went to the bookshop with a present, and she did not know me.",
            "loss": "The beach at Montauk. I would like to keep that it is there.",
            "sedation": "yes",
            "sedation_more": "At the dentist. I woke up, and they had not noticed.",
            "knows": "Rob and Carrie.",
            "must_not": "My mother.",
        },
    )
    chapters = [
        {"name": chapter.name, "color": chapter.color, "from": chapter.first, "to": chapter.last}
        for chapter in CHAPTERS
    ]

    def report_all(done: int, total: int) -> None:
        if done == total:
            report(f"For tonight, {done} of {total} keepsakes are encrypted and sealed.\n")

    case = bring(
        story, clinic.people["joel"], decoder=clinic.decoder, chapters=chapters, on_uploaded=report_all
    )
    doctor = clinic.people["mierzwiak"]
    stages.accept_all(case, by=doctor)
    stages.approve_intake(
        case, by=doctor, conditions="A light sleeper: no music, and nobody talks beside the bed."
    )
    stages.consent(case, doctor=doctor)
    return case


def open_clinic() -> None:
    """Create the people, rooms and settings in an empty, migrated database."""
    with transaction.atomic():
        create_people_and_rooms()
        record(Act("demo.loaded", "house:demonstration", actor="system:demo"))
        change_settings_for_demonstration()


def decode_ahead(decoder: Decoder) -> None:
    """Decode the pictures that are needed first, in that order. Needs no database."""
    past_nights = (other_cases.CLEMENTINE, other_cases.MARY, other_cases.BRUNO)
    past_memories = [memory for story in past_nights for memory in story.memories]
    for memory in (*past_memories, *MEMORIES):
        for keepsake in memory.keepsakes:
            decoder.decode(keepsake.content(), keepsake.path.name)


def load_patients(clinic: DemoContext, report: Report, *, on_open: Callable[[], None] = lambda: None) -> Run:
    """Bring all patients into the clinic, start its nights and return Joel's run.

    report: is called with each line of progress. on_open: is called once the clinic may open, after the past
    nights, so that no process of the clinic has seen what they erased. They have no certificates yet: a
    supervisor issues those when this process has ended.
    """
    begin_loading()
    for stage in stages.PAST_NIGHTS:
        stage(clinic)
    on_open()
    case = bring_joel(clinic, report)
    run = stages.book_and_start(clinic, case, TEAM_A, NIGHT)
    session = urljoin(clinic.base, reverse("erasure:session", args=[run.pk]))
    report(f"The night has begun. Watch it: {session}\n")
    for stage in stages.STAGES:
        stage(clinic)
    end_loading()
    report("All patients are here.\n")
    return run


def load_demonstration(report: Report, *, base: str = "http://127.0.0.1/") -> Run:
    """Fill an empty, migrated database with the demonstration in this process; return Joel's run.

    base: the server's URL, for links in mails.
    """
    open_clinic()
    return load_patients(DemoContext(people_by_key(), base), report)


def certify_finished_nights() -> int:
    """Verify the nights that are over, and issue their certificates; return how many.

    For a demonstration that is loaded without a server; with one, its supervisor does this. The process that
    loaded the demonstration must have ended: its memory may have what was erased.
    """
    finished = list(
        Run.objects.filter(state=Run.State.FINISHED, certificate__isnull=True).values_list("pk", flat=True)
    )

    def certify_in_thread(run_id: object) -> bool:
        try:
            return certify(run_id)  # type: ignore[arg-type]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as threads:
        return sum(threads.map(certify_in_thread, finished))
