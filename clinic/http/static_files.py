"""Storage of static files whose names contain a digest of the content, also for ES modules."""

from whitenoise.storage import CompressedManifestStaticFilesStorage

# The import forms that our scripts use for one another: import … from "./name.js"; and import("./name.js").
# "../page/name.js" is in another folder.
IMPORTS = (
    (r'(?P<matched>\bfrom "(?P<url>\.\.?/[^"]+)")', 'from "%(url)s"'),
    (r'(?P<matched>\bimport\("(?P<url>\.\.?/[^"]+)"\))', 'import("%(url)s")'),
)


class StaticFiles(CompressedManifestStaticFilesStorage):
    """WhiteNoise's storage, which also rewrites the imports in our own scripts to the names with digests.

    Django's own support for modules would process the scripts of other packages too. It would fail at a
    comment in a script of django-htmx that looks like an import of a file that does not exist.
    """

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("bed/*.js", IMPORTS),
        ("calendar/*.js", IMPORTS),
        ("page/*.js", IMPORTS),
        ("session/*.js", IMPORTS),
        ("placement/*.js", IMPORTS),
        ("upload/*.js", IMPORTS),
    )
