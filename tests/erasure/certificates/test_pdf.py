"""The certificate on paper: a PDF/A that says what the statement says, and never reads data as markup."""

import io
import json
import re
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
from erasure.certificates.models import Certificate
from erasure.certificates.pdf import UNDRAWABLE, drawable, map_svg, qr, render_pdf
from erasure.certificates.verify_certificate import canonical
from erasure.runs.models import Run
from patients.memories.silhouette import CERTIFICATE, Silhouette, silhouette
from tests.erasure.certificates.proofs import ended, stopped, take
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://lacuna.example/v/0123456789abcdef01234567/"


def text(pdf: bytes) -> str:
    pages = pypdfium2.PdfDocument(pdf)
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in pages).split())


def a_paper(run: Run, **statement: object) -> bytes:
    """The paper of a run's certificate, with some of what it states put otherwise."""
    made = Certificate.objects.get(run=run)
    made.body = canonical(made.statement | statement).decode()
    del made.statement
    return render_pdf(made, silhouette(run.procedure.case, CERTIFICATE, paper=True), URL)


def test_it_says_what_the_certificate_says_and_names_nobody(client: Client) -> None:
    run = ended(kept=True)
    made = Certificate.objects.get(run=run)
    shown = text(take(client, run, "pdf"))
    assert "Certificate of erasure" in shown
    assert run.procedure.case.reference in shown
    assert "Joel Barish 1 memory of one person, who is not named here, was destroyed." in shown
    assert "Not all that was on the map is gone." in shown
    assert "Kept during the night 1" in shown
    assert "[2] kept on purpose, during the night whole" in shown
    assert made.digest in shown
    assert f"http://testserver/v/{made.number}/" in shown
    assert made.statement["log"]["verifier-key"].replace("/", "") in shown.replace("/", "").replace(" ", "")
    assert "It is not claimed that a disk was wiped." in shown
    assert "sanitization" not in shown.lower()
    for word in ("Clementine", "Kruczynski", "Zanzibar"):
        assert word not in shown


def test_it_is_pdf_a_3a_with_its_fonts_and_the_statement_inside(client: Client) -> None:
    run = ended()
    pdf = take(client, run, "pdf")
    with pikepdf.open(io.BytesIO(pdf)) as file:
        with file.open_metadata() as said:
            assert (said["pdfaid:part"], said["pdfaid:conformance"], said["pdfuaid:part"]) == ("3", "A", "1")
        assert file.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert bool(file.Root.MarkInfo.Marked)
        assert str(file.Root.Lang) == "en"
        fonts = {str(font.BaseFont): font for page in file.pages for font in page.Resources.Font.values()}
        assert fonts
        for name, font in fonts.items():
            described = font.DescendantFonts[0].FontDescriptor
            assert {"/FontFile2", "/FontFile3"} & set(described.keys()), name
        ours = r"/[A-Z]{6}\+(LibreCaslonText|LibreFranklin|CourierPrime|Newsreader|IBMPlexMono)-"
        assert [name for name in fonts if not re.match(ours, name)] == []
        inside = file.attachments["certificate.json"].get_file().read_bytes()
        # What else veraPDF would look for first: colours that mean something everywhere, an attachment that
        # says what it is to the paper, nothing that runs, nothing that is locked.
        profile = file.Root.OutputIntents[0].DestOutputProfile
        assert profile.read_bytes()[36:40] == b"acsp"
        (attached,) = file.Root.AF
        assert attached.AFRelationship in {"/Source", "/Data", "/Supplement", "/Alternative"}
        assert not file.is_encrypted
        assert not {"/OpenAction", "/AA"} & set(file.Root.keys())
        assert "/Filter" not in file.Root.Metadata
        assert b"/JavaScript" not in pdf
        assert all("/ToUnicode" in font for font in fonts.values())
    assert inside == take(client, run, "json")


def codes(pdf: bytes) -> list[str]:
    """What a phone reads on the paper: the text of every QR code, at about 200 dots to the inch."""
    found = []
    for page in pypdfium2.PdfDocument(pdf):
        picture = page.render(scale=200 / 72).to_pil().convert("L")
        found += [
            code.text for code in zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
        ]
    return found


def test_its_code_leads_a_stranger_to_the_public_page(client: Client) -> None:
    run = ended()
    made = Certificate.objects.get(run=run)
    (address,) = codes(take(client, run, "pdf"))
    assert address == f"http://testserver/v/{made.number}/"
    answer = Client().get(urlsplit(address).path)
    assert answer.status_code == 200
    assert b"This certificate holds." in answer.content
    assert codes(a_paper(run)) == [URL]


def test_the_same_certificate_gives_the_same_paper() -> None:
    run = ended()
    assert a_paper(run) == a_paper(run)


def test_in_vietnamese_every_letter_is_drawn(client: Client) -> None:
    run = ended(name="Nguyễn Thị Ánh Tuyết")
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "vi"
    pdf = take(client, run, "pdf")
    shown = text(pdf)
    assert "Chứng nhận xóa" in shown
    assert "Nguyễn Thị Ánh Tuyết" in shown
    assert "ký ức về một người, không nêu tên ở đây, đã bị hủy" in shown
    with pikepdf.open(io.BytesIO(pdf)) as file:
        assert str(file.Root.Lang) == "vi"


