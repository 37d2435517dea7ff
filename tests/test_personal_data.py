"""A patient gets everything that is held about them: every sealed word, every file, every kind of row."""

import io
import json
from dataclasses import fields as fields_of
from datetime import timedelta
from typing import Any

import pytest
import pyzipper
from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from clinic.accounts.models import Invitation, Role, User
from clinic.audit.models import Entry
from clinic.personal_data.registry import sections_of
from erasure.bedside.models import SpokenWord
from erasure.runs.models import SafeWord
from patients.archives.everything import everything_about, zip_everything
from patients.cases.models import Case, CaseFields
from patients.consent.models import Signature
from patients.consent_papers.models import ConsentPaper
from patients.drafts.models import Draft, DraftFields
from patients.imaging.page_bundle import MEDIA_TYPE as BUNDLE_TYPE
from patients.intake_review.models import IntakeReview, ReviewFields
from patients.keepsakes.models import Keepsake, KeepsakeFields, Upload, UploadFields
from patients.memories.models import Memory, MemoryFields
from patients.messages.models import Message
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import read
from patients.vault.sealed import SealedModel
from tests.appointments import make_appointment
from tests.factories import PASSPHRASE, make_case, make_note, make_request, make_run, make_user
from tests.messages import ask
from tests.waitlist import in_days, make_waiting

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:PBKDF2:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume asynchronous:Warning"),
]

SEAL = "four words that seal it"
PAPER = b"%PDF-1.7 exactly what was signed"
APPS = {"clinic", "patients", "erasure"}

# Sealed fields that are not given, and why.
FIELDS_NOT_GIVEN = {
    MemoryFields: {"day": "it sorts; `when` is what the patient said"},
    KeepsakeFields: {
        "taken": "the date in words is made of it",
        "day": "the date in words is made of it",
        "focus": "a spot in the picture",
        "fingerprint": "computed from the file, which is given",
        "prints": "computed from the file, which is given",
        "sound": "computed from the file, which is given",
        "words": "counted in the file, which is given",
        "undrawn": "counted in the file, which is given",
        "pages": "counted in the file, which is given",
        "seconds": "measured in the file, which is given",
        "unshown": "found in the file, which is given",
        "dismissed": "ids of proposals",
        "undo": "copies of the other fields",
    },
    UploadFields: {"metadata": "the name and type of the file, as the browser wrote them"},
}
# Models that refer, directly or through others, to a patient or a case, but are in no section, and why. Every
# other model that does has to be in a section.
MODELS_NOT_GIVEN = {
    "clinic.Invitation": "the request has what led to it",
    "patients.MemoryLink": "lines between memories on the map",
    "patients.MessageThread": "who answers until when; the messages are given",
    "patients.StoredObject": "the files are given",
    "patients.WaitlistOffer": "the entry has its end; the mails have the offers",
    "patients.DeskTask": "what the desk has to do",
    "patients.RequestWord": "the name and address, to search by",
    "erasure.DestructionItem": "the certificate lists what was destroyed",
    "erasure.Step": "the certificate lists what was erased",
    "erasure.Hold": "the certificate lists what was decided",
    "erasure.Trouble": "what the machine could not read",
    "erasure.DoctorCall": "whom the team called",
    "erasure.CallNotice": "whom the team called",
    "erasure.PresenceCheck": "whether the technician was there",
    "erasure.Handover": "whether the technician was there",
    "erasure.Attendance": "whether the technician was there",
    "erasure.Event": "what the session view shows; it has no words of the patient",
    "erasure.Renewal": "which processes began anew",
}
MODELS_GIVEN = {
    "patients.Appointment",
    "patients.AppointmentRequest",
    "patients.Case",
    "patients.CaseNote",
    "patients.ConsentPaper",
    "patients.Contact",
    "patients.Custody",
    "patients.Draft",
    "patients.IntakeReview",
    "patients.Keepsake",
    "patients.LeftBehindTick",
    "patients.LockedMap",
    "patients.Memory",
    "patients.Message",
    "patients.RepeatException",
    "patients.Signature",
    "patients.Upload",
    "patients.WaitlistEntry",
    "erasure.BedTap",
    "erasure.BedToken",
    "erasure.Certificate",
    "erasure.Destruction",
    "erasure.Procedure",
    "erasure.Remainder",
    "erasure.Run",
    "erasure.SafeWord",
    "erasure.SpokenWord",
}


