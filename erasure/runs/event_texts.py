"""Sentences for the events of a run. Events hold ids and numbers only; titles are unsealed when shown.

So once a memory is destroyed no line names it any more, not even when an old log is read again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from erasure.runs.models import Event, Run
from patients.memories.models import Memory
from patients.vault.sealed import read_many

Titles = Mapping[int, str]

# By event kind: sentences that need no data, then those that need only the memory.
SIMPLE: dict[str, str | Promise] = {
    "doctor-called": gettext_lazy("The doctor has been called."),
    "doctor-acknowledged": gettext_lazy("The doctor is coming."),
    "call-seen": gettext_lazy("Somebody who was called knows, and is reaching a doctor."),
    "doctor-called-again": gettext_lazy("Nobody has answered yet. Everyone was told again."),
    "doctor-escalated": gettext_lazy("Nobody has answered. All doctors and the administrators are called."),
    "presence-asked": gettext_lazy("The team is asked whether somebody is there."),
    "presence-answered": gettext_lazy("Somebody of the team is there."),
    "presence-missed": gettext_lazy("Nobody of the team answered."),
    "responsible-left": gettext_lazy("Nobody is responsible for this night any more."),
    "handover-offered": gettext_lazy("The night is offered to another technician."),
    "handover-accepted": gettext_lazy("Another technician is responsible now."),
    "handover-declined": gettext_lazy("The night is not handed over."),
    "taken-over": gettext_lazy("A doctor has taken over."),
    "handed-back": gettext_lazy("The team acts again."),
    "withdrawn": gettext_lazy("Consent was withdrawn. Nothing more fades."),
    "restored": gettext_lazy("A backup was restored. Nothing more fades."),
    "storage-away": gettext_lazy("The storage does not answer. Nothing more fades until it does."),
    "fault": gettext_lazy("The machine failed. Nothing more fades."),
    "stalled": gettext_lazy("Nothing has moved for a while. The doctor is called."),
    "moves-again": gettext_lazy("What kept it from going on is over."),
    "aborting": gettext_lazy("The session is being ended. What is gone stays gone."),
    "certificate": gettext_lazy("The certificate is signed."),
    "run-unverified": gettext_lazy(
        "The verifier gave no answer. It is started again; until then nothing is certified."
    ),
}


def register_sentence(kind: str, sentence: str | Promise) -> None:
    """Set the sentence of an event kind of another package. It needs no data. Call it in `actions.py`."""
    SIMPLE[kind] = sentence


OF_MEMORY: dict[str, str | Promise] = {
    "memory-started": gettext_lazy("%(memory)s begins to fade."),
    "damaged": gettext_lazy(
        "%(memory)s cannot be read: it is damaged. Nothing more fades; the doctor decides."
    ),
    "held": gettext_lazy("%(memory)s is held: a copy was found off the map. The doctor decides."),
}
# By the run's reason (Run.Why); any other reason was a pause by the team.
PAUSED: dict[str, str | Promise] = {
    "patient": gettext_lazy("Paused by the patient."),
    "safe-word": gettext_lazy("The safe word was said. Everything has stopped."),
    "presence": gettext_lazy("Paused: nobody of the team answered."),
    "abort": gettext_lazy("Paused: somebody wants to end the session."),
    "damaged": gettext_lazy("Paused: a keepsake cannot be read."),
    "storage": gettext_lazy("Paused: the storage does not answer."),
    "fault": gettext_lazy("Paused: the machine failed."),
}


def line(event: Event, names: Titles) -> str:
    """Return one plain sentence in the active language that says what happened.

    names: titles of memories by number, empty for a viewer who sees none; see `titles`.
    """
    if event.kind in SIMPLE:
        return str(SIMPLE[event.kind])
    number = event.data.get("n")
    memory = _memory(number, names)
    if event.kind in OF_MEMORY:
        return str(OF_MEMORY[event.kind]) % {"memory": memory}
    formatter = FORMATTERS.get(event.kind)
    return formatter(event.data, memory) if formatter else event.kind


def _memory(number: int | None, names: Titles) -> str:
    if number is None:
        return _("A memory")
    if title := names.get(number):
        return _("Memory %(n)d “%(title)s”") % {"n": number, "title": title}
    return _("Memory %(n)d") % {"n": number}


def _started(data: dict[str, Any], memory: str) -> str:
    total = data.get("total", 0)
    return ngettext("The night begins: %(n)d memory.", "The night begins: %(n)d memories.", total) % {
        "n": total
    }


def _pass(data: dict[str, Any], memory: str) -> str:
    values = {"memory": memory, "level": data.get("level", 0), "levels": data.get("levels", 0)}
    return _("%(memory)s fades: pass %(level)d of %(levels)d.") % values


def _destroyed(data: dict[str, Any], memory: str) -> str:
    copies = data.get("copies", 0)
    values = {"memory": memory, "copies": copies}
    return (
        ngettext(
            "%(memory)s is gone: %(copies)d object destroyed.",
            "%(memory)s is gone: %(copies)d objects destroyed.",
            copies,
        )
        % values
    )


def _protected(data: dict[str, Any], memory: str) -> str:
    if data.get("level"):
        return _("%(memory)s is kept, as much of it as was left.") % {"memory": memory}
    return _("%(memory)s is kept.") % {"memory": memory}


def _decided(data: dict[str, Any], memory: str) -> str:
    if data.get("outcome") == "extended":
        return _("%(memory)s: the doctor put the copy on the map.") % {"memory": memory}
    return _("%(memory)s: the doctor left the copy where it is.") % {"memory": memory}


def _damage_decided(data: dict[str, Any], memory: str) -> str:
    if data.get("outcome") == "destroy":
        return _(
            "%(memory)s: the doctor decided. What cannot be read does not fade; its keys and files are"
            " destroyed as they are."
        ) % {"memory": memory}
    return _("%(memory)s: the doctor left it as it is.") % {"memory": memory}


def _storage_back(data: dict[str, Any], memory: str) -> str:
    if data.get("goes_on"):
        return _("The storage answers again. The fade goes on.")
    if data.get("waits"):
        return _("The storage answers again. The session stays paused until somebody resumes it.")
    return _("The storage answers again.")


def _paused(data: dict[str, Any], memory: str) -> str:
    return str(PAUSED.get(data.get("why", ""), _("Paused by the team.")))


def _resumed(data: dict[str, Any], memory: str) -> str:
    if data.get("safe_word"):
        return _("The doctor has spoken with the patient. The fade goes on.")
    return _("The fade goes on.")


def _finished(data: dict[str, Any], memory: str) -> str:
    destroyed, spared = data.get("destroyed", 0), data.get("spared", 0)
    if data.get("outcome") == "stopped":
        sentence = _("The session was stopped: %(gone)d destroyed, %(kept)d not.")
    elif spared:
        sentence = _("It is over: %(gone)d destroyed, %(kept)d kept.")
    else:
        sentence = _("It is over: %(gone)d destroyed.")
    return sentence % {"gone": destroyed, "kept": spared}


def _keys_rolled(data: dict[str, Any], memory: str) -> str:
    return _("Keys rolled: epoch %(epoch)d. What the old keys sealed opens with nothing.") % {
        "epoch": data.get("epoch", 0)
    }


def _run_verified(data: dict[str, Any], memory: str) -> str:
    if data.get("result") == "clean":
        return _("The whole run is verified: nothing was found.")
    return _("The whole run was verified, and something was found. The certificate says what.")


FORMATTERS: dict[str, Callable[[dict[str, Any], str], str]] = {
    "started": _started,
    "pass": _pass,
    "destroyed": _destroyed,
    "protected": _protected,
    "decided": _decided,
    "damage-decided": _damage_decided,
    "storage-back": _storage_back,
    "paused": _paused,
    "resumed": _resumed,
    "finished": _finished,
    "keys-rolled": _keys_rolled,
    "run-verified": _run_verified,
}


def titles(run: Run, events: Iterable[Event]) -> dict[int, str]:
    """Return the titles, by number, of the memories that `events` are about; destroyed memories have none."""
    numbers = {n for event in events if (n := event.data.get("n")) is not None}
    if not numbers:
        return {}
    rows = list(
        Memory.objects.filter(case=run.procedure.case_id, number__in=numbers).exclude(fate=Memory.Fate.ERASED)
    )
    unsealed = read_many(rows, skip_damaged=True)
    return {
        row.number: unsealed[row.pk].title
        for row in rows
        if row.number is not None and row.pk in unsealed and unsealed[row.pk].title
    }


def lines(run: Run, events: Sequence[Event], *, names: bool) -> list[dict[str, Any]]:
    """Return `events` as the session log shows them, in the same order. names: the viewer may see titles."""
    titles_shown = titles(run, events) if names else {}
    return [
        {
            "seq": event.seq,
            "at": event.at.isoformat(),
            "kind": event.kind,
            "n": event.data.get("n"),
            "text": line(event, titles_shown),
        }
        for event in events
    ]
