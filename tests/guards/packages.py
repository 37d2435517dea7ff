"""The packages whose guards are judged, the most dangerous first, and their files."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = (
    "patients/vault",
    "erasure/runs",
    "erasure/jobs",
    "erasure/task_queue",
    "erasure/procedures",
    "patients/consent",
    "patients/maps",
    "erasure/verification",
    "erasure/certificates",
    "clinic/calendar",
    "clinic/access",
    "clinic/http",
    "clinic/accounts",
    "clinic/people",
    "clinic/audit",
    "clinic/oversight",
    "patients/keepsakes",
    "patients/custody",
    "patients/memories",
    "erasure/live",
    "patients/cases",
    "patients/intake",
    "patients/portal",
    "patients/case_file",
    "clinic/edits",
    "clinic/configuration",
    "clinic/outgoing",
    "clinic/availability",
    "patients/drafts",
    "patients/requests",
    "patients/intake_review",
    "patients/contacts",
    "patients/messages",
    "patients/notes",
)


def files(package: str, root: Path = ROOT) -> list[str]:
    """Paths of a package's modules, relative to `root`, migrations left out."""
    found = sorted((root / package).rglob("*.py"))
    return [path.relative_to(root).as_posix() for path in found if "migrations" not in path.parts]


def package_of(path: str) -> str:
    """The package of PACKAGES that a file belongs to, or ""."""
    return next((package for package in PACKAGES if path.startswith(f"{package}/")), "")
