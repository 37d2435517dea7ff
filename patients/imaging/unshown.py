"""What a file can contain that the page of its keepsake does not show: codes, and sentences for the user.

All of it is part of the original, and is destroyed with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

SENTENCES: dict[str, StrOrPromise] = {
    "sounds": _(
        "A second sound track is in this file. It cannot be played here, and is destroyed with the file."
    ),
    "films": _(
        "A second film track is in this file. It cannot be played here, and is destroyed with the file."
    ),
    "subtitles": _("Subtitles are in this file. They cannot be shown here, and are destroyed with the file."),
    "cover": _("A cover picture is in this file. It is not shown here, and is destroyed with the file."),
    "pictures": _(
        "More pictures are in this file than the one that is shown. They are destroyed with the file."
    ),
    "film": _(
        "A short film is in this file, behind the picture. It is not shown here, and is destroyed with the "
        "file."
    ),
    "behind": _(
        "More bytes are behind the end of this file. They cannot be shown, and are destroyed with the file."
    ),
}


def sentences(codes: list[str]) -> list[StrOrPromise]:
    """Return the sentence of each code. A code that is not known any more has none."""
    return [SENTENCES[code] for code in codes if code in SENTENCES]
