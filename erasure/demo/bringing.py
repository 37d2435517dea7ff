"""Brings a story into a case, with the functions that real intakes, memories and uploads use."""

import io
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from threading import Lock

from django.db import transaction

from clinic.accounts.models import User
from clinic.audit.record import Act, acting, actor_of, record
from erasure.demo.other_cases import StoryCase
from erasure.demo.story import StoryKeepsake, StoryMemory
from patients.cases.models import Case, CaseFields
from patients.cases.opening import open_case
from patients.consent.models import ConsentText
from patients.consent.signing import current_text, sign
from patients.imaging.decode import DecodedFile, decode
from patients.imaging.decoder_answer import parse_answer
from patients.imaging.decoder_process import answer_of, load_renderer
from patients.imaging.kinds import Kind
from patients.imaging.limits import DEFAULT_LIMITS
from patients.imaging.sniff import HEAD_BYTES, sniff
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake
from patients.memories.links import link
from patients.memories.models import Memory
from patients.memories.writing import write_memory
from patients.vault.models import StoredObject
from patients.vault.objects import put

INTAKE = ("who", "meeting", "wish", "hope", "health")  # the steps of the intake that everybody answers


def decode_own(content: bytes, name: str) -> DecodedFile:
    """Decode a file of the demonstration in this process, without the confined process of an upload.

    The files are our own. A new process for each of fifty files would take a quarter of the loading time
    (docs/decisions/0020-demonstration-opens-early.md). Everything else is as for an upload but the limits:
    those are settings, and this is called before there is a database.
    """
    limits = DEFAULT_LIMITS
    kind = sniff(content[:HEAD_BYTES])
    if kind is None or kind is Kind.LETTER:
        return decode(io.BytesIO(content), name, limits=limits)
    render = load_renderer(kind)
    return parse_answer(kind, answer_of(*render(content, kind, asdict(limits))), limits)


class Decoder:
    """Decodes each picture once: several patients bring the same one."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.known: dict[bytes, Future[DecodedFile]] = {}

    def decode(self, content: bytes, name: str) -> DecodedFile:
        """Return what `decode` finds in a file. If another thread decodes it already, wait for its result."""
        with self.lock:
            known = self.known.get(content)
            future = self.known.setdefault(content, Future())
        if known is None:
            try:
                future.set_result(decode_own(content, name))
            except BaseException as error:
                future.set_exception(error)
        return future.result()


def upload(
    case: Case, memory: Memory | None, keepsake: StoryKeepsake, *, decoder: Decoder, by: User
) -> Keepsake:
    """Upload one keepsake's file into the case, as a patient does."""
    content, name = keepsake.content(), keepsake.path.name
    original = put(content, case_id=case.pk, role=StoredObject.Role.ORIGINAL)
    return create_keepsake(
        original,
        by=by,
        filename=name,
        kind=keepsake.kind,
        caption=keepsake.caption,
        memory=memory,
        decoded=decoder.decode(content, name),
    )


def open_with_consent(patient: User) -> Case:
    """Open a case for a patient, who agrees that the clinic stores what is brought."""
    case = open_case(patient, by=patient)
    text = current_text(ConsentText.Kind.STORAGE)
    sign(case, by=patient, kind=ConsentText.Kind.STORAGE, text_seen=text.digest)
    return case


@transaction.atomic
def answer_intake(
    case: Case, story: StoryCase, steps: tuple[str, ...], chapters: list[dict[str, str]], *, by: User
) -> None:
    """Write the answers of the intake's `steps`, and the subject, into a case."""
    case.write(
        CaseFields(
            subject_name=story.subject,
            subject_relation=story.relation,
            answers=story.answers(steps),
            chapters=chapters,
        )
    )
    case.save(update_fields=["sealed"])
    record(
        *(
            Act(
                "intake.answered", f"case:{case.pk}", actor=actor_of(by), case=case.pk, details={"step": step}
            )
            for step in steps
        )
    )


def create_memory(case: Case, source: StoryMemory, *, by: User) -> Memory:
    """Create one memory of a story in the case, without its keepsakes."""
    return write_memory(
        case,
        {
            "title": source.title,
            "when": source.when,
            "day": source.day,
            "place": source.place,
            "people": list(source.people),
            "story": source.story,
            "reaction": source.reaction,
        },
        {
            "zone": Memory.Zone.CHILDHOOD if source.childhood else Memory.Zone.MAP,
            "fate": Memory.Fate.PROTECTED if source.protected else Memory.Fate.TARGET,
            "intensity": source.intensity,
        },
        by=by,
    )


def bring(
    story: StoryCase,
    patient: User,
    *,
    decoder: Decoder,
    chapters: list[dict[str, str]] | None = None,
    on_uploaded: Callable[[int, int], None] = lambda _done, _all: None,
) -> Case:
    """Open a case for `patient` and bring the whole story into it: answers, memories, links, keepsakes.

    on_uploaded: called after each upload with the numbers of uploads done and of all uploads.
    """
    with acting(actor_of(patient)):
        case = open_with_consent(patient)
        answer_intake(case, story, INTAKE, chapters or [], by=patient)
        memories = {source.key: create_memory(case, source, by=patient) for source in story.memories}
        pairs = {tuple(sorted((source.key, other))) for source in story.memories for other in source.links}
        for one, other in sorted(pairs):
            link(case, memories[one].pk, memories[other].pk, by=patient)
        uploads = [(memories[source.key], item) for source in story.memories for item in source.keepsakes]
        for done, (memory, keepsake) in enumerate(uploads, start=1):
            upload(case, memory, keepsake, decoder=decoder, by=patient)
            on_uploaded(done, len(uploads))
    case.refresh_from_db()
    return case
