"""The certificate as PDF/A: it says what the statement says, and what people wrote is never markup."""

import io
import json
import re
from unicodedata import normalize
from urllib.parse import urlsplit

import pikepdf
import pypdfium2
import pytest
import zxingcpp
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation

from clinic.accounts.models import Role
from clinic.audit.models import Entry
from clinic.papers.typesetting import UNDRAWABLE, drawable
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import map_svg, qr, render_pdf
from erasure.certificates.verify_certificate import canonical
from erasure.runs.models import Run
from patients.memories.silhouette import CERTIFICATE, Silhouette, silhouette
from tests.erasure.certificates.proofs import download, ended_run, stopped_run
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://lacuna.example/v/0123456789abcdef01234567/"


def text(pdf: bytes) -> str:
    pages = pypdfium2.PdfDocument(pdf)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in pages).split())


def make_pdf(run: Run, **statement: object) -> bytes:
    """The PDF of a run's certificate, with these fields of its statement changed."""
    certificate = Certificate.objects.get(run=run)
    certificate.body = canonical(certificate.statement | statement).decode()
    del certificate.statement
    return render_pdf(certificate, silhouette(run.procedure.case, CERTIFICATE, paper=True), URL)


def test_the_pdf_says_what_the_statement_says_and_does_not_name_the_subject(client: Client) -> None:
    run = ended_run(kept=True)
    certificate = Certificate.objects.get(run=run)
    shown = text(download(client, run, "pdf"))
    assert "Certificate of erasure" in shown
    assert run.procedure.case.reference in shown
    assert "Joel Barish 1 memory of one person, who is not named here, was destroyed." in shown
    assert "Not all that was on the map is gone." in shown
    assert "Kept during the night 1" in shown
    assert "[2] kept on purpose, during the night whole" in shown
    assert certificate.digest in shown
    assert f"http://testserver/v/{certificate.number}/" in shown
    assert certificate.statement["log"]["verifier-key"].replace("/", "") in shown.replace("/", "").replace(
        " ", ""
    )
    assert "It is not claimed that a disk was wiped." in shown
    assert "sanitization" not in shown.lower()
    for word in ("Clementine", "Kruczynski", "Zanzibar"):
        assert word not in shown


def test_the_pdf_is_pdf_a_3a_with_its_fonts_and_the_statement_inside(client: Client) -> None:
    run = ended_run()
    pdf = download(client, run, "pdf")
    with pikepdf.open(io.BytesIO(pdf)) as file:
        with file.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"], metadata["pdfuaid:part"]) == (
                "3",
                "A",
                "1",
            )
        assert file.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert bool(file.Root.MarkInfo.Marked)
        assert str(file.Root.Lang) == "en"
        fonts = {str(font.BaseFont): font for page in file.pages for font in page.Resources.Font.values()}
        assert fonts
        for name, font in fonts.items():
            described = font.DescendantFonts[0].FontDescriptor
            assert {"/FontFile2", "/FontFile3"} & set(described.keys()), name
        our_fonts = r"/[A-Z]{6}\+(LibreCaslonText|LibreFranklin|CourierPrime|Newsreader|IBMPlexMono)-"
        assert [name for name in fonts if not re.match(our_fonts, name)] == []
        inside = file.attachments["certificate.json"].get_file().read_bytes()
        # The other first checks of veraPDF: a colour profile, an attachment with a relationship, no scripts
        # and no encryption.
        profile = file.Root.OutputIntents[0].DestOutputProfile
        assert profile.read_bytes()[36:40] == b"acsp"
        (attached,) = file.Root.AF
        assert attached.AFRelationship in {"/Source", "/Data", "/Supplement", "/Alternative"}
        assert not file.is_encrypted
        assert not {"/OpenAction", "/AA"} & set(file.Root.keys())
        assert "/Filter" not in file.Root.Metadata
        assert b"/JavaScript" not in pdf
        assert all("/ToUnicode" in font for font in fonts.values())
    assert inside == download(client, run, "json")


def qr_texts(pdf: bytes) -> list[str]:
    """The texts of all QR codes of a PDF, as a phone reads them at 200 dpi."""
    found = []
    for page in pypdfium2.PdfDocument(pdf):
        picture = page.render(scale=200 / 72).to_pil().convert("L")
        found += [
            code.text for code in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
        ]
    return found


