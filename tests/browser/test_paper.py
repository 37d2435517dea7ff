"""What leaves the printer, and what stays of a page where the colors are the reader's own."""

from collections.abc import Iterator

import pypdfium2
import pytest
from playwright.sync_api import Page

from clinic.accounts.models import Role
from erasure.certificates.models import Certificate
from tests.browser.browsing import OpenHouse, Visitor, apart, open_house
from tests.factories import make_case, make_keepsake, make_memory, make_run, make_signed, make_user
from tests.house import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def house() -> Iterator[OpenHouse]:
    with open_house() as house:
        yield house


def printed(page: Page) -> list[tuple[tuple[int, int], str]]:
    """Print the open page; each sheet's size in points, and its words in one line."""
    document = pypdfium2.PdfDocument(page.pdf(format="A4", prefer_css_page_size=True))
    return [
        (
            (round(sheet.get_width()), round(sheet.get_height())),
            " ".join(sheet.get_textpage().get_text_range().split()),
        )
        for sheet in document
    ]


def sheets(visitor: Visitor, path: str) -> list[tuple[tuple[int, int], str]]:
    visitor.go(path)
    return printed(visitor.page)


# A4 in points, as Chromium rounds it: what the printer has, and what a sheet of ours asks for.
UPRIGHT, ACROSS = (596, 843), (842, 595)


def test_papers_leave_the_page_around_them_behind(house: OpenHouse) -> None:
    run = apart(lambda: make_run(1))
    signed, reader = apart(make_case), apart(lambda: make_user(Role.AUDITOR))
    apart(lambda: make_keepsake(make_memory(signed)))
    apart(lambda: make_signed(signed))
    until(lambda: apart(lambda: Certificate.objects.filter(run=run).exists()), "the certificate")
    patient, auditor = house.visitor(apart(lambda: run.procedure.case.patient)), house.visitor(reader)

    certificate = sheets(patient, f"/certificates/{run.pk}/")
    # What was looked at afterwards takes a page of its own; the card is cut off the last.
    assert [size for size, _words in certificate] == [UPRIGHT] * 3
    assert "Certificate of erasure" in certificate[0][1]
    assert "SHA-256 of the signed statement" in certificate[1][1]
    assert "Please never mention" in certificate[2][1]

    consent = sheets(house.visitor(apart(lambda: signed.patient)), "/me/consent/")
    assert {size for size, _words in consent} == {UPRIGHT}
    assert consent[0][1].startswith("Lac[ ]na What you signed.")

    file = sheets(auditor, f"/files/{signed.pk}/")
    assert {size for size, _words in file} == {UPRIGHT}
    assert file[0][1].startswith("Lac[ ]na")

    log = sheets(auditor, "/audit/")
    assert {size for size, _words in log} == {ACROSS}
    assert all("Number Time Who What was done To what Digest" in words for _size, words in log)

    everything = " ".join(words for paper in (certificate, consent, file, log) for _size, words in paper)
    furniture = [
        "Log out",
        "Verify now",
        "Download",
        "Take back my consent",
        "nobody is rushed",
        "Tiếng Việt",
    ]
    assert [words for words in furniture if words in everything] == []


def color(page: Page, selector: str, what: str) -> str:
    """A computed color of the first element that fits."""
    found: str = page.locator(selector).first.evaluate(f"e => getComputedStyle(e, null)['{what}']")
    return found


def test_what_is_to_be_pressed_stands_out_without_our_colors(house: OpenHouse) -> None:
    staff = house.visitor(apart(lambda: make_user(Role.RECEPTIONIST)), forced_colors="active")
    staff.go("/style/")
    ground = color(staff.page, "body", "backgroundColor")
    assert color(staff.page, ".button--primary:not(:disabled)", "backgroundColor") != ground
    assert color(staff.page, ".button--alarm:not(:disabled)", "backgroundColor") != ground
    plain = color(staff.page, "#button .button:not([class*='--'])", "backgroundColor")
    assert plain in {ground, "rgba(255, 255, 255, 0)"}
    # What is a transparent border elsewhere would be drawn as a line under every link.
    assert color(staff.page, ".tabs a:not([aria-current])", "borderBlockEndColor") == ground
    assert color(staff.page, ".button--link", "borderBlockEndColor") == ground
    assert color(staff.page, ".mark", "backgroundColor") != ground
    assert color(staff.page, ".timeline > .is-done", "borderInlineStartColor") != ground


def test_more_contrast_is_given_where_it_is_asked_for(house: OpenHouse) -> None:
    visitor = house.visitor()
    visitor.go("/appointment/")
    before = color(visitor.page, ".optional", "color"), color(visitor.page, "#id_name", "borderBlockEndColor")
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-contrast", "value": "more"}]})
    after = color(visitor.page, ".optional", "color"), color(visitor.page, "#id_name", "borderBlockEndColor")
    assert before == ("rgb(70, 89, 99)", "rgb(120, 139, 149)")
    assert after == ("rgb(34, 52, 62)", "rgb(47, 70, 82)")
