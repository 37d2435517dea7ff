"""Looking, after a run, whether anything of it is left where it should not be.

Every check is structural: it asks by name, needs no secret and no sample of what was destroyed, which would
itself be a copy. What only a search for the content itself could show is reported as not checkable here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from clinic.audit.canonical import Detail
from erasure.runs.models import Hold, Run, Step
from patients.keepsakes.models import Keepsake, Upload
from patients.memories.models import Memory
from patients.vault.configured import key_store
from patients.vault.models import StoredObject
from patients.vault.objects import storage
from patients.vault.sealed import read_many

CLEAN, FOUND, UNCHECKABLE = "clean", "found", "not-checkable"

# The places a byte could survive that this house cannot look into by name (ERASURE.md's list). English
# here, translated where they are shown: certificates keep them as they are.
BEYOND = {
    "database_pages": gettext_noop(
        "freed pages and journals of the database: what lies there is sealed under destroyed keys"
    ),
    "file_system": gettext_noop(
        "journal and freed blocks of the file system: what lies there is encrypted under destroyed keys"
    ),
    "backups": gettext_noop("backups of database and files: they never hold a key"),
    "memory": gettext_noop("memory of running processes, and swap"),
    "browsers": gettext_noop("browsers that were told not to store what they showed"),
    "outside": gettext_noop("copies outside the clinic: phones, clouds, prints, other people"),
}


@dataclass
class Place:
    """One place looked at: how many things were looked for there, and how many were found."""

    name: str
    result: str
    looked_for: int = 0
    found: int = 0


@dataclass
class Findings:
    """What one verification found, place by place."""

    places: list[Place] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return all(place.result != FOUND for place in self.places)

    def figures(self) -> dict[str, Detail]:
        """Numbers and short words only, as the log takes them."""
        out: dict[str, Detail] = {"result": CLEAN if self.clean else FOUND}
        for place in self.places:
            out[place.name] = place.result
            if place.looked_for:
                out[f"{place.name}_looked_for"] = place.looked_for
            if place.found:
                out[f"{place.name}_found"] = place.found
        return out


NAMES = {
    "keys": _("keys in the key store"),
    "files": _("files in the vault"),
    "pointers": _("pictures still shown"),
    "seals": _("titles, stories and captions"),
    "staging": _("uploads on their way"),
}


def _destroyed_objects(run: Run) -> list[StoredObject]:
    steps = Step.objects.filter(run=run, state=Step.State.DESTROYED).values_list("pk", flat=True)
    return list(StoredObject.objects.filter(doomed_by__in=[f"step:{pk}" for pk in steps]))


def _keys(run: Run, objects: list[StoredObject]) -> int:
    store = key_store()
    return sum(store.attest(row.pk).state == "live" for row in objects)


def _files(run: Run, objects: list[StoredObject]) -> int:
    # By the name every object's file has by construction, not by what the row still says.
    return sum(storage().exists(row.pk.hex) for row in objects)


def _pointers(run: Run, objects: list[StoredObject]) -> int:
    ids = [row.pk for row in objects]
    return Keepsake.objects.filter(picture__in=ids).count() + Keepsake.objects.filter(thumb__in=ids).count()


def _seals(run: Run, objects: list[StoredObject]) -> int:
    gone = Step.objects.filter(run=run, state=Step.State.DESTROYED).values("memory")
    extended = Hold.objects.filter(step__run=run, state=Hold.State.EXTENDED).values("copy")
    rows = [
        *Memory.objects.filter(pk__in=gone),
        *Keepsake.objects.filter(memory__in=gone),
        *Keepsake.objects.filter(pk__in=extended),
    ]
    return len(read_many(row for row in rows if row.sealed))


def _staging(run: Run, objects: list[StoredObject]) -> int:
    return Upload.objects.filter(case=run.procedure.case_id, keepsake__isnull=True).count()


CHECKS: dict[str, Callable[[Run, list[StoredObject]], int]] = {
    "keys": _keys,
    "files": _files,
    "pointers": _pointers,
    "seals": _seals,
    "staging": _staging,
}


def verify_run(run: Run) -> Findings:
    """Look at every place for what `run` destroyed. Changes nothing."""
    objects = _destroyed_objects(run)
    places = []
    for name, check in CHECKS.items():
        found = check(run, objects)
        places.append(Place(name, FOUND if found else CLEAN, len(objects), found))
    places += [Place(name, UNCHECKABLE) for name in BEYOND]
    return Findings(places)