def test_the_qr_code_leads_to_the_public_page(client: Client) -> None:
    run = ended_run()
    certificate = Certificate.objects.get(run=run)
    (address,) = qr_texts(download(client, run, "pdf"))
    assert address == f"http://testserver/v/{certificate.number}/"
    answer = Client().get(urlsplit(address).path)
    assert answer.status_code == 200
    assert b"This certificate holds." in answer.content
    assert qr_texts(make_pdf(run)) == [URL]


def test_the_same_certificate_gives_the_same_pdf() -> None:
    run = ended_run()
    assert make_pdf(run) == make_pdf(run)


def test_in_vietnamese_every_letter_is_drawn(client: Client) -> None:
    run = ended_run(name="Nguyễn Thị Ánh Tuyết")
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "vi"
    pdf = download(client, run, "pdf")
    shown = text(pdf)
    assert "Chứng nhận xóa" in shown
    assert "Nguyễn Thị Ánh Tuyết" in shown
    assert "ký ức về một người, không nêu tên ở đây, đã bị hủy" in shown
    with pikepdf.open(io.BytesIO(pdf)) as file:
        assert str(file.Root.Lang) == "vi"


NAMES = [
    "Жанна Ёлкина",
    "Ελένη Παπαδοπούλου",
    "Άννα Ἀθηνᾶ",
    "Ņikita Ẑăǆ Ṩ",
    "Հայկ Աբովյան",
    "ქეთევან",
    "Đỗ Nguyễn Ánh",
]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_b7_every_letter_of_a_name_is_drawn(language: str) -> None:
    run = ended_run()
    with translation.override(language):
        plain = text(make_pdf(run))
    for name in NAMES:
        team = [{"role": "doctor", "name": f"Dr. {name}"}]
        with translation.override(language):
            shown = text(make_pdf(run, patient=normalize("NFD", name), team=team))
        assert shown.count(name) == 3, name
        assert shown.count("?") == plain.count("?"), name
        assert "lack letters of a name" not in shown


def test_b7_a_name_that_no_font_has_is_said_to_be_in_the_statement() -> None:
    run = ended_run()
    plain = text(make_pdf(run))
    for name in ("王芳", "Jo 王", "किरण", "J\u0007o", "👩", "ليلى"):
        certificate = Certificate.objects.get(run=run)
        pdf = make_pdf(run, patient=name, team=[{"role": "doctor", "name": "Anna Joy"}])
        shown = text(pdf)
        assert "the person named in the attached statement" in shown
        assert "lack letters of a name. The attached statement has the name as it is written." in shown
        assert "Anna Joy" in shown
        assert shown.count("?") == plain.count("?"), name
        with pikepdf.open(io.BytesIO(pdf)) as file:
            inside = json.loads(file.attachments["certificate.json"].get_file().read_bytes())
        assert json.loads(inside["statement"])["patient"] == name
        assert json.loads(certificate.body)["patient"] != name
    shown = text(make_pdf(run, patient="Joel Barish", team=[{"role": "doctor", "name": "王芳"}]))
    assert "Joel Barish" in shown
    assert "a person named in the attached statement" in shown


def test_b7_a_right_to_left_name_has_every_letter() -> None:
    shown = text(make_pdf(ended_run(), patient="נועה"))
    assert "the person named in the attached statement" not in shown
    assert "נועה" in shown or "העונ" in shown


def test_the_fonts_have_every_character_that_is_not_replaced() -> None:
    every_character = "".join(chr(code) for code in range(0x20, 0x2100) if not UNDRAWABLE.match(chr(code)))
    assert len(every_character) > 400
    run, team = ended_run(), [{"role": "doctor", "name": every_character}]
    for language in ("en", "vi"):
        with translation.override(language):
            pdf = make_pdf(run, patient=every_character, team=team, reference=every_character)
        assert pdf.startswith(b"%PDF")


MARKUP = [
    '#read("certificate.typ")',
    "*bold* _it_ $x$ @ref <label>",
    "#pagebreak()",
    "\\",
    '"} ]#',
    "= Heading",
]


def test_what_people_wrote_is_never_markup() -> None:
    run = ended_run()
    for name in MARKUP:
        shown = text(make_pdf(run, patient=name, team=[{"role": "doctor", "name": name}]))
        assert shown.count(" ".join(name.split())) >= 2
        assert "sys.inputs" not in shown


def test_a_name_with_characters_that_the_fonts_lack_is_no_error() -> None:
    run = ended_run()
    for name in ("王小明", "Zoë 🕊", "\u0000\u202e"):
        assert "?" in drawable(name, "en")
        assert "the person named in the attached statement" in text(make_pdf(run, patient=name))


