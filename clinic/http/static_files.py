"""Static files under names that carry their content's digest, ES modules included."""

from whitenoise.storage import CompressedManifestStaticFilesStorage

# How our scripts name one another: import … from "./name.js"; and import("./name.js").
IMPORTS = (
    (r'(?P<matched>\bfrom "(?P<url>\./[^"]+)")', 'from "%(url)s"'),
    (r'(?P<matched>\bimport\("(?P<url>\./[^"]+)"\))', 'import("%(url)s")'),
)


class StaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, which also rewrites what one of our scripts imports from another.

    Django's own support for modules would read the scripts of other packages too, and a comment in one of
    django-htmx's reads like an import of a file that is not there.
    """

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("session/*.js", IMPORTS),
        ("upload/*.js", IMPORTS),
    )
