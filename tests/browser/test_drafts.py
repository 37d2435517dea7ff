"""W3, W5: what is typed is kept while it is typed, and each page says whether it is."""

import pytest
from playwright.sync_api import Browser, Dialog, Page, Route, expect

from clinic.accounts.models import Role, User
from patients.cases.models import Case
from patients.drafts.models import Draft
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from patients.requests.models import AppointmentRequest
from tests.browser.browsing import OpenSite, in_thread, open_pages
from tests.factories import make_case, make_doctor, make_keepsake, make_memory, make_request, make_user
from tests.processes import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.timeout(240)]

WORDS = "We lay on the ice and looked at the stars."
NEW_MEMORY = "/me/memories/new/"


def kept_draft(person: User, form: str) -> dict[str, list[str]] | None:
    """The draft of a form as the server has it now, or None."""

    def look() -> dict[str, list[str]] | None:
        row = Draft.objects.live().filter(person=person, form=form).first()
        return row.read().values if row else None

    return in_thread(look)


def status_in(page: Page, form: str) -> str:
    return page.locator(f'form[data-draft="{form}"] [data-draft-status]').inner_text()


def expect_status(page: Page, form: str, words: str) -> None:
    """Wait until the status of a form contains `words`."""
    expect(page.locator(f'form[data-draft="{form}"] [data-draft-status]')).to_contain_text(words)


def wait_until_kept(page: Page, form: str) -> None:
    """Wait until the status of a form says something, and not that words are unkept."""
    status = page.locator(f'form[data-draft="{form}"] [data-draft-status]')
    expect(status).not_to_be_empty()
    expect(status).not_to_have_class("is-unkept")


def offline_text(page: Page, form: str) -> str:
    found = page.locator(f'form[data-draft="{form}"] [data-draft-status]').get_attribute("data-offline")
    assert found
    return found


def unexpected_complaints(site: OpenSite, *expected: str) -> list[str]:
    """The complaints of the pages, except those that contain one of `expected`."""
    return [text for text in site.complaints() if not any(part in text for part in expected)]


def to_vietnamese(page: Page) -> None:
    page.locator('form.languages button[lang="vi"]').click()
    expect(page.locator("html")).to_have_attribute("lang", "vi")


def test_w3_without_a_connection_the_page_says_not_kept_and_keeps_when_it_is_back(chromium: Browser) -> None:
    case = make_case()
    with open_pages(chromium) as site:
        visitor = site.visitor(case.patient)
        page, context = visitor.page, visitor.page.context
        for language in ("en", "vi"):
            visitor.go(NEW_MEMORY)
            if language == "vi":
                to_vietnamese(page)
            story = page.locator("[name=story]")
            offline = offline_text(page, "memory:new")
            story.fill(f"{WORDS} {language}")
            wait_until_kept(page, "memory:new")
            assert (kept_draft(case.patient, "memory:new") or {})["story"] == [f"{WORDS} {language}"]
            before = status_in(page, "memory:new")
            assert before
            assert before != offline
            context.set_offline(True)
            story.fill(f"{WORDS} More {language}.")
            expect_status(page, "memory:new", offline)
            visitor.take_screenshots(f"offline-{language}")
            assert page.locator("[data-draft-status].is-unkept").count() == 1
            assert (kept_draft(case.patient, "memory:new") or {})["story"] == [f"{WORDS} {language}"]
            # What would lose the words does not happen: the page stays, with all that was typed.
            page.locator("main button[type=submit].button--primary").click()
            expect(story).to_have_value(f"{WORDS} More {language}.")
            context.set_offline(False)
            expect(page.locator("[data-draft-status].is-unkept")).to_have_count(0)
            assert status_in(page, "memory:new") not in {offline, before}
            assert (kept_draft(case.patient, "memory:new") or {})["story"] == [f"{WORDS} More {language}."]
        assert unexpected_complaints(site, "ERR_INTERNET_DISCONNECTED") == []


