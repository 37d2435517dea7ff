"""The words for the status of a case, for staff and for the patient, and the pages where people act on it."""

from collections.abc import Callable
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from patients.cases.models import Case
from patients.cases.status import Stage, Status, Wait

Count = Callable[[int], str]

# What comes next in the course of a case, by `Next.code`.
NEXT: dict[str, str | Promise] = {
    "intake": gettext_lazy("The patient answers the intake."),
    "bringing": gettext_lazy("The patient brings keepsakes."),
    "review": gettext_lazy("Review what was brought, then lock the map."),
    "relock": gettext_lazy("Open the map, look through what is left, and lock it again."),
    "doctor": gettext_lazy("A doctor reviews the intake."),
    "sign": gettext_lazy("The patient signs for exactly this map."),
    "book": gettext_lazy("Book the night."),
    "night": gettext_lazy("The night itself."),
    "missed": gettext_lazy("Move the missed night to a new time, or cancel it."),
    "end": gettext_lazy("Being erased now."),
    "stopping": gettext_lazy("The night is being stopped."),
    "certificate": gettext_lazy("The night is verified, and its certificate issued."),
}
# What the patient reads about the status of their case, by its stage. The other stages have no text.
STAGE_TEXTS: dict[Stage, str | Promise] = {
    Stage.REVIEW: gettext_lazy("We are looking through what you brought."),
    Stage.CONSENTED: gettext_lazy("We are looking for a night for you."),
    Stage.BOOKED: gettext_lazy("Your night is booked."),
    Stage.MISSED: gettext_lazy("Your night did not take place. We look for a new time with you."),
    Stage.RUNNING: gettext_lazy("It is happening now."),
    Stage.STOPPED: gettext_lazy("Your night was stopped."),
}

# The same while the review of the intake is in the way, by the code of `review_fault`.
REVIEW_TEXTS: dict[str, str | Promise] = {
    "unreviewed": gettext_lazy("A doctor reads what you told us. Then we go on."),
    "outdated": gettext_lazy("You have changed an answer. A doctor reads it. Then we go on."),
    "not-cleared": gettext_lazy("Our doctor would like to talk to you before we go on."),
}


def stage_word(status: Status) -> str:
    """Return the stage in a few words, such as "map locked"."""
    if status.stage == Stage.STOPPED:
        return _("night stopped")
    if status.stage == Stage.MISSED:
        return _("night missed")
    if status.stage == Stage.RUNNING and status.night and status.night.run_state == "stopping":
        return _("night being stopped")
    return str(Case.Stage(status.stage.value).label)


def stage_text(status: Status) -> str:
    """Return the status of the case in words for its patient; "" if there is nothing to say."""
    if status.stage == Stage.RUNNING and status.night and status.night.run_state == "stopping":
        return _("Your night is being stopped. Nothing more is erased.")
    if status.stage in {Stage.MAPPED, Stage.CONSENTED} and status.facts.review_fault:
        return str(REVIEW_TEXTS[status.facts.review_fault])
    if status.facts.map is not None and not status.facts.map.current and status.stage in STAGE_TEXTS:
        return _("Your night was stopped. We look through what is left, and lock your map again with you.")
    return str(STAGE_TEXTS.get(status.stage, ""))


def next_words(status: Status) -> str:
    """Return what comes next in words for staff; "" if nothing does."""
    return str(NEXT[status.next.code]) if status.next else ""


def _review(n: int) -> str:
    return ngettext("%(n)d keepsake waits for review.", "%(n)d keepsakes wait for review.", n) % {"n": n}


def _decide(n: int) -> str:
    return ngettext("%(n)d copy waits for the doctor.", "%(n)d copies wait for the doctor.", n) % {"n": n}


def _remainder(n: int) -> str:
    text = ngettext(
        "The patient has to say what becomes of %(n)d memory left half gone.",
        "The patient has to say what becomes of %(n)d memories left half gone.",
        n,
    )
    return text % {"n": n}


