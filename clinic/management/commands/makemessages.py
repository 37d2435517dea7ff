"""`manage.py makemessages`, knowing that an app's templates lie in templates/<app> and not in the app."""

from pathlib import Path

from django.conf import settings
from django.core.management.commands import makemessages

NOT_OURS = ["tests", "data", "collected", "docs"]


class Command(makemessages.Command):
    """Collect each text into the catalog of the app it belongs to.

    A file under <app>/ or templates/<app>/ goes to the catalog in LOCALE_PATHS that lies in that app; what
    all apps share (base pages, components, error pages, sign-in) goes to the first one.
    """

    # A guess that looks right is worse than a text that is plainly missing: tests find only the latter.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]

    def find_files(self, root: str) -> list[makemessages.TranslatableFile]:
        """Find what to read under `root`, each file with the catalog its texts go to."""
        self.ignore_patterns = [*self.ignore_patterns, *NOT_OURS]
        catalogs = {Path(path).parent.name: str(path) for path in settings.LOCALE_PATHS}
        shared = next(iter(catalogs.values()))
        for path in catalogs.values():
            Path(path).mkdir(parents=True, exist_ok=True)
        files = super().find_files(root)
        self.locale_paths = list(catalogs.values())
        for file in files:
            parts = [part for part in Path(file.dirpath).parts if part != "templates"]
            file.locale_dir = catalogs.get(parts[0], shared) if parts else shared
        return files

    def write_po_file(self, potfile: str, locale: str) -> None:
        """Write the catalog without the time it was collected, so that collecting twice changes nothing."""
        super().write_po_file(potfile, locale)
        catalog = Path(potfile).parent / locale / "LC_MESSAGES" / f"{self.domain}.po"
        lines = catalog.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = (line for line in lines if not line.startswith('"POT-Creation-Date:'))
        catalog.write_text("".join(kept), encoding="utf-8")