def archive_of(person: User) -> dict[str, bytes]:
    """Return the files of the archive by name, as another program opens it."""
    return opened(b"".join(zip_everything(everything_about(person), SEAL)))


def opened(data: bytes) -> dict[str, bytes]:
    with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
        archive.setpassword(SEAL.encode())
        return {name: archive.read(name) for name in archive.namelist()}


def marked(kind: type[Any]) -> Any:
    """Return sealed fields in which every text is a unique word. Other fields have their defaults."""
    words: dict[str, Any] = {
        field.name: f"{kind.__name__}-{field.name}"
        for field in fields_of(kind)
        if isinstance(getattr(kind(), field.name), str)
    }
    more: dict[type[Any], dict[str, Any]] = {
        CaseFields: {
            "answers": {"why": "CaseFields-answers"},
            "chapters": [{"name": "CaseFields-chapters", "from": "2003-01-01", "to": "2003-05-01"}],
            "notes": [{"text": "CaseFields-notes"}],
        },
        ReviewFields: {"answers": {"why": "ReviewFields-answers"}},
        DraftFields: {"values": {"title": ["DraftFields-values"]}},
        MemoryFields: {"day": "2003-02-01", "people": ["MemoryFields-people"]},
        KeepsakeFields: {"day": "2003-02-01", "taken": "", "gps": [41.04, -71.95]},
    }
    return kind(**{**words, **more.get(kind, {})})


def invitation_of(person: User) -> Invitation:
    now = timezone.now()
    return Invitation.objects.create(
        email=person.email,
        name=person.name,
        role=Role.PATIENT,
        token_digest="0" * 64,
        expires_at=now,
        used_at=now,
        used_by=person,
    )


@pytest.fixture
def person() -> User:
    """A patient in a night, with a row of every sealed kind. Every text in it is a word of its own."""
    patient = make_user(Role.PATIENT, name="Joel Barish")
    case = make_case(patient)
    run = make_run(1, case=case, kinds=["recording", "pages"])
    request = make_request()
    request.invitation = invitation_of(patient)
    upload = Upload(case=case, by=patient, length=10, expires_at=timezone.now() + timedelta(days=1))
    draft = Draft(person=patient, case=case, form="letter", about=case.pk)
    with transaction.atomic():
        key_store().create(upload.pk, case.pk)
        key_store().create(draft.pk, case.pk)
    rows: list[SealedModel] = [
        Case.objects.get(pk=case.pk),
        *Memory.objects.filter(case=case),
        *Keepsake.objects.filter(case=case),
        *IntakeReview.objects.filter(case=case),
        *(make_note(case), request, make_waiting(case), make_appointment(case, starts_at=in_days(3))),
        *(SafeWord(run=run, case=case, said_by=patient), upload, draft),
        SpokenWord(procedure=run.procedure, case=case),
        Message(case=case, author=patient, from_clinic=False),
    ]
    sealed = {model for model in apps.get_models() if issubclass(model, SealedModel)}
    assert {type(row) for row in rows} == sealed, "one of every sealed kind"
    for row in rows:
        row.save()  # its id is sealed with its words
        row.write(marked(row.sealed_fields))
        row.save()
    paper = ConsentPaper(signature=Signature.objects.get(case=case, map__isnull=False))
    paper.write(PAPER, [case.pk])
    paper.save()
    return patient


def test_every_sealed_word_is_given(person: User) -> None:
    text = archive_of(person)["index.html"].decode()
    kinds = [model.sealed_fields for model in apps.get_models() if issubclass(model, SealedModel)]
    expected = {
        f"{kind.__name__}-{field.name}"
        for kind in kinds
        for field in fields_of(kind)
        if field.name not in FIELDS_NOT_GIVEN.get(kind, {}) and field.name != "gps"
    }
    assert len(expected) > 20
    assert {word for word in expected if word not in text} == set()
    assert "41.04, -71.95" in text


def test_every_model_that_refers_to_a_patient_is_given_or_has_a_reason() -> None:
    ours = [model for model in apps.get_models() if model.__module__.split(".")[0] in APPS]
    about: set[type[models.Model]] = {Case}
    while more := {model for model in ours if model not in about and refers_to(model, about)}:
        about |= more
    assert MODELS_GIVEN | MODELS_NOT_GIVEN.keys() == {model._meta.label for model in about}
    assert not MODELS_GIVEN & MODELS_NOT_GIVEN.keys()


