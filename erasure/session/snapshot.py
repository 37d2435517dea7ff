"""The snapshot of a run: everything the session view shows at one moment, read from the database.

The templates call it `present`. The page is rendered from it, and the stream's `state` event contains it; the
stream then sends only the events that came later.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from clinic.accounts.models import Role, User
from erasure.runs import calls, handover, open_pages, presence
from erasure.runs.event_texts import lines
from erasure.runs.models import Event, Hold, Run, Step, Trouble
from erasure.runs.passes import PASS_COUNT, capacity_bits
from patients.cases.models import Case
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory, MemoryLink
from patients.vault.keys import KeyGone
from patients.vault.sealed import read_many
from patients.vault.stream import Tampered

# Lines of the log, not counting passes: these are so many that they would push out decisions and calls.
LOG_LINES = 40


@dataclass(frozen=True)
class Viewer:
    """What a person may see and do in a session.

    user: None for the public screen. names: may see titles and names. roles: those that opened the session.
    may: URL names of the controls this person may use (erasure/session/urls.py). certificate: may open it.
    """

    user: User | None
    names: bool = True
    pictures: bool = True
    roles: frozenset[str] = frozenset()
    may: frozenset[str] = field(default_factory=frozenset)
    certificate: bool = False


def elapsed_and_remaining(run: Run) -> tuple[int, int | None]:
    """Return the seconds the run has worked, and the seconds it still needs at the procedure's pace.

    The second is None if the procedure has no pace, or if all memories that are left wait for the doctor.
    """
    end = run.finished_at or (run.held_at if run.state == Run.State.PAUSED else None) or timezone.now()
    elapsed = max(0, int((end - run.started_at).total_seconds() - run.paused_seconds))
    left = Step.objects.filter(run=run, state__in=[Step.State.WAITING, Step.State.FADING])
    pace = run.procedure.pace_seconds
    if run.state in {Run.State.FINISHED, Run.State.STOPPING}:
        return elapsed, 0
    if not pace:
        return elapsed, None
    if run.steps.filter(state=Step.State.HELD).exists() and not left.exists():
        return elapsed, None
    done = sum(left.values_list("level", flat=True))
    return elapsed, max(0, round(left.count() * pace - done * pace / PASS_COUNT))


def counts(run: Run) -> dict[str, int]:
    """Count the memories not yet erased ("map"), destroyed and protected, and the open holds ("off")."""
    steps = Counter(Step.objects.filter(run=run).values_list("state", flat=True))
    protected = Memory.objects.filter(
        case=run.procedure.case_id, zone=Memory.Zone.MAP, fate=Memory.Fate.PROTECTED
    ).count()
    return {
        "map": steps[Step.State.WAITING] + steps[Step.State.FADING] + steps[Step.State.HELD],
        "destroyed": steps[Step.State.DESTROYED],
        "protected": protected,
        "off": Hold.objects.waiting().filter(step__run=run).count(),
    }


def log_events(run: Run) -> list[Event]:
    """Return the last LOG_LINES events for the log, newest first, after the last pass if that is newer."""
    newest_first = Event.objects.filter(run=run, seq__lte=run.last_seq).order_by("-seq")
    events = list(newest_first.exclude(kind="pass")[:LOG_LINES])
    last = newest_first.first()
    return [last, *events] if last is not None and last.kind == "pass" else events


def shown_state(run: Run, held: bool) -> str:
    """Return the session view's code for the run's state.

    held: True if all memories that are left wait for the doctor. The code is then "held" while the run is
    running.
    """
    if run.state == Run.State.RUNNING:
        return "held" if held else "running"
    if run.state == Run.State.STOPPING:
        return "aborting"
    if run.state == Run.State.FINISHED and run.outcome == Run.Outcome.STOPPED:
        return "aborted"
    return str(run.state)


def format_day(text: str) -> str:
    """Return an ISO day as a date in the active language; `text` itself if it is none."""
    try:
        return date_format(date.fromisoformat(text), "DATE_FORMAT")
    except ValueError:
        return text


def _memory_state(memory: Memory, step: Step | None) -> str:
    if memory.fate == Memory.Fate.ERASED or (step and step.level == PASS_COUNT):
        return "destroyed"
    if memory.fate == Memory.Fate.PROTECTED:
        return "protected"
    if step is None or step.state == Step.State.SPARED:
        return "protected" if memory.zone == Memory.Zone.MAP else "waiting"
    return str(step.state)


def memories(run: Run, viewer: Viewer) -> list[dict[str, Any]]:
    """Return every memory of the case, childhood first, then by number, with what of it can still be seen."""
    rows = list(Memory.objects.filter(case=run.procedure.case_id).order_by("number", "made_at"))
    steps = {step.memory_id: step for step in run.steps.all()}
    texts = read_many(rows, skip_damaged=True) if viewer.names else {}
    keepsakes: dict[UUID, list[Keepsake]] = {}
    for keepsake in (
        Keepsake.objects.filter(memory__in=rows, gone_at__isnull=True)
        .select_related("picture", "thumb")
        .order_by("added_at", "pk")
    ):
        if keepsake.memory_id:
            keepsakes.setdefault(keepsake.memory_id, []).append(keepsake)
    case = run.procedure.case
    own = viewer.user is not None and case.patient_id == viewer.user.pk
    sharp = own or case.stage == Case.Stage.RUNNING
    links = Counter[UUID]()
    for link in MemoryLink.objects.filter(a__in=rows):
        links[link.a_id] += 1
        links[link.b_id] += 1
    out = []
    for memory in sorted(rows, key=lambda row: (row.zone == Memory.Zone.MAP, row.number or 0)):
        step = steps.get(memory.pk)
        state = _memory_state(memory, step)
        text = texts.get(memory.pk) if state != "destroyed" else None
        things = keepsakes.get(memory.pk, [])
        pictured = next((keepsake for keepsake in things if keepsake.thumb_id), None)
        out.append(
            {
                "n": memory.number,
                "id": str(memory.pk),
                "state": state,
                "level": step.level if step else 0,
                "levels": PASS_COUNT,
                "bits": capacity_bits(things),
                "picture": picture_url(pictured.thumb_id, sharp) if pictured and viewer.pictures else None,
                "large": picture_url(_large_picture(pictured) if sharp else pictured.thumb_id, sharp)
                if pictured and viewer.pictures
                else None,
                "title": text.title if text else None,
                "date": (text.when or format_day(text.day)) if text else None,
                "chapter": memory.chapter,
                "intensity": memory.intensity or 0,
                "links": links[memory.pk],
                "kind": things[0].kind if things else "",
                "zone": memory.zone,
                "x": memory.x,
                "y": memory.y,
                "w": memory.w,
                "h": memory.h,
                "tilt": memory.tilt,
            }
        )
    return out


def _large_picture(keepsake: Keepsake) -> UUID | None:
    """Return the id of the largest picture that still exists: the display copy, else the thumbnail.

    The display copy of a letter may be text; then it is the thumbnail.
    """
    picture = keepsake.picture
    return picture.pk if picture and picture.media_type == "image/jpeg" else keepsake.thumb_id


def picture_url(object_id: UUID | None, sharp: bool = True) -> str | None:
    """Return the URL of a stored picture. It answers as long as the picture exists.

    sharp: False for staff once the session is over. Then it is shown sharp only for a recorded reason.
    """
    return f"/pictures/{object_id}{'' if sharp else '/blurred'}" if object_id else None


def alarms(run: Run, viewer: Viewer) -> list[dict[str, Any]]:
    """Return what waits for a person's answer.

    These are a safe word, damaged memories, a storage that is away, open holds, an unanswered doctor call,
    open presence checks and an offer to hand over.
    """
    open_holds = Hold.objects.waiting().filter(step__run=run).select_related("step__memory", "copy__memory")
    out: list[dict[str, Any]] = [
        {
            "id": str(hold.pk),
            "kind": "off-map",
            "n": hold.step.memory.number,
            "copy_n": hold.copy.memory.number if hold.copy.memory else None,
            "copy": str(hold.copy.memory_id),
            "may_extend": run.procedure.consent.may_extend,
            "decided": False,
        }
        for hold in open_holds
    ]
    blank = {"n": None, "copy_n": None, "decided": False}
    out += _trouble_alarms(run, blank)
    if run.safe_word is not None and run.state == Run.State.PAUSED:
        said_by = run.safe_word.said_by
        out.insert(
            0,
            {
                **blank,
                "id": str(run.safe_word.pk),
                "kind": "safe-word",
                "since": run.safe_word.said_at.isoformat(),
                "who": said_by.short_name if said_by and viewer.names else None,
            },
        )
    call = calls.unanswered().filter(run=run).first()
    if call:
        notices = [
            {
                "who": notice.user.short_name if viewer.names else None,
                "at": notice.at.isoformat(),
                "kind": notice.kind,
            }
            for notice in call.notices.select_related("user")
        ]
        out.append(
            {
                **blank,
                "id": str(call.pk),
                "kind": "doctor",
                "why": call.why,
                "since": call.called_at.isoformat(),
                "escalated": call.escalated_at is not None,
                "notices": notices,
            }
        )
    if run.state not in {Run.State.FINISHED, Run.State.STOPPING}:
        out += [
            {
                **blank,
                "id": str(check.pk),
                "kind": "presence",
                "n": check.step.memory.number if check.step else None,
                "due": check.due_at.isoformat(),
            }
            for check in presence.unsettled().filter(run=run).select_related("step__memory")
        ]
        out += _handover_alarm(run, viewer, blank)
    return out


def _trouble_alarms(run: Run, blank: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an alarm for each memory with damaged keepsakes, and one for each other trouble of the run."""
    rows = Trouble.objects.filter(run=run, state=Trouble.State.OPEN).select_related("step__memory")
    out: dict[str, dict[str, Any]] = {}
    for row in rows.order_by("pk"):
        key = str(row.step_id) if row.step_id else f"trouble-{row.pk}"
        alarm = out.setdefault(
            key,
            {
                **blank,
                "id": key,
                "kind": row.kind,
                "n": row.step.memory.number if row.step else None,
                "level": row.step.level if row.step else 0,
                "since": row.found_at.isoformat(),
                "keepsakes": 0,
                "because": [],
                "goes_on": row.kind == Trouble.Kind.STORAGE and run.why == Run.Why.STORAGE,
            },
        )
        alarm["keepsakes"] += 1
        alarm["because"] = sorted({*alarm["because"], row.cause} - {""})
    return list(out.values())


