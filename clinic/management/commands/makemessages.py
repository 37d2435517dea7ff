"""`manage.py makemessages` for a project whose templates are in templates/<app> and not in the app."""

from pathlib import Path

from django.conf import settings
from django.core.management.commands import makemessages

NOT_OURS = ["tests", "data", "collected", "docs"]


class Command(makemessages.Command):
    """Collects each text into the catalog of its app.

    Texts of files under <app>/ or templates/<app>/ go to the catalog in LOCALE_PATHS inside that app. Texts
    that all apps share (base pages, components, error pages, sign-in) go to the first catalog.
    """

    # No fuzzy matches: tests find missing translations, but not wrong ones.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]

    def find_files(self, root: str) -> list[makemessages.TranslatableFile]:
        """Return the files under `root` to read, each with the catalog for its texts as `locale_dir`."""
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
        """Write the catalog without its creation date, so that running the command twice changes nothing."""
        super().write_po_file(potfile, locale)
        catalog = Path(potfile).parent / locale / "LC_MESSAGES" / f"{self.domain}.po"
        lines = catalog.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = (line for line in lines if not line.startswith('"POT-Creation-Date:'))
        catalog.write_text("".join(kept), encoding="utf-8")