def test_no_letter_that_is_let_through_is_missing_from_the_typefaces() -> None:
    every = "".join(chr(code) for code in range(0x20, 0x2100) if not UNDRAWABLE.match(chr(code)))
    assert len(every) > 400
    run, team = ended(), [{"role": "doctor", "name": every}]
    for language in ("en", "vi"):
        with translation.override(language):
            pdf = a_paper(run, patient=every, team=team, reference=every)
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
    run = ended()
    for name in MARKUP:
        shown = text(a_paper(run, patient=name, team=[{"role": "doctor", "name": name}]))
        assert shown.count(" ".join(name.split())) >= 2
        assert "sys.inputs" not in shown


def test_a_name_our_typefaces_lack_is_no_error() -> None:
    run = ended()
    for name in ("王小明", "Zoë 🕊", "\u0000\u202e", "עברית"):
        drawn = drawable(name)
        assert "?" in drawn
        assert drawn in text(a_paper(run, patient=name))


@pytest.mark.both_databases
def test_a_stopped_night_has_an_honest_paper(client: Client) -> None:
    run = stopped()
    assert (run.outcome, Certificate.objects.filter(run=run).exists()) == (Run.Outcome.STOPPED, True)
    shown = text(take(client, run, "pdf"))
    assert "was stopped before its end, at" in shown
    assert "1 memory of one person, who is not named here, was destroyed." in shown
    assert "1 memory stayed, but not whole: it had begun to fade." in shown
    assert "[2] the night was aborted faded by 3 passes; that frame is kept, sealed" in shown
    assert "[1] the night was aborted whole" in shown
    assert "Outcome Stopped, the night was aborted" in shown


def test_no_paper_is_made_of_a_certificate_that_does_not_hold(client: Client) -> None:
    made = Certificate.objects.get(run=ended())
    Certificate.objects.filter(pk=made.pk).update(body=made.body.replace("complete", "partial"))
    client.force_login(make_user(Role.DOCTOR))
    answer = client.get(reverse("erasure:certificate-pdf", args=[made.run_id]))
    assert (answer.status_code, answer["Content-Type"]) == (409, "text/html; charset=utf-8")
    assert "The signature does NOT belong to this text" in answer.content.decode()


def test_a_thing_that_is_still_open_is_said_to_be_told_elsewhere() -> None:
    """It is closed later than any certificate is signed, so whoever reads one is told where to ask."""
    run = ended()
    thing = {"memory": 1, "thing": "7F3A09", "state": "open", "proof": "none"}
    shown = text(a_paper(run, things=[thing]))
    assert (
        "1 thing was still with the clinic. What becomes of it later is written in the clinic's log" in shown
    )
    assert "2 things were still with the clinic." in text(a_paper(run, things=[thing, thing]))
    assert "still with the clinic." not in text(a_paper(run, things=[thing | {"state": "destroyed"}]))


def test_a_verification_that_found_something_is_on_the_paper() -> None:
    run = ended()
    found = {
        "result": "found",
        "places": [
            {"place": "keys", "found": "found", "why": "keys:7"},
            {"place": "swap", "found": "not-checkable", "why": "swap-on"},
            {"place": "files", "found": "clean", "why": ""},
        ],
    }
    shown = text(a_paper(run, verification=found))
    assert "The verification afterwards found something left." in shown
    assert "Keys in the key store something is left: keys:7" in shown
    assert "Swapped memory not checkable here: the machine swaps, and nobody can say what" in shown
    assert "Files in the vault clean" in shown
    assert "It was not verified afterwards." in text(a_paper(run, verification={}))


def test_the_map_is_drawn_in_lines_and_the_code_too() -> None:
    run = ended()
    drawing = map_svg(silhouette(run.procedure.case, CERTIFICATE, paper=True))
    assert drawing is not None
    assert drawing.startswith('<svg xmlns="http://www.w3.org/2000/svg" ')
    assert "<image" not in drawing
    assert map_svg(Silhouette()) is None
    assert qr(URL).startswith("<svg ")
    assert qr(URL) != qr(f"{URL}?")


def test_what_is_taken_away_is_written_down(client: Client) -> None:
    run = ended()
    for name, form in (("json", "json"), ("statement", "statement"), ("signature", "sig"), ("pdf", "pdf")):
        size = Entry.objects.count()
        content = take(client, run, name)
        (entry,) = Entry.objects.filter(index__gte=size)
        assert (entry.action, entry.run) == ("certificate.downloaded", run.pk)
        assert entry.subject == f"certificate:{run.certificate.pk}"
        assert entry.details == {"form": form, "language": "en", "bytes": len(content)}


def test_nothing_leaves_where_it_cannot_be_written_down(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended()

    def full(*acts: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("erasure.certificates.views.record", full)
    client.force_login(make_user(Role.DOCTOR))
    client.raise_request_exception = False
    answer = client.get(reverse("erasure:certificate-pdf", args=[run.pk]))
    assert (answer.status_code, b"%PDF" in answer.content) == (500, False)


def test_a_large_night_fits(client: Client) -> None:
    run = ended()
    memory = json.loads(Certificate.objects.get(run=run).body)["destroyed"][0]
    many = [memory | {"number": number} for number in range(300)]
    shown = text(a_paper(run, destroyed=many))
    assert "300 memories of one person" in shown
    assert " 299 photograph 1 " in shown
