"""Static files under names that carry their content's digest, ES modules included."""

import re
from collections.abc import Callable
from typing import Any

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, which also rewrites what one of our scripts imports from another."""

    support_js_module_import_aggregation = True

    def url_converter(
        self, name: str, hashed_files: dict[str, str], template: str | None = None
    ) -> Callable[[re.Match[str]], str]:
        """Leave others' scripts alone: a comment in one reads like an import of what is not there."""
        if name.startswith("django_htmx/"):
            return lambda found: found.group()
        converter: Callable[[Any], str] = super().url_converter(name, hashed_files, template)
        return converter