def refers_to(model: type[models.Model], others: set[type[models.Model]]) -> bool:
    """Return whether a model has a reference to one of `others`, or to a patient's account."""
    return any(
        field.related_model in others or field.name in {"patient", "person", "used_by"}
        for field in model._meta.get_fields()
        if field.concrete and field.is_relation
    )


def test_the_files_are_given_as_they_were_brought(person: User) -> None:
    files = archive_of(person)
    originals = StoredObject.objects.live().filter(case__patient=person, role=StoredObject.Role.ORIGINAL)
    brought = [read(row) for row in originals if row.media_type != BUNDLE_TYPE]
    assert len(brought) >= 2
    assert [content for content in brought if content not in files.values()] == []
    assert PAPER in files.values()
    page = files["index.html"].decode()
    assert all(name in page for name in files if name.startswith("files/"))
    data = json.loads(files["data.json"])
    listed = [name for section in data for record in section["records"] for name in record["files"]]
    assert sorted(listed) == sorted(name for name in files if name.startswith("files/"))


def test_what_nobody_can_read_any_more_is_left_out_and_the_rest_is_given(person: User) -> None:
    case = Case.objects.get(patient=person)
    keepsake = Keepsake.objects.filter(case=case).first()
    assert keepsake
    for key in (case.pk, keepsake.pk):
        key_store().destroy(key)
    text = archive_of(person)["index.html"].decode()
    assert "CaseFields-subject_name" not in text
    assert "NoteFields-words" not in text
    assert case.reference in text
    assert "MemoryFields-title" in text


def test_three_files_take_as_many_queries_as_one() -> None:
    patient, counts = make_user(Role.PATIENT), []
    for number in (1, 2):
        for _ in range(number):
            case = make_case(patient)
            ask(case, f"In file {case.reference}")
            Case.objects.filter(pk=case.pk).update(stage=Case.Stage.CLOSED)
        sections_of(patient)
        with CaptureQueriesContext(connection) as asked:
            (section,) = (one for one in sections_of(patient) if one.title == "Messages with the clinic")
        counts.append(len(asked))
    words = [dict(row.values)["Words"] for row in section.records]
    assert words == [
        f"In file {case.reference}" for case in Case.objects.filter(patient=patient).order_by("opened_at")
    ]
    assert counts[0] == counts[1]


def test_nothing_of_others_is_given(person: User) -> None:
    other = make_user(Role.PATIENT, name="Clementine Kruczynski")
    make_note(make_case(other, subject_name="Joel Barish"))
    text = archive_of(other)["index.html"].decode()
    assert person.email not in text
    assert "Fields-" not in text
    assert "Please call in the morning." in text
    assert "Please call in the morning." not in archive_of(person)["index.html"].decode()


@pytest.mark.parametrize(("language", "title"), [("en", "Your answers"), ("vi", "Câu trả lời của bạn")])
def test_it_is_in_the_language_of_the_reader(person: User, language: str, title: str) -> None:
    with translation.override(language):
        assert f"<h2>{title}</h2>" in archive_of(person)["index.html"].decode()


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client


def test_the_page_asks_for_the_passphrase_and_records_that_it_was_given(person: User) -> None:
    client, url = client_of(person), reverse("patients:everything")
    assert 'name="passphrase"' in client.get(url).content.decode()
    for wrong in ({"passphrase": "wrong"}, {"seal": "short", "seal_again": "short"}, {"seal_again": "other"}):
        answer = client.post(url, {"passphrase": PASSPHRASE, "seal": SEAL, "seal_again": SEAL, **wrong})
        assert answer.status_code == 422
    assert not Entry.objects.filter(action="archive.everything").exists()
    answer = client.post(url, {"passphrase": PASSPHRASE, "seal": SEAL, "seal_again": SEAL})
    files = opened(b"".join(answer))  # type: ignore[arg-type]
    assert "MemoryFields-title" in files["index.html"].decode()
    entry = Entry.objects.get(action="archive.everything")
    assert (entry.actor, entry.subject) == (f"user:{person.pk}", f"user:{person.pk}")
    assert entry.details["files"] == len(files) - 2