@pytest.mark.both_databases
def test_the_pdf_of_a_stopped_run_says_what_was_not_destroyed(client: Client) -> None:
    run = stopped_run()
    assert (run.outcome, Certificate.objects.filter(run=run).exists()) == (Run.Outcome.STOPPED, True)
    shown = text(download(client, run, "pdf"))
    assert "was stopped before its end, at" in shown
    assert "1 memory of one person, who is not named here, was destroyed." in shown
    assert "1 memory stayed, but not whole: it had begun to fade." in shown
    assert "[2] the night was aborted faded by 3 passes; that frame is kept, sealed" in shown
    assert "[1] the night was aborted whole" in shown
    assert "Outcome Stopped, the night was aborted" in shown


def test_a_certificate_that_does_not_hold_has_no_pdf(client: Client) -> None:
    certificate = Certificate.objects.get(run=ended_run())
    Certificate.objects.filter(pk=certificate.pk).update(body=certificate.body.replace("complete", "partial"))
    client.force_login(make_user(Role.DOCTOR))
    answer = client.get(reverse("erasure:certificate-pdf", args=[certificate.run_id]))
    assert (answer.status_code, answer["Content-Type"]) == (409, "text/html; charset=utf-8")
    assert "The signature does NOT belong to this text" in answer.content.decode()


def test_the_pdf_says_where_to_ask_about_a_thing_that_is_still_open() -> None:
    """What becomes of the thing is decided after the certificate was signed."""
    run = ended_run()
    thing = {"memory": 1, "thing": "7F3A09", "state": "open", "proof": "none"}
    shown = text(make_pdf(run, things=[thing]))
    assert (
        "1 thing was still with the clinic. What becomes of it later is written in the clinic's log" in shown
    )
    assert "2 things were still with the clinic." in text(make_pdf(run, things=[thing, thing]))
    assert "still with the clinic." not in text(make_pdf(run, things=[thing | {"state": "destroyed"}]))


def test_a_verification_that_found_something_is_in_the_pdf() -> None:
    run = ended_run()
    found = {
        "result": "found",
        "places": [
            {"place": "keys", "found": "found", "why": "keys:7"},
            {"place": "swap", "found": "not-checkable", "why": "swap-on"},
            {"place": "files", "found": "clean", "why": ""},
        ],
    }
    shown = text(make_pdf(run, verification=found))
    assert "The verification afterwards found something left." in shown
    assert "Keys in the key store something is left: keys:7" in shown
    assert "Swapped memory not checkable here: the machine swaps, and nobody can say what" in shown
    assert "Files in the vault clean" in shown
    assert "It was not verified afterwards." in text(make_pdf(run, verification={}))


def test_the_map_and_the_qr_code_are_vector_drawings() -> None:
    run = ended_run()
    drawing = map_svg(silhouette(run.procedure.case, CERTIFICATE, paper=True))
    assert drawing is not None
    assert drawing.startswith('<svg xmlns="http://www.w3.org/2000/svg" ')
    assert "<image" not in drawing
    assert map_svg(Silhouette()) is None
    assert qr(URL).startswith("<svg ")
    assert qr(URL) != qr(f"{URL}?")


def test_each_download_has_a_log_entry(client: Client) -> None:
    run = ended_run()
    for name, form in (("json", "json"), ("statement", "statement"), ("signature", "sig"), ("pdf", "pdf")):
        size = Entry.objects.count()
        content = download(client, run, name)
        (entry,) = Entry.objects.filter(index__gte=size)
        assert (entry.action, entry.run) == ("certificate.downloaded", run.pk)
        assert entry.subject == f"certificate:{run.certificate.pk}"
        assert entry.details == {"form": form, "language": "en", "bytes": len(content)}


def test_nothing_is_downloaded_if_the_log_cannot_be_written(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended_run()

    def raise_disk_full(*acts: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("erasure.certificates.views.record", raise_disk_full)
    client.force_login(make_user(Role.DOCTOR))
    client.raise_request_exception = False
    answer = client.get(reverse("erasure:certificate-pdf", args=[run.pk]))
    assert (answer.status_code, b"%PDF" in answer.content) == (500, False)


def test_a_run_of_300_memories_fits(client: Client) -> None:
    run = ended_run()
    memory = json.loads(Certificate.objects.get(run=run).body)["destroyed"][0]
    many = [memory | {"number": number} for number in range(300)]
    shown = text(make_pdf(run, destroyed=many))
    assert "300 memories of one person" in shown
    assert " 299 photograph 1 " in shown
