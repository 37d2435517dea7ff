"""Somebody who uses a page by keyboard and hears what a screen reader would say."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.urls import resolve
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.browsing import Visitor

Test = TypeVar("Test", bound=Callable[..., Any])

# Runs before any script of the page. `window.heard` gets each sentence that a live region announces: what is
# put into one, and an alert that is put in anew. Left out is what is hidden from listeners, what a nearer
# `aria-live=off` silences, and what a draft says of itself while somebody types (test_drafts.py).
# `window.bodies` counts paints in which nothing has the focus any more.
LISTENING = """
window.heard = []; window.bodies = 0; let had = false;
const LIVE = "[aria-live], [role=status], [role=alert], [role=log]";
function words(node) {
  const copy = node.cloneNode(true);
  if (node.nodeType === 1) copy.querySelectorAll("[aria-hidden=true]").forEach((hidden) => hidden.remove());
  return copy.textContent.replace(/\\s+/g, " ").trim();
}
const say = (text) => text && window.heard.push(text);
function hear(node, into) {
  if (into.closest?.("[aria-hidden=true]")) return;
  const region = into.closest?.(LIVE);
  if (region?.matches("[data-draft-status]")) return;
  if (region && region.getAttribute("aria-live") !== "off" && !region.hidden) return say(words(node));
  if (node.nodeType !== 1) return;
  for (const alert of [node, ...node.querySelectorAll("*")].filter((one) => one.matches("[role=alert]")))
    if (!alert.hidden) say(words(alert));
}
function watch(records) {
  for (const { type, target, addedNodes } of records) {
    if (type === "characterData") hear(target, target.parentElement);
    else if (type === "childList") for (const node of addedNodes) if (node.isConnected) hear(node, target);
  }
}
new MutationObserver(watch).observe(document, { childList: true, characterData: true, subtree: true });
document.addEventListener("DOMContentLoaded", () => { window.heard.length = 0; });
(function paint() {
  const nothing = !document.activeElement || document.activeElement === document.body;
  if (nothing && had) window.bodies += 1;
  had ||= !nothing;
  requestAnimationFrame(paint);
})();
"""

FOCUSED = """() => {
  const one = document.activeElement;
  return !one || one === document.body ? "body" : one.textContent.replace(/\\s+/g, " ").trim();
}"""


@dataclass
class Keyboard:
    """One person at a page, without a mouse. `swapped`: names of the URLs that htmx asked for."""

    visitor: Visitor
    swapped: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.add_init_script(LISTENING)
        self.page.on("request", self._note_swap)

    @property
    def page(self) -> Page:
        return self.visitor.page

    def _note_swap(self, request: Request) -> None:
        if request.headers.get("hx-request"):
            match = resolve(urlsplit(request.url).path)
            self.swapped.add(match.view_name)

    def go(self, path: str) -> None:
        self.visitor.go(path)
        self.page.wait_for_load_state("networkidle")

    def tab_to(self, target: Locator, most: int = 60) -> int:
        """Press Tab until `target` has the focus. Return how often; more than `most` is an error."""
        for count in range(most + 1):
            if target.evaluate("one => one === document.activeElement"):
                return count
            self.page.keyboard.press("Tab")
        raise AssertionError(f"not reached by {most} tabs: {target}")

    def press(self, target: Locator, key: str = "Enter", most: int = 60) -> int:
        """Go to `target` by Tab and press `key` there. Return the number of tabs."""
        count = self.tab_to(target, most)
        self.page.keyboard.press(key)
        return count

    def choose(self, select: Locator, value: str) -> None:
        """Choose in a list that has been reached by Tab. The keys inside the list are the browser's own."""
        self.tab_to(select)
        select.select_option(value)

    def expect_announced(self, *sentences: str) -> None:
        """Wait until all `sentences` were announced since the last call: each once, and nothing else."""
        self.page.wait_for_function("n => window.heard.length >= n", arg=len(sentences))
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        heard = self.page.evaluate("() => window.heard.splice(0)")
        assert sorted(heard) == sorted(sentences), (heard, sentences)

    def forgive_conflicts(self) -> None:
        """Remove the complaints about refusals (409) that the test has caused: of the draft and the form."""
        self.visitor.expect_complaint("409 (Conflict)")
        self.visitor.complaints = [
            complaint for complaint in self.visitor.complaints if "409 (Conflict)" not in complaint
        ]

    def expect_focus_on(self, target: Locator, *, silent: bool = True) -> None:
        """Wait until `target` has the focus. If `silent`, its text must not have been announced besides."""
        expect(target).to_be_focused()
        if silent:
            text = self.page.evaluate(FOCUSED)
            assert text not in self.page.evaluate("() => window.heard"), text

    def expect_focus_never_lost(self) -> None:
        """Assert that the body had the focus in no paint since something else first had it."""
        assert self.page.evaluate("() => window.bodies") == 0


def walks(*names: str) -> Callable[[Test], Test]:
    """Mark a test with the names of the URLs whose swaps it walks, for the list of all swaps."""

    def mark(test: Test) -> Test:
        test.walks = frozenset(names)  # type: ignore[attr-defined]
        return test

    return mark


def swaps_not_done(test: Callable[..., Any], keyboards: Iterable[Keyboard]) -> set[str]:
    """The names of the URLs that a test is marked with, and whose swaps happened at none of its keyboards."""
    walked = set().union(*(keyboard.swapped for keyboard in keyboards))
    return set(test.walks) - walked  # type: ignore[attr-defined]