# What staff read for each `Wait.code`: a text, or a function of the count that returns it. And the URL name
# of the page where they act. What only the patient has to do while the map is open is left out: staff do not
# remind them of it.
FOR_STAFF: dict[str, tuple[str | Promise | Count, str]] = {
    "called": (gettext_lazy("A doctor is called."), "session"),
    "decide": (_decide, "session"),
    "held": (gettext_lazy("The night cannot start."), "patients:case"),
    "missed": (
        gettext_lazy("The night was missed. Move it to a new time, or cancel it."),
        "patients:case",
    ),
    "remainder": (_remainder, "patients:case"),
    "review": (_review, "patients:review"),
    "mapping": (gettext_lazy("Reviewed. The mapping visit is not finished."), "patients:mapping"),
    "lock": (gettext_lazy("Mapped. The map can be locked."), "patients:mapping"),
    "relock": (
        gettext_lazy("A night was stopped. The map has to be opened and locked again."),
        "patients:mapping",
    ),
    "alarming": (
        gettext_lazy("An answer in the intake cannot wait. A doctor has to read it now."),
        "patients:intake-review",
    ),
    "unreviewed": (gettext_lazy("A doctor has to review the intake."), "patients:intake-review"),
    "outdated": (
        gettext_lazy("Answers were changed. A doctor has to review the intake again."),
        "patients:intake-review",
    ),
    "not-cleared": (gettext_lazy("The doctor has not cleared the patient."), "patients:intake-review"),
    "sign": (gettext_lazy("Map locked, consent unsigned."), "patients:case"),
    "book": (gettext_lazy("Consent given, no night booked."), "patients:case"),
}


def wait_words(wait: Wait) -> str:
    """Return what waits in words for staff; "" for what only the patient sees."""
    words = FOR_STAFF.get(wait.code, ("", ""))[0]
    return words(wait.count) if callable(words) else str(words)


def wait_page(wait: Wait) -> str:
    """Return the URL name of the page on which staff act on what waits, or "session"."""
    return FOR_STAFF[wait.code][1]


def wait_url(wait: Wait, case: UUID, status: Status) -> str:
    """Return the URL of the page on which staff act on what waits."""
    name = wait_page(wait)
    if name != "session":
        return reverse(name, args=[case])
    if status.night and status.night.run:
        return reverse("erasure:session", args=[status.night.run])
    return reverse("patients:case", args=[case])


def _place(n: int) -> str:
    return ngettext("Place %(n)d keepsake in a memory", "Place %(n)d keepsakes in a memory", n) % {"n": n}


def _returned(n: int) -> str:
    return ngettext("Look again at %(n)d that we returned", "Look again at %(n)d that we returned", n) % {
        "n": n
    }


def _half_gone(n: int) -> str:
    text = ngettext(
        "Say what becomes of %(n)d memory that is left half gone",
        "Say what becomes of %(n)d memories that are left half gone",
        n,
    )
    return text % {"n": n}


def _bring(n: int) -> str:
    if not n:
        return _("Bring your keepsakes")
    return ngettext("Bring your keepsakes: %(n)d so far", "Bring your keepsakes: %(n)d so far", n) % {"n": n}


# The same for the patient, as in `FOR_STAFF`.
FOR_PATIENT: dict[str, tuple[str | Promise | Count, str]] = {
    "remainder": (_half_gone, "erasure:left"),
    "returned": (_returned, "patients:keepsakes"),
    "intake": (gettext_lazy("Tell us whom it is about"), "patients:intake"),
    "agree": (gettext_lazy("Agree that we keep what you bring"), "patients:consent"),
    "bring": (_bring, "patients:keepsakes"),
    "place": (_place, "patients:proposals"),
    "sign": (gettext_lazy("Read and sign for exactly your map"), "patients:consent"),
}


def patient_words(code: str, count: int = 0) -> str:
    """Return the line for a task, open or done, in the patient's list of tasks. code: see `Wait.code`."""
    words = FOR_PATIENT[code][0]
    return words(count) if callable(words) else str(words)


def patient_url(code: str) -> str:
    """Return the URL of the page where the patient does the task."""
    return reverse(FOR_PATIENT[code][1])


def night_hours(status: Status) -> str:
    """Return the date and time at which the night begins, as text; "" without a night."""
    if status.night is None:
        return ""
    return date_format(timezone.localtime(status.night.starts_at), "SHORT_DATETIME_FORMAT")