def _handover_alarm(run: Run, viewer: Viewer, blank: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the open offer to hand over, for the two technicians it concerns only."""
    offered = handover.open_offer(run)
    if offered is None or viewer.user is None:
        return []
    own = offered.offered_by_id == viewer.user.pk
    if not own and offered.offered_to_id != viewer.user.pk:
        return []
    who = offered.offered_to if own else offered.offered_by
    return [{**blank, "id": str(offered.pk), "kind": "handover", "who": who.short_name, "own": own}]


# Key of each control in the page, and the name of its URL.
CONTROLS = {
    "pause": "pause",
    "resume": "resume",
    "protect": "protect",
    "doctor": "call-doctor",
    "acknowledge": "acknowledge",
    "abort": "abort",
    "abort_finish": "abort-finish",
    "decide": "decide",
    "decide_damaged": "decide-damaged",
    "safe_word": "safe-word",
    "lift": "lift-safe-word",
    "presence": "presence",
    "here": "here",
    "handover": "handover-offer",
    "handover_accept": "handover-accept",
    "handover_decline": "handover-decline",
    "take_over": "take-over",
    "hand_back": "hand-back",
}
# Once a doctor has taken over, only that doctor may use these (erasure/runs/run_actions.py). The patient may
# still protect.
ONLY_IN_CHARGE = frozenset(
    {"resume", "protect", "abort", "abort_finish", "decide", "decide_damaged", "handover", "lift"}
)
# What is left to do once a run is stopped, and once it is over. In the other states all is possible.
POSSIBLE_IN = {
    Run.State.STOPPING: frozenset({"doctor", "acknowledge", "here"}),
    Run.State.FINISHED: frozenset({"acknowledge", "here"}),
}


def controls(run: Run, viewer: Viewer) -> dict[str, str | None]:
    """Return the URL of each control, None for those this viewer may not use now."""
    possible = POSSIBLE_IN.get(Run.State(run.state), frozenset(CONTROLS)) - _without_occasion(run, viewer)
    return {
        key: reverse(f"erasure:{name}", args=[run.pk])
        if name in viewer.may and key in possible and _has_effect(key, run, viewer)
        else None
        for key, name in CONTROLS.items()
    }


def _without_occasion(run: Run, viewer: Viewer) -> set[str]:
    """Return the answers to what nobody asks now: a call, a presence check, an offer to hand over."""
    asked = handover.open_offer(run)
    me = viewer.user.pk if viewer.user else None
    occasions = {
        "acknowledge": calls.unanswered().filter(run=run).exists(),
        "presence": presence.unsettled().filter(run=run).exists(),
        "handover_accept": asked is not None and asked.offered_to_id == me,
        "handover_decline": asked is not None and me in {asked.offered_to_id, asked.offered_by_id},
    }
    return {key for key, there in occasions.items() if not there}


def _has_effect(key: str, run: Run, viewer: Viewer) -> bool:
    """Return whether a control that the policy table opens to `viewer` would do anything now."""
    me = viewer.user.pk if viewer.user else None
    # After a safe word only a doctor lets the run go on, and only by lifting it.
    if key in {"resume", "lift"} and (key == "lift") != (run.safe_word is not None):
        return False
    if key == "hand_back":
        return run.taken_over_by_id is not None and run.taken_over_by_id == me
    if key == "take_over":
        return run.taken_over_by_id != me
    if key == "handover":
        return viewer.user is not None and handover.may_offer(run, viewer.user)
    if key == "presence":
        return viewer.user is not None and (Role.TECHNICIAN in viewer.roles or run.taken_over_by_id == me)
    if run.taken_over_by_id is None or run.taken_over_by_id == me or key not in ONLY_IN_CHARGE:
        return True
    return key == "protect" and run.procedure.case.patient_id == me


def people(run: Run, viewer: Viewer) -> dict[str, Any] | None:
    """Return who is responsible, in charge, and has the page open now; None if `viewer` sees no names."""
    if not viewer.names:
        return None
    in_charge = run.taken_over_by
    return {
        "responsible": run.responsible.short_name if run.responsible else None,
        "in_charge": in_charge.short_name if in_charge else None,
        "since": run.taken_over_at.isoformat() if in_charge and run.taken_over_at else None,
        "here": [person.short_name for person in open_pages.attending(run.pk)],
    }


def chapters_of(run: Run, viewer: Viewer) -> list[dict[str, str]]:
    """Return the chapters the patient named.

    There are none once the case's key is destroyed after the run.
    """
    try:
        return list(run.procedure.case.read().chapters) if viewer.names else []
    except (KeyGone, Tampered):
        return []


def subject_of(run: Run, viewer: Viewer) -> str | None:
    """Return the subject's name, None once the case's key is destroyed."""
    try:
        return (run.procedure.case.read().subject_name or None) if viewer.names else None
    except (KeyGone, Tampered):
        return None


def certificate_url(run: Run, viewer: Viewer) -> str | None:
    """Return the URL of the certificate's page, None while there is none or if the viewer may not open it."""
    there = hasattr(run, "certificate") and viewer.certificate
    return reverse("erasure:certificate", args=[run.pk]) if there else None


def replay_url(run: Run, viewer: Viewer) -> str | None:
    """Return the URL of a finished run's replay; None for the public screen, which has no controls."""
    shown = run.state == Run.State.FINISHED and viewer.user is not None
    return reverse("erasure:replay", args=[run.pk]) if shown else None


def verification_result(run: Run) -> str | None:
    """Return the result of the verification after a finished run ("clean" or "found"); None before it."""
    if run.state != Run.State.FINISHED:
        return None
    data = Event.objects.filter(run=run, kind="run-verified").values_list("data", flat=True).first()
    return str(data.get("result", "")) if data else None


def snapshot(run_id: UUID, viewer: Viewer) -> dict[str, Any]:
    """Return the snapshot of a run. It contains the effect of every event up to its `seq`."""
    run = Run.objects.select_related(
        "procedure__case__patient",
        "procedure__consent",
        "held_by",
        "responsible",
        "taken_over_by",
        "safe_word__said_by",
    ).get(pk=run_id)
    shown = memories(run, viewer)
    numbers = {item["id"]: item["n"] for item in shown}
    links = MemoryLink.objects.filter(a__in=numbers, b__in=numbers).values_list("a_id", "b_id")
    current = next(
        (
            item["n"]
            for item in reversed(shown)
            if item["state"] == "fading" or (item["state"] == "waiting" and item["level"])
        ),
        None,
    )
    elapsed, remaining = elapsed_and_remaining(run)
    tally = counts(run)
    at_work = any(item["state"] in {"waiting", "fading"} for item in shown if item["n"])
    return {
        "run": str(run.pk),
        "case_ref": run.procedure.case.reference,
        "patient": run.procedure.case.patient.name if viewer.names else None,
        "subject": subject_of(run, viewer),
        "state": shown_state(run, bool(tally["off"]) and not at_work),
        "outcome": run.outcome or None,
        "why": run.why or None,
        "seq": run.last_seq,
        "total": run.expected_steps,
        "counts": tally,
        "elapsed_s": elapsed,
        "remaining_s": remaining,
        "started_at": run.started_at.isoformat(),
        "pace_s": run.procedure.pace_seconds,
        "paused_by": run.held_by.short_name if run.held_by and viewer.names else None,
        "paused_at": run.held_at.isoformat() if run.held_at else None,
        "current": current,
        "memories": shown,
        "links": [[numbers[str(a)], numbers[str(b)]] for a, b in links],
        "chapters": chapters_of(run, viewer),
        "log": lines(run, log_events(run), names=viewer.names),
        "alarms": alarms(run, viewer),
        "controls": controls(run, viewer),
        "people": people(run, viewer),
        "staff": viewer.user is not None and run.procedure.case.patient_id != viewer.user.pk and viewer.names,
        "may": sorted(viewer.may),
        "stream_url": "/live/",
        "map_css_url": reverse("erasure:map-css", args=[run.pk]),
        "certificate_url": certificate_url(run, viewer),
        "replay_url": replay_url(run, viewer),
        "verified": verification_result(run),
    }
