"""What the machine itself could keep: dumps of our processes, swapped pages, what browsers were told."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from clinic.access.policy import TABLE
from clinic.http.guard import house_headers
from erasure.verification.places import Place, Subject

PROC = Path("/proc")
# Words of a command line by which a process of the house is known (erasure/operations/process_tree.py).
PROCESS_WORDS = frozenset(
    {"erasure.operations.web", "work", "db_worker", "work_by_redis", "supervise", "serve"}
)
# Positions of the map as a sheet: numbers that say nothing without the page, which is not stored.
STORABLE = frozenset({"erasure:map-css"})


def processes_are_shown() -> bool:
    """Whether this system has /proc, as Linux has."""
    return (PROC / "self").exists()


def house_processes() -> Iterator[Path]:
    """Directories in /proc of the living processes that work in this house's data directory."""
    for place in PROC.glob("[0-9]*"):
        try:
            words = set((place / "cmdline").read_bytes().decode(errors="replace").split("\0"))
            if not words & PROCESS_WORDS or int(place.name) == os.getpid():
                continue
            if data_directory_of(place) == Path(settings.LACUNA_DATA_DIR).resolve():
                yield place
        except OSError:  # it has ended, or is somebody else's
            continue


def data_directory_of(process: Path) -> Path:
    """Where a process of ours keeps its data. Errors: OSError."""
    environment = dict(
        line.split("=", 1)
        for line in (process / "environ").read_bytes().decode(errors="replace").split("\0")
        if "=" in line
    )
    return Path(environment.get("LACUNA_DATA_DIR", settings.BASE_DIR / "data")).resolve()


def cores(subject: Subject) -> Place:
    """No process of the house may dump its memory, and none has left a dump where it works."""
    if not processes_are_shown():
        return Place.closed("cores", "no-proc")
    found, looked = [], 0
    for process in house_processes():
        try:
            limit = core_limit((process / "limits").read_text())
        except OSError:
            continue
        looked += 1
        if limit != "0":
            found.append(f"process:{process.name}")
    places = {Path(settings.LACUNA_DATA_DIR), Path(settings.BASE_DIR), Path.cwd()}
    dumps = {path for place in places for path in place.glob("core*") if _is_dump(path)}
    return Place.of("cores", found + [f"file:{path.name}" for path in sorted(dumps)], looked)


def core_limit(limits: str) -> str:
    """The soft limit of a process's core file, from the text of its /proc/PID/limits."""
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
    """Devices and files in use, from the text of /proc/swaps."""
    return [line.split()[0] for line in swaps.splitlines()[1:] if line.strip()]


def swap(subject: Subject) -> Place:
    """Without swap no page of memory ever left it; with swap nobody can say which did."""
    try:
        devices = swap_devices((PROC / "swaps").read_text())
    except OSError:
        return Place.closed("swap", "no-proc")
    return Place.closed("swap", "swap-on") if devices else Place.of("swap", [])


def browsers(subject: Subject) -> Place:
    """Every page about a case tells the browser not to store it: looked up in the code that answers."""
    wanted = {
        name
        for name, row in TABLE.items()
        if name.partition(":")[0] in {"patients", "erasure"} and not isinstance(row.read, str) and row.read
    }
    views = {name: view for name, view in _views() if name in wanted}
    found = [name for name, view in sorted(views.items()) if name not in STORABLE and not never_stored(view)]
    beside = dict(house_headers("text/plain"))
    if b"no-store" not in beside.get(b"cache-control", b""):
        found.append("asgi-routes")
    found += [f"file:{name}" for name in service_workers()]
    return Place.of("browser_cache", found, len(wanted))


def service_workers() -> list[str]:
    """Scripts of ours that would install a service worker, which keeps what it likes whatever headers say."""
    scripts = (path for place in settings.STATICFILES_DIRS for path in Path(place).rglob("*.js"))
    return sorted(path.name for path in scripts if b"serviceWorker" in path.read_bytes())


def never_stored(view: Callable[..., Any] | None) -> bool:
    """Whether Django's `never_cache` stands around a view: its wrapper's code keeps its name."""
    while view is not None:
        code = getattr(view, "__code__", None)
        if code is not None and code.co_qualname.startswith("never_cache."):
            return True
        view = getattr(view, "__wrapped__", None)
    return False


def _views(resolver: URLResolver | None = None, space: str = "") -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _views(pattern, f"{space}{pattern.namespace}:" if pattern.namespace else space)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield f"{space}{pattern.name}", pattern.callback
