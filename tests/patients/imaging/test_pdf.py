"""U8 and U4 for PDFs: pages become pictures; scripts, attachments and oversized content are refused."""

import io
from collections.abc import Callable

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, String
from PIL import Image

from patients.imaging.decode import DecodedPages, Limits, decode
from patients.imaging.fingerprint import NEAR, distance
from patients.imaging.page_bundle import unbind
from patients.imaging.refusals import Code, FileRefused

from .media import pdf

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def decoded(data: bytes, name: str = "letter.pdf", limits: Limits | None = None) -> DecodedPages:
    found = decode(io.BytesIO(data), name, limits=limits or Limits())
    assert isinstance(found, DecodedPages)
    return found


def refusal_code(data: bytes, name: str = "letter.pdf", limits: Limits | None = None) -> Code:
    with pytest.raises(FileRefused) as caught:
        decode(io.BytesIO(data), name, limits=limits or Limits())
    assert str(caught.value).endswith(".")
    return caught.value.code


@pytest.mark.parametrize("count", [1, 3])
def test_each_page_becomes_a_picture(count: int) -> None:
    found = decoded(pdf(count))
    pages = unbind(found.screen)
    assert (found.pages, len(pages), len(found.prints)) == (count, count, count)
    for page in pages:
        assert page.origin == Image.open(io.BytesIO(page.data)).size == (905, 1280)
    assert found.capacity == count * 905 * 1280 * 24
    assert (found.screen_size, found.thumb_size) == ((905, 1280), (255, 360))


def test_the_words_of_a_pdf_are_drawn_in_ink_on_cream_paper() -> None:
    [page] = unbind(decoded(pdf(1)).screen)
    drawn = Image.open(io.BytesIO(page.data)).convert("RGB")
    assert drawn.getpixel((2, 2)) == pytest.approx((245, 239, 224), abs=3)
    darkest, _lightest = drawn.convert("L").getextrema()
    assert darkest < 40


def test_rotated_and_wide_pages_keep_their_orientation() -> None:
    def turn(document: Pdf) -> None:
        document.pages[0].Rotate = 90

    assert decoded(pdf(1, change=turn)).screen_size == (1280, 905)
    assert decoded(pdf(1, size=(2000, 400))).screen_size == (1280, 256)


def test_blank_pages_are_pages_without_a_fingerprint() -> None:
    def clear(document: Pdf) -> None:
        document.pages[1].Contents = document.make_stream(b"")

    found = decoded(pdf(3, change=clear))
    assert (found.pages, len(found.prints)) == (3, 2)


def test_the_same_letter_saved_in_another_way_has_a_near_fingerprint() -> None:
    one = decoded(pdf(1, words="Dear Joel I never"))
    again = decoded(pdf(1, words="Dear Joel I never", linearize=True))
    other = decoded(pdf(1, words="Clementine said that it was"))
    assert distance(int(one.prints[0], 16), int(again.prints[0], 16)) <= 2
    assert distance(int(one.prints[0], 16), int(other.prints[0], 16)) > NEAR


def links(document: Pdf) -> None:
    """Links and outlines, as mail and office programs write them. They are harmless."""
    action = Dictionary(S=Name.URI, URI=String("https://lacuna.example/"))
    annotation = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=action)
    document.pages[0].Annots = document.make_indirect(Array([annotation]))
    document.Root.OpenAction = Array([document.pages[0].obj, Name.Fit])
    document.Root.Outlines = Dictionary(Type=Name.Outlines, Count=0)


def test_a_pdf_with_links_is_accepted() -> None:
    assert decoded(pdf(1, change=links)).pages == 1


def script(document: Pdf) -> None:
    code = String(EICAR.decode())
    document.Root.OpenAction = document.make_indirect(Dictionary(S=Name.JavaScript, JS=code))


def script_in_a_stream(document: Pdf) -> None:
    code = document.make_stream(b"app.alert(1)")
    names = Array([String("x"), Dictionary(S=Name.JavaScript, JS=code)])
    document.Root.Names = Dictionary(JavaScript=Dictionary(Names=names))