def test_w5_leaving_warns_only_where_something_is_not_kept(chromium: Browser) -> None:
    case = make_case()
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    with open_pages(chromium) as site:
        visitor = site.visitor(case.patient)
        page = visitor.page
        page.on("dialog", stay)
        visitor.go(NEW_MEMORY)
        page.locator("[name=story]").press_sequentially("Kept.")
        expect_status(page, "memory:new", "Kept as you typed")
        visitor.go("/me/")
        assert asked == []
        visitor.go(NEW_MEMORY)
        page.context.set_offline(True)
        page.locator("[name=story]").fill("Kept. Not kept.")
        expect_status(page, "memory:new", "Not kept yet: no connection.")
        page.close(run_before_unload=True)
        until(lambda: asked == ["beforeunload"] or page.wait_for_timeout(50), "the browser asks")
        expect(page.locator("[name=story]")).to_have_value("Kept. Not kept.")
        assert unexpected_complaints(site, "ERR_INTERNET_DISCONNECTED") == []


def test_w5_another_language_back_and_reload_keep_what_was_typed_in_a_memory(chromium: Browser) -> None:
    case = make_case()
    memory = make_memory(case)
    path, form = f"/me/memories/{memory.pk}/", f"memory:{memory.pk}"
    with open_pages(chromium) as site:
        visitor = site.visitor(case.patient)
        page = visitor.page
        story = page.locator("[name=story]")
        visitor.go("/me/keepsakes/")
        visitor.go(path)
        story.fill(f"{WORDS} 1")
        visitor.take_screenshots("typing")
        to_vietnamese(page)  # at once: the page keeps the words before it goes
        expect(story).to_have_value(f"{WORDS} 1")
        expect(page.locator(".draft-unsaved")).to_be_visible()
        visitor.take_screenshots("unsaved")
        story.fill(f"{WORDS} 2")
        page.get_by_role("link", name="Trở lại").or_(page.locator("main .actions a.button")).first.click()
        page.wait_for_url("**/me/keepsakes/")
        page.go_back()
        expect(story).to_have_value(f"{WORDS} 2")
        page.reload()
        expect(story).to_have_value(f"{WORDS} 2")
        # Saved: the words are the memory's, and no draft is left.
        page.locator("main button[type=submit].button--primary").click()
        page.wait_for_url("**/me/keepsakes/")
        assert kept_draft(case.patient, form) is None
        assert in_thread(lambda: Memory.objects.get(pk=memory.pk).read().story) == f"{WORDS} 2"
        assert in_thread(Draft.objects.count) == 0
        visitor.go(path)
        assert page.locator(".draft-unsaved").count() == 0
        # Discarded: the saved words are back.
        story.fill("Never mind.")
        wait_until_kept(page, form)
        page.reload()
        expect(story).to_have_value("Never mind.")
        page.locator(".draft-unsaved button").click()
        expect(story).to_have_value(f"{WORDS} 2")
        assert page.locator(".draft-unsaved").count() == 0
        assert in_thread(Draft.objects.count) == 0
        assert site.complaints() == []


def test_w5_every_step_of_the_intake_and_the_letter_keep_what_was_typed(chromium: Browser) -> None:
    case = make_case()
    with open_pages(chromium) as site:
        visitor = site.visitor(case.patient)
        page = visitor.page
        visitor.go("/me/intake/?step=hope")
        page.locator("[name=hope]").fill(WORDS)
        page.locator("nav.steps a").last.click()
        page.wait_for_url("**step=chapters")
        page.locator("[name=name_1]").fill("Blue")
        page.locator("nav.steps a").first.click()
        page.wait_for_url("**step=who")
        page.go_back()
        expect(page.locator("[name=name_1]")).to_have_value("Blue")
        page.go_back()
        expect(page.locator("[name=hope]")).to_have_value(WORDS)
        visitor.go("/me/keepsakes/")
        page.locator("#describe summary").click()
        page.locator("#words").fill(f"Dear you. {WORDS}")
        to_vietnamese(page)
        expect(page.locator("#words")).to_have_value(f"Dear you. {WORDS}")
        page.locator("#describe button[type=submit]").click()
        until(
            lambda: in_thread(Keepsake.objects.count) == 1 and kept_draft(case.patient, "letter") is None,
            "the server has it",
        )
        page.reload()
        expect(page.locator("#words")).to_have_value("")
        assert site.complaints() == []


