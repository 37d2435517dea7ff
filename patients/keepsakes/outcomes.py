"""What came of files brought by the plain form: codes in the address, sentences on the page."""

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from patients.imaging.limits import DEFAULT_LIMITS
from patients.imaging.refusals import Code, Refused

REFUSAL_TEXTS: dict[str, str | Promise] = {
    "not-taken": gettext_lazy("One file found no room in your file. Please talk to the clinic."),
    "full": gettext_lazy("There is no room for one of the files at the moment. Please try again later."),
    "stopped": gettext_lazy("One of the files was stopped on its way. Please choose it again."),
}
FIGURES = {
    "megapixels": DEFAULT_LIMITS.max_pixels // 2**20,
    "frames": DEFAULT_LIMITS.max_frames,
    "kilobytes": DEFAULT_LIMITS.max_letter_bytes // 1024,
}
MOST = 10_000  # an address may claim any number; a page believes this much


def told_brought(said: str) -> str:
    """The sentence for `?brought=`; empty for none, or for what is no number."""
    if not said.isascii() or not said.isdigit() or not 0 < len(said) < 9 or not int(said):
        return ""
    count = min(int(said), MOST)
    return ngettext("%(n)d keepsake came in.", "%(n)d keepsakes came in.", count) % {"n": count}


def told_refused(said: str) -> list[str]:
    """One sentence for each kind of refusal in `?refused=`, in the order in which they came."""
    codes = list(dict.fromkeys(said.split(",")[:50])) if said else []
    return [_sentence(code) for code in codes]


def _sentence(code: str) -> str:
    if code in REFUSAL_TEXTS:
        return str(REFUSAL_TEXTS[code])
    if code in set(Code):
        figures = FIGURES | {
            "megabytes": settings.LACUNA_UPLOAD_MAX_BYTES // 2**20,
            "pages": settings.LACUNA_PDF_MAX_PAGES,
            "minutes": settings.LACUNA_MEDIA_MAX_SECONDS // 60,
        }
        return str(Refused(Code(code), **figures))
    return _("One of the files could not be taken. Please try again, or call us.")
