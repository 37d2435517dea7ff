"""Somebody who watches a session in a browser while the test is the worker and the staff."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page

from clinic.accounts.models import User
from erasure.jobs.certifying import certify
from erasure.jobs.worker import advance
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.passes import PASS_COUNT
from patients.memories.models import Memory
from tests.browser.browsing import OpenHouse, Visitor
from tests.factories import jpeg, make_case, make_keepsake, make_memory, make_run
from tests.serving import serving, whole_house

STILL = 3600.0  # seconds a memory takes: no pass comes by itself while the test looks

# Before any script of the page: note what moves, and what is said to those who listen.
NOTING = """
window.moved = []; window.told = [];
const real = Element.prototype.animate;
Element.prototype.animate = function (frames, options) {
  window.moved.push({ what: this.className?.baseVal ?? this.className ?? "", id: this.id, frames,
                      duration: typeof options === "number" ? options : options.duration });
  return real.call(this, frames, options);
};
document.addEventListener("DOMContentLoaded", () => {
  const said = document.getElementById("said");
  if (said) new MutationObserver(() => window.told.push(said.textContent))
    .observe(said, { childList: true, characterData: true, subtree: true });
});
"""


@contextmanager
def served(browser: Browser) -> Iterator[OpenHouse]:
    """The whole house in this process: pages, streams and pictures. Nobody may complain in it."""
    with serving(whole_house()) as port:
        house = OpenHouse(f"http://127.0.0.1:{port}", browser)
        try:
            yield house
            assert house.complaints() == []
        finally:
            for visitor in house.visitors:
                visitor.page.context.close()


def at_session(
    house: OpenHouse, run: Run, user: User | None = None, name: str = "session", **options: Any
) -> Page:
    """The session's page with its script at work, seen by its doctor unless by somebody else."""
    visitor: Visitor = house.visitor(user or doctor_of(run), **options)
    visitor.page.add_init_script(NOTING)
    visitor.go(reverse(f"erasure:{name}", args=[run.pk]))
    if options.get("java_script_enabled", True):
        visitor.page.locator("html.script").wait_for(state="attached")
    return visitor.page


@contextmanager
def watched(
    browser: Browser, run: Run, user: User | None = None, name: str = "session", **options: Any
) -> Iterator[Page]:
    """A house with one watcher in it."""
    with served(browser) as house:
        yield at_session(house, run, user, name, **options)


def doctor_of(run: Run) -> User:
    doctor = run.procedure.booked_by
    assert doctor is not None
    return doctor


def a_pass(run: Run, times: int = 1) -> None:
    """Work as the worker does, for so many passes of a run whose own pace lets none follow."""
    for _time in range(times):
        Run.objects.filter(pk=run.pk).update(next_due_at=timezone.now())
        advance(run.pk)


def a_memory_goes(run: Run) -> None:
    """All the passes of one memory."""
    a_pass(run, PASS_COUNT)


def to_the_end(run: Run) -> Run:
    """Every pass that is left, the verification and the certificate."""
    Procedure.objects.filter(pk=run.procedure_id).update(pace_seconds=0)
    Run.objects.filter(pk=run.pk).update(next_due_at=timezone.now())
    while Run.objects.get(pk=run.pk).state != Run.State.FINISHED:
        advance(run.pk)
    certify(run.pk)
    return Run.objects.select_related("procedure__case").get(pk=run.pk)


def a_run_with_a_copy(memories: int = 2, copies: int = 1) -> Run:
    """The newest memories' photos lie in childhood as well: their steps are held before the first pass."""
    case, pictures = make_case(), [jpeg() for _copy in range(copies)]
    for i, picture in enumerate(pictures):
        title = "The bird" if i == 0 else f"The bird, again {i}"
        make_keepsake(make_memory(case, title, f"{1979 - i}-05-01", zone=Memory.Zone.CHILDHOOD), picture)
    for i in range(memories - copies):
        make_keepsake(make_memory(case, f"Photo {i}", f"2003-02-{i + 1:02d}"))
    for i, picture in enumerate(pictures):
        make_keepsake(
            make_memory(case, "The last" if i == 0 else f"Before it {i}", f"2003-03-{28 - i}"), picture
        )
    return make_run(0, case=case, pace=STILL)


def memory_of(run: Run, number: int) -> Memory:
    return Memory.objects.get(case=run.procedure.case_id, number=number)


def moves(page: Page) -> list[dict[str, Any]]:
    """Everything a script has moved so far."""
    found: list[dict[str, Any]] = page.evaluate("window.moved")
    return found


def durations(page: Page) -> set[float]:
    return {move["duration"] for move in moves(page)}