def bench_case() -> tuple[Case, Keepsake, Memory, User]:
    case = make_case()
    first, second = make_memory(case, "The ice"), make_memory(case, "The train", "2003-03-01")
    keepsake = make_keepsake(first)
    make_keepsake(second)
    return case, keepsake, second, make_doctor()


def test_w5_every_button_of_the_bench_keeps_what_was_typed(chromium: Browser) -> None:
    case, keepsake, second, by = bench_case()
    form = f"mapping:{keepsake.memory_id}"
    here = f"/files/{case.pk}/map/?at={keepsake.pk}"
    with open_pages(chromium) as site:
        doctor = site.visitor(by)
        page = doctor.page
        reaction = page.locator("[name=reaction]")
        for language in ("en", "vi"):
            doctor.go(here)
            if language == "vi":
                to_vietnamese(page)
            words = iter(f"{WORDS} {language} {n}" for n in range(20))
            # Link, and take the link away.
            reaction.fill(typed := next(words))
            page.locator("#other").select_option(str(second.pk))
            page.locator("form.bench-add button").click()
            expect(page.locator(".bench-link")).to_have_count(1)
            expect(reaction).to_have_value(typed)
            reaction.fill(typed := next(words))
            page.locator(".bench-link button").click()
            expect(page.locator(".bench-link")).to_have_count(0)
            expect(reaction).to_have_value(typed)
            # Next, and Before.
            reaction.fill(typed := next(words))
            page.locator(".bench-walk a[rel=next]").click()
            expect(page.locator(".bench-walk a[rel=prev]")).to_be_visible()
            page.locator(".bench-walk a[rel=prev]").click()
            expect(page.locator(".bench-walk a[rel=next]")).to_be_visible()
            expect(reaction).to_have_value(typed)
            # The dry run replaces another part of the page.
            reaction.fill(typed := next(words))
            page.locator("#gone").press("ArrowRight")
            expect(page.locator("#gone")).to_have_value("1")
            expect(reaction).to_have_value(typed)
            # The title of a new memory, and the chapters, are words too.
            place = page.locator("form[data-draft^=place]")
            place.locator("xpath=..").evaluate("details => { details.open = true; }")
            place.locator("[name=title]").fill(title := f"The beach {language}")
            chapters = page.locator("#chapters")
            chapters.evaluate("details => { details.open = true; }")
            chapters.locator("[name=chapters-0-name]").fill("Blue")
            page.locator("#other").select_option(str(second.pk))
            page.locator("form.bench-add button").click()
            expect(page.locator(".bench-link")).to_have_count(1)
            expect(place.locator("[name=title]")).to_have_value(title)
            page.locator(".bench-link button").click()
            expect(page.locator(".bench-link")).to_have_count(0)
            page.reload()
            expect(reaction).to_have_value(typed)
            expect(chapters.locator("[name=chapters-0-name]")).to_have_value("Blue")
            assert (kept_draft(by, form) or {})["reaction"] == [typed]
        assert site.complaints() == []


def test_w5_looking_at_a_keepsake_sharp_keeps_what_was_typed(chromium: Browser) -> None:
    case, keepsake, _second, by = bench_case()
    with open_pages(chromium) as site:
        doctor = site.visitor(by)
        page = doctor.page
        doctor.go(f"/files/{case.pk}/map/?at={keepsake.pk}")
        page.locator("[name=reaction]").fill(WORDS)
        look = page.locator("form", has=page.locator("[name=why]"))
        look.locator("xpath=..").locator("summary").click()
        look.locator("select").select_option(index=2)
        look.locator("button").click()
        expect(page.locator(".bench-stage .is-blurred")).to_have_count(0)
        expect(page.locator("[name=reaction]")).to_have_value(WORDS)
        # The same in the review inbox: the look replaces the whole item, the reason with it.
        doctor.go(f"/files/{case.pk}/review/?show=accepted")
        item = page.locator(f"#k-{keepsake.pk}")
        item.locator("summary").first.click()
        item.locator("[name=reason]").fill("Please bring the other side too.")
        item.locator("summary").last.click()
        item.locator("select").select_option(index=1)
        item.locator("form", has=page.locator("select")).locator("button").click()
        expect(item.locator(".print--blurred")).to_have_count(0)
        expect(item.locator("[name=reason]")).to_have_value("Please bring the other side too.")
        item.locator("form[data-draft] button[type=submit]").click()
        expect(item.locator("form[data-draft]")).to_have_count(0)
        assert kept_draft(by, f"review:{keepsake.pk}") is None
        returned = in_thread(lambda: Keepsake.objects.get(pk=keepsake.pk).read().returned_because)
        assert returned == "Please bring the other side too."
        assert site.complaints() == []