def launch(document: Pdf) -> None:
    action = Dictionary(S=Name.Launch, F=String("/bin/sh"))
    annotation = Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=action)
    document.pages[0].Annots = Array([annotation])


def action_when_a_page_opens(document: Pdf) -> None:
    document.pages[0].AA = Dictionary(O=Dictionary(S=Name.Named, N=Name.Print))


def attachment(document: Pdf) -> None:
    document.attachments["notes.exe"] = b"MZ" + EICAR


def hidden_attachment(document: Pdf) -> None:
    """An embedded file that no page or name refers to."""
    stream = document.make_stream(b"MZ")
    stream.Type = Name.EmbeddedFile
    document.Root.Anything = Array([Array([Array([stream])])])


def file_annotation(document: Pdf) -> None:
    annotation = Dictionary(Type=Name.Annot, Subtype=Name.FileAttachment, Rect=Array([0, 0, 9, 9]))
    document.pages[0].Annots = Array([document.make_indirect(annotation)])


def xfa(document: Pdf) -> None:
    document.Root.AcroForm = Dictionary(Fields=Array([]), XFA=document.make_stream(b"<xdp/>"))


def form_submission(document: Pdf) -> None:
    action = Dictionary(S=Name.SubmitForm, F=String("https://elsewhere.example/"))
    document.Root.OpenAction = Dictionary(S=Name.GoTo, D=Array([]), Next=Array([action]))


def stream_in_another_file(document: Pdf) -> None:
    document.pages[0].Contents.F = String("/etc/passwd")


def portfolio(document: Pdf) -> None:
    document.Root.Collection = Dictionary(View=Name.T)


ACTIVE = [
    script,
    script_in_a_stream,
    launch,
    action_when_a_page_opens,
    attachment,
    hidden_attachment,
    file_annotation,
    xfa,
    form_submission,
    stream_in_another_file,
    portfolio,
]


@pytest.mark.parametrize("change", ACTIVE, ids=lambda change: change.__name__)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "in object streams"])
def test_u8_active_content_is_refused_wherever_it_is(change: Callable[[Pdf], None], packed: bool) -> None:
    mode = pikepdf.ObjectStreamMode.generate if packed else pikepdf.ObjectStreamMode.disable
    assert refusal_code(pdf(2, change=change, object_stream_mode=mode)) is Code.PDF_ACTIVE


