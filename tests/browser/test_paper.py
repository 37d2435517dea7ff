"""Printed pages, forced colors and more contrast."""

from collections.abc import Iterator

import pypdfium2
import pytest
from playwright.sync_api import Browser, Page

from clinic.accounts.models import Role
from erasure.certificates.models import Certificate
from tests.browser.browsing import OpenSite, Visitor, in_thread, open_installation, open_pages
from tests.factories import make_case, make_keepsake, make_memory, make_run, make_signed, make_user
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@pytest.fixture
def site(chromium: Browser) -> Iterator[OpenSite]:
    """A running installation, whose worker issues the certificate of a run."""
    with open_installation(chromium) as site:
        yield site


@pytest.fixture
def pages(chromium: Browser) -> Iterator[OpenSite]:
    with open_pages(chromium) as site:
        yield site


def print_page(page: Page) -> list[tuple[tuple[int, int], str]]:
    """Print the open page; return the size in points and the text of each sheet."""
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
    return print_page(visitor.page)


# A4 in points, as Chromium rounds it: portrait, and landscape for pages that ask for it.
PORTRAIT, LANDSCAPE = (596, 843), (842, 595)


def test_printed_pages_have_no_controls_and_navigation(site: OpenSite) -> None:
    run = in_thread(lambda: make_run(1))
    signed, reader = in_thread(make_case), in_thread(lambda: make_user(Role.AUDITOR))
    in_thread(lambda: make_keepsake(make_memory(signed)))
    in_thread(lambda: make_signed(signed))
    until(lambda: in_thread(lambda: Certificate.objects.filter(run=run).exists()), "the certificate")
    patient, auditor = site.visitor(in_thread(lambda: run.procedure.case.patient)), site.visitor(reader)

    certificate = sheets(patient, f"/certificates/{run.pk}/")
    # The later looks take a page of their own, and the last page has the card.
    assert [size for size, _words in certificate] == [PORTRAIT] * 3
    assert "Certificate of erasure" in certificate[0][1]
    assert "SHA-256 of the signed statement" in certificate[1][1]
    assert "Please never mention" in certificate[2][1]

    consent = sheets(site.visitor(in_thread(lambda: signed.patient)), "/me/consent/")
    assert {size for size, _words in consent} == {PORTRAIT}
    assert consent[0][1].startswith("Lac[ ]na What you signed.")

    file = sheets(auditor, f"/files/{signed.pk}/")
    assert {size for size, _words in file} == {PORTRAIT}
    assert file[0][1].startswith("Lac[ ]na")

    log = sheets(auditor, "/audit/")
    assert {size for size, _words in log} == {LANDSCAPE}
    assert all("Number Time Who What was done To what Digest" in words for _size, words in log)

    everything = " ".join(words for paper in (certificate, consent, file, log) for _size, words in paper)
    screen_only = [
        "Log out",
        "Verify now",
        "Download",
        "Take back my consent",
        "nobody is rushed",
        "Tiếng Việt",
    ]
    assert [words for words in screen_only if words in everything] == []


def color(page: Page, selector: str, what: str) -> str:
    """A computed color of the first element that fits."""
    found: str = page.locator(selector).first.evaluate(f"e => getComputedStyle(e, null)['{what}']")
    return found


def test_buttons_stand_out_with_forced_colors(pages: OpenSite) -> None:
    staff = pages.visitor(in_thread(lambda: make_user(Role.RECEPTIONIST)), forced_colors="active")
    staff.go("/style/")
    ground = color(staff.page, "body", "backgroundColor")
    assert color(staff.page, ".button--primary:not(:disabled)", "backgroundColor") != ground
    assert color(staff.page, ".button--alarm:not(:disabled)", "backgroundColor") != ground
    plain = color(staff.page, "#button .button:not([class*='--'])", "backgroundColor")
    assert plain in {ground, "rgba(255, 255, 255, 0)"}
    # Borders that are transparent otherwise must not be drawn as lines under every link.
    assert color(staff.page, ".tabs a:not([aria-current])", "borderBlockEndColor") == ground
    assert color(staff.page, ".button--link", "borderBlockEndColor") == ground
    assert color(staff.page, ".mark", "backgroundColor") != ground
    assert color(staff.page, ".timeline > .is-done", "borderInlineStartColor") != ground


def test_colors_have_more_contrast_if_the_reader_prefers_it(pages: OpenSite) -> None:
    visitor = pages.visitor()
    visitor.go("/appointment/")
    before = color(visitor.page, ".optional", "color"), color(visitor.page, "#id_name", "borderBlockEndColor")
    session = visitor.page.context.new_cdp_session(visitor.page)
    session.send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-contrast", "value": "more"}]})
    after = color(visitor.page, ".optional", "color"), color(visitor.page, "#id_name", "borderBlockEndColor")
    assert before == ("rgb(70, 89, 99)", "rgb(120, 139, 149)")
    assert after == ("rgb(34, 52, 62)", "rgb(47, 70, 82)")