def test_w5_the_answer_to_a_request_is_kept_while_others_are_decided(chromium: Browser) -> None:
    desk = make_user(Role.RECEPTIONIST)
    first, second = make_request("Ada"), make_request("Bea")
    with open_pages(chromium) as site:
        visitor = site.visitor(desk)
        page = visitor.page
        visitor.go("/requests/")
        page.locator(f"#reason-{first.pk}").fill(WORDS)
        page.locator(f"#request-{second.pk} button[value=hold]").click()
        until(
            lambda: in_thread(lambda: AppointmentRequest.objects.get(pk=second.pk).state) == "held",
            "the server has it",
        )
        to_vietnamese(page)
        expect(page.locator(f"#reason-{first.pk}")).to_have_value(WORDS)
        page.locator(f"#request-{first.pk} button[value=hold]").click()
        until(lambda: kept_draft(desk, f"request:{first.pk}") is None, "the server has it")
        assert in_thread(lambda: AppointmentRequest.objects.get(pk=first.pk).read().decision) == WORDS
        assert site.complaints() == []


def test_w5_two_devices_show_both_and_let_the_person_choose(chromium: Browser) -> None:
    case = make_case()
    with open_pages(chromium) as site:
        phone, desk = site.visitor(case.patient), site.visitor(case.patient)
        for device in (phone, desk):
            device.go(NEW_MEMORY)
        desk.page.locator("[name=title]").fill("At the desk")
        expect_status(desk.page, "memory:new", "Kept as you typed")
        phone.page.locator("[name=title]").fill("On the phone")
        notice = phone.page.locator(".draft-changed")
        expect(notice).to_contain_text("At the desk")
        assert (kept_draft(case.patient, "memory:new") or {})["title"] == ["At the desk"]
        phone.take_screenshots("changed")
        notice.locator("[data-draft-mine]").click()
        expect_status(phone.page, "memory:new", "Kept as you typed")
        assert (kept_draft(case.patient, "memory:new") or {})["title"] == ["On the phone"]
        # Now the desk knows of nothing newer; it is shown, and this time the person takes it.
        desk.page.locator("[name=title]").fill("At the desk again")
        desk.page.locator("[data-draft-theirs]").click()
        expect(desk.page.locator("[name=title]")).to_have_value("On the phone")
        # Saved on the phone, gone for the desk.
        phone.page.locator("input[name=intensity]").nth(3).check(force=True)
        phone.page.locator("main button[type=submit].button--primary").click()
        phone.page.wait_for_url("**/me/keepsakes/")
        desk.page.locator("[name=title]").fill("Too late")
        expect(desk.page.locator(".draft-changed")).to_be_visible()
        assert kept_draft(case.patient, "memory:new") is None
        expect(desk.page.locator("[name=title]")).to_have_value("Too late")
        assert unexpected_complaints(site, "409 (Conflict)") == []


def test_w3_the_page_waits_for_an_answer_that_is_late(chromium: Browser) -> None:
    case = make_case()
    waiting_routes: list[Route] = []
    with open_pages(chromium) as site:
        visitor = site.visitor(case.patient)
        page = visitor.page
        visitor.go(NEW_MEMORY)
        page.route("**/drafts/**", lambda route: waiting_routes.append(route), times=1)
        page.locator("[name=story]").fill(WORDS)
        expect_status(page, "memory:new", "Not kept yet. We wait for an answer.")
        assert kept_draft(case.patient, "memory:new") is None
        for route in waiting_routes:
            route.continue_()
        expect_status(page, "memory:new", "Kept as you typed")
        assert (kept_draft(case.patient, "memory:new") or {})["story"] == [WORDS]
        assert site.complaints() == []