def test_active_content_with_an_escaped_name_is_refused() -> None:
    plain = pdf(1, change=script, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    assert b"/JavaScript" in plain
    # The script becomes as much shorter as the name becomes longer, so every byte offset stays right.
    escaped = plain.replace(b"/JavaScript", b"/J#61vaScript").replace(b"ANTIVIRUS", b"ANTIVIR")
    assert len(escaped) == len(plain)
    assert refusal_code(escaped) is Code.PDF_ACTIVE


def test_a_pdf_that_asks_for_a_password_is_refused() -> None:
    assert (
        refusal_code(pdf(1, encryption=pikepdf.Encryption(owner="a", user="clementine"))) is Code.PDF_LOCKED
    )


@pytest.mark.parametrize("strength", [2, 3, 4, 6])
def test_a_pdf_that_only_forbids_printing_is_drawn_and_searched(strength: int) -> None:
    lock = pikepdf.Encryption(owner="tangerine", user="", R=strength, aes=strength > 3, metadata=strength > 3)
    assert decoded(pdf(2, encryption=lock)).pages == 2
    assert refusal_code(pdf(1, change=script, encryption=lock)) is Code.PDF_ACTIVE


def test_too_many_pages_are_refused_before_one_is_drawn() -> None:
    assert refusal_code(pdf(31)) is Code.TOO_MANY_PAGES
    assert refusal_code(many_pages(10_000)) is Code.TOO_MANY_PAGES
    assert decoded(pdf(3), limits=Limits(max_pages=3)).pages == 3


def many_pages(count: int) -> bytes:
    """A PDF with `count` references to the same page."""

    def repeat(document: Pdf) -> None:
        page = document.pages[0].obj
        document.Root.Pages.Kids = Array([page] * count)
        document.Root.Pages.Count = count

    return pdf(1, change=repeat)


def test_a_wrong_page_count_is_not_trusted() -> None:
    honest = pdf(1, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    assert honest.count(b"/Count 1 /Kids") == 1
    assert refusal_code(honest.replace(b"/Count 1 /Kids", b"/Count 99/Kids")) is Code.TOO_MANY_PAGES
    found = decoded(honest.replace(b"/Count 1 /Kids", b"/Count -9/Kids"))
    assert found.pages == 1


@pytest.mark.parametrize("size", [(1, 100_000), (100_000, 1), (0.001, 800), (31, 1000)])
def test_a_page_with_an_extreme_shape_is_refused(size: tuple[float, float]) -> None:
    assert refusal_code(pdf(1, size=size)) is Code.PAGE_SHAPE


def test_a_page_of_five_meters_is_drawn_as_1280_pixels() -> None:
    assert decoded(pdf(1, size=(14_400, 14_400))).screen_size == (1280, 1280)


def huge_picture(document: Pdf) -> None:
    stream = document.make_stream(b"\0" * 1000)
    for key, value in {"Width": 100_000, "Height": 100_000, "BitsPerComponent": 1}.items():
        stream[f"/{key}"] = value
    stream.Type, stream.Subtype, stream.ColorSpace = Name.XObject, Name.Image, Name.DeviceGray
    document.pages[0].Resources.XObject = Dictionary(Im1=stream)


def test_a_pdf_with_a_picture_of_ten_thousand_megapixels_is_refused() -> None:
    assert refusal_code(pdf(1, change=huge_picture)) is Code.TOO_MANY_PIXELS


def nested_forms(document: Pdf) -> None:
    """Nested forms, each of which draws the next one ten times, twelve levels deep."""
    inner = document.make_stream(b"0 0 1 1 re f")
    for _ in range(12):
        inner.Type, inner.Subtype, inner.BBox = Name.XObject, Name.Form, Array([0, 0, 600, 800])
        outer = document.make_stream(b"/X Do " * 10)
        outer.Resources = Dictionary(XObject=Dictionary(X=inner))
        inner = outer
    inner.Type, inner.Subtype, inner.BBox = Name.XObject, Name.Form, Array([0, 0, 600, 800])
    document.pages[0].Resources.XObject = Dictionary(X=inner)
    document.pages[0].Contents = document.make_stream(b"/X Do")


def test_a_pdf_that_takes_too_long_is_refused() -> None:
    limits = Limits(cpu_seconds=2, seconds=10)
    with pytest.raises(FileRefused) as caught:
        decode(io.BytesIO(pdf(1, change=nested_forms)), "letter.pdf", limits=limits)
    assert caught.value.code in {Code.TOO_SLOW, Code.CRASHED, Code.TOO_HEAVY}


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.99])
def test_a_truncated_pdf_is_refused(share: float) -> None:
    whole = pdf(3)
    assert refusal_code(whole[: int(len(whole) * share)]) is Code.TRUNCATED


def test_a_damaged_pdf_is_refused() -> None:
    data = bytearray(pdf(2))
    data[len(data) // 3 : -200] = b"#" * (len(data) - 200 - len(data) // 3)
    assert refusal_code(bytes(data)) is Code.BROKEN


@pytest.mark.parametrize(
    ("guest", "code"),
    [
        (b"PK\x05\x06" + bytes(18), Code.GUEST),
        (b"\n<html><body onload=alert(1)>\n%%EOF", Code.GUEST),
        (b"Rar!\x1a\x07\x01\x00 %%EOF", Code.GUEST),
    ],
    ids=["zip", "html", "rar"],
)
def test_a_pdf_with_an_appended_file_is_refused(guest: bytes, code: Code) -> None:
    assert refusal_code(pdf(1) + guest) is code


def test_a_pdf_after_other_bytes_or_with_a_wrong_name_is_refused() -> None:
    assert refusal_code(b"\0\1\2" + pdf(1)) is Code.PDF
    for name in ("page.html", "tool.exe"):
        assert refusal_code(pdf(1), name) is Code.CONTRADICTION
