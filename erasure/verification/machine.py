"""Check what the machine and browsers could store: core dumps, swapped memory, cached pages."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from clinic.access.policy import TABLE
from clinic.http.guard import response_headers
from erasure.renewal.models import Renewal
from erasure.renewal.processes import alive, living, machine
from erasure.renewal.renewals import not_ended, processes_at_request
from erasure.verification.places import UNCHECKABLE, Place, Subject, word

PROC = Path("/proc")
# A process with one of these words in its command line is ours (erasure/operations/process_tree.py).
PROCESS_WORDS = frozenset(
    {"erasure.operations.web", "work", "db_worker", "work_by_redis", "supervise", "serve"}
)


def processes_are_shown() -> bool:
    """Return whether this system has /proc, as Linux has."""
    return (PROC / "self").exists()


def installation_processes() -> Iterator[Path]:
    """Yield the /proc directories of our other processes that use this installation's data directory."""
    for place in PROC.glob("[0-9]*"):
        try:
            words = set((place / "cmdline").read_bytes().decode(errors="replace").split("\0"))
            if not words & PROCESS_WORDS or int(place.name) == os.getpid():
                continue
            if data_directory_of(place) == Path(settings.LACUNA_DATA_DIR).resolve():
                yield place
        except OSError:  # it has ended, or belongs to another user
            continue


def data_directory_of(process: Path) -> Path:
    """Return the data directory of one of our processes. Errors: OSError."""
    environment = dict(
        line.split("=", 1)
        for line in (process / "environ").read_bytes().decode(errors="replace").split("\0")
        if "=" in line
    )
    return Path(environment.get("LACUNA_DATA_DIR", settings.BASE_DIR / "data")).resolve()


def cores(subject: Subject) -> Place:
    """Check that none of our processes may dump core, and that there is no core dump in our directories."""
    if not processes_are_shown():
        return Place.not_checkable("cores", "no-proc")
    found, looked = [], 0
    for process in installation_processes():
        try:
            limit = core_limit((process / "limits").read_text())
        except OSError:
            continue
        looked += 1
        if limit != "0":
            found.append(f"process:{process.name}")
    places = {Path(settings.LACUNA_DATA_DIR), Path(settings.BASE_DIR), Path.cwd()}
    dumps = {path for place in places for path in place.glob("core*") if _is_dump(path)}
    return Place.checked("cores", found + [f"file:{path.name}" for path in sorted(dumps)], looked)


def processes(subject: Subject) -> Place:
    """Check that no process is left that may have seen what was destroyed, and name those that are.

    What such a process still has in its memory cannot be checked by name. One that never entered itself
    (another program was started than `manage.py serve` starts) is named too.
    """
    renewal = Renewal.objects.filter(**{subject.work.noun: subject.work}).first()
    if renewal is None:
        return Place.not_checkable("processes", "not-asked")
    here = machine()
    remaining = [one for one in not_ended(renewal) if one.machine != here or alive(one)]
    names = [
        f"{one.kind}-{one.pid}" + (f"-{one.machine}" if one.machine != here else "") for one in remaining
    ]
    names += [f"process-{pid}" for pid in _not_entered(here)]
    if names:
        named = word("_".join(names))
        return Place(
            "processes", UNCHECKABLE, processes_at_request(renewal).count(), where=named, why="not-renewed"
        )
    count = processes_at_request(renewal).count()
    return Place.checked("processes", [], count, why="renewed" if count else "none-here")


def _not_entered(here: str) -> list[int]:
    """Return our processes on this machine that read content and have no row."""
    entered = set(living().filter(machine=here).values_list("pid", flat=True))
    found = []
    for place in installation_processes():
        try:
            words = set((place / "cmdline").read_bytes().decode(errors="replace").split("\0"))
        except OSError:
            continue
        if "serve" not in words and int(place.name) not in entered:
            found.append(int(place.name))
    return sorted(found)


def core_limit(limits: str) -> str:
    """Return the soft limit of a process's core file, from the text of its /proc/PID/limits."""
    for line in limits.splitlines():
        if line.startswith("Max core file size"):
            return line.removeprefix("Max core file size").split()[0]
    return "unknown"


def _is_dump(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(18)
    except OSError:
        return False
    return head[:4] == b"\x7fELF" and head[16:18] in {b"\x04\x00", b"\x00\x04"}  # ET_CORE


def swap_devices(swaps: str) -> list[str]:
    """Return the swap devices and files in use, from the text of /proc/swaps."""
    return [line.split()[0] for line in swaps.splitlines()[1:] if line.strip()]


def swap(subject: Subject) -> Place:
    """Report swap: clean if there is none, else not checkable, because nobody can tell what was swapped."""
    try:
        devices = swap_devices((PROC / "swaps").read_text())
    except OSError:
        return Place.not_checkable("swap", "no-proc")
    return Place.not_checkable("swap", "swap-on") if devices else Place.checked("swap", [])


def browsers(subject: Subject) -> Place:
    """Check that every page about a case forbids browsers to store it, by inspecting the views."""
    wanted = {
        name
        for name, row in TABLE.items()
        if name.partition(":")[0] in {"patients", "erasure"} and not isinstance(row.read, str) and row.read
    }
    views = {name: view for name, view in _views() if name in wanted}
    found = [name for name, view in sorted(views.items()) if not never_stored(view)]
    asgi_headers = dict(response_headers("text/plain"))
    if b"no-store" not in asgi_headers.get(b"cache-control", b""):
        found.append("asgi-routes")
    found += [f"file:{name}" for name in service_workers()]
    return Place.checked("browser_cache", found, len(wanted))


def service_workers() -> list[str]:
    """Return our scripts that mention a service worker. It could store pages whatever their headers say."""
    scripts = (path for place in settings.STATICFILES_DIRS for path in Path(place).rglob("*.js"))
    return sorted(path.name for path in scripts if b"serviceWorker" in path.read_bytes())


def never_stored(view: Callable[..., Any] | None) -> bool:
    """Return whether a view is decorated with `never_cache`, by the qualified name of the wrapper's code."""
    while view is not None:
        code = getattr(view, "__code__", None)
        if code is not None and code.co_qualname.startswith("never_cache."):
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def _views(
    resolver: URLResolver | None = None, namespace: str = ""
) -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern, f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield f"{namespace}{pattern.name}", pattern.callback
