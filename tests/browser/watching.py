"""Helpers to watch a session page in a browser, while the test does the work of the worker and the staff."""

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
from tests.browser.browsing import OpenSite, Visitor, visited
from tests.factories import jpeg, make_case, make_keepsake, make_memory, make_run
from tests.serving import serving, whole_application

STILL = 3600.0  # seconds per memory: so slow that no pass happens by itself during a test

# Runs before the page's scripts: records animations (`moved`) and announcements to screen readers (`told`).
RECORD_ANIMATIONS = """
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
def served(browser: Browser) -> Iterator[OpenSite]:
    """Serve the whole application in this process. At the end no visitor may have complaints."""
    with serving(whole_application()) as port, visited(f"http://127.0.0.1:{port}", browser) as site:
        yield site
        assert site.complaints() == []


def at_session(
    site: OpenSite, run: Run, user: User | None = None, name: str = "session", **options: Any
) -> Page:
    """Open a run's page `name`, wait for its script, and return it. user: by default the run's doctor."""
    visitor: Visitor = site.visitor(user or doctor_of(run), **options)
    visitor.page.add_init_script(RECORD_ANIMATIONS)
    visitor.go(reverse(f"erasure:{name}", args=[run.pk]))
    if options.get("java_script_enabled", True):
        visitor.page.locator("html.script").wait_for(state="attached")
    return visitor.page


@contextmanager
def watched(
    browser: Browser, run: Run, user: User | None = None, name: str = "session", **options: Any
) -> Iterator[Page]:
    """Serve the application, and open a run's page in it."""
    with served(browser) as site:
        yield at_session(site, run, user, name, **options)


def doctor_of(run: Run) -> User:
    doctor = run.procedure.booked_by
    assert doctor is not None
    return doctor


def do_pass(run: Run, times: int = 1) -> None:
    """Do the worker's work for `times` passes of a run."""
    for _time in range(times):
        Run.objects.filter(pk=run.pk).update(next_due_at=timezone.now())
        advance(run.pk)


def do_memory(run: Run) -> None:
    """Do all passes of one memory."""
    do_pass(run, PASS_COUNT)


def finish_run(run: Run) -> Run:
    """Do all remaining passes, the verification and the certificate; return the run."""
    Procedure.objects.filter(pk=run.procedure_id).update(pace_seconds=0)
    Run.objects.filter(pk=run.pk).update(next_due_at=timezone.now())
    while Run.objects.get(pk=run.pk).state != Run.State.FINISHED:
        advance(run.pk)
    certify(run.pk)
    return Run.objects.select_related("procedure__case").get(pk=run.pk)


def make_run_with_copy(memories: int = 2, copies: int = 1) -> Run:
    """A run in which childhood memories have copies of the newest memories' photos.

    The steps of these memories will be held before their first pass. copies: how many of `memories` have one.
    """
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


def animations(page: Page) -> list[dict[str, Any]]:
    """All animations that scripts have started so far."""
    found: list[dict[str, Any]] = page.evaluate("window.moved")
    return found


def durations(page: Page) -> set[float]:
    """The durations in milliseconds of all animations so far."""
    return {move["duration"] for move in animations(page)}
