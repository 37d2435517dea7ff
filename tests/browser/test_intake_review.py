"""A doctor reads the intake in a browser, and records the review of the answers as they are."""

import pytest
from playwright.sync_api import expect

from patients.cases.models import Case
from patients.intake_review.models import IntakeReview
from tests.browser.browsing import in_thread, open_installation
from tests.factories import make_case, make_doctor, make_keepsake, make_memory
from tests.patients.intake_review.answering import answer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

CONDITIONS = "Her blood pressure is taken before it begins."


def test_a_review_is_typed_kept_refused_for_changed_answers_and_recorded() -> None:
    case = answer(
        make_case(reviewed=False),
        conditions=["heart"],
        heart_more="High blood pressure, for ten years.",
        hope="To sleep.",
    )
    make_keepsake(make_memory(case))
    somebody = make_doctor()
    with open_installation() as site:
        doctor = site.visitor(somebody)
        page = doctor.page
        doctor.go(f"/files/{case.pk}/")
        doctor.press("Review the intake")
        expect(page.locator(".alarming")).to_contain_text("High blood pressure, for ten years.")
        page.get_by_label("Cleared with conditions").check()
        page.get_by_label("Conditions, or why not").fill(CONDITIONS)
        expect(page.locator("[data-draft-status]")).to_contain_text("Kept")
        page.reload()
        expect(page.get_by_label("Conditions, or why not")).to_have_value(CONDITIONS)
        expect(page.get_by_label("Cleared with conditions")).to_be_checked()
        doctor.take_screenshots("intake-review-draft")
        in_thread(lambda: answer(Case.objects.get(pk=case.pk), despair="yes"))
        doctor.press("Record the review")
        doctor.expect_complaint("409")
        changed = page.locator(".notice--amber", has_text="These answers are not what your page showed")
        expect(changed).to_contain_text("Are there days on which you would rather not be alive?")
        expect(page.locator(".error-summary")).to_be_focused()
        expect(page.get_by_label("Conditions, or why not")).to_have_value(CONDITIONS)
        doctor.take_screenshots("intake-review-changed")
        doctor.press("Record the review")
        expect(page.locator("#messages")).to_contain_text("Your review is recorded: cleared with conditions.")
        expect(page.locator(".conditions")).to_contain_text(CONDITIONS)
        doctor.take_screenshots("file-with-conditions")
        doctor.go(f"/files/{case.pk}/map/")
        expect(page.locator(".conditions")).to_contain_text(CONDITIONS)
        doctor.take_screenshots("bench-with-conditions")
        assert site.complaints() == []
    assert IntakeReview.objects.get(case=case).read().answers["despair"] == "yes"
