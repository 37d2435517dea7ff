"""Messages for the result of a form upload, from the codes in the URL that the form redirects to."""

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from patients.imaging.limits import DEFAULT_LIMITS
from patients.imaging.refusals import Code, FileRefused, size_words
from patients.keepsakes.limits import max_upload_bytes

REFUSAL_TEXTS: dict[str, str | Promise] = {
    "not-taken": gettext_lazy("One file found no room in your file. Please talk to the clinic."),
    "full": gettext_lazy("There is no room for one of the files at the moment. Please try again later."),
    "late": gettext_lazy(
        "You were signed out when you sent this. What you wrote is here now; please choose the files again."
    ),
    "stopped": gettext_lazy("One of the files was stopped on its way. Please choose it again."),
}
FIGURES = {
    "megapixels": DEFAULT_LIMITS.max_pixels // 2**20,
    "frames": DEFAULT_LIMITS.max_frames,
    "kilobytes": DEFAULT_LIMITS.max_letter_bytes // 1024,
}
MAX_COUNT = 10_000  # anyone can write a number into the URL; no larger one is shown


def brought_message(value: str) -> str:
    """Return the message for `?brought=`; empty for 0 and for anything that is not a number."""
    if not value.isascii() or not value.isdigit() or not 0 < len(value) < 9 or not int(value):
        return ""
    count = min(int(value), MAX_COUNT)
    return ngettext("%(n)d keepsake came in.", "%(n)d keepsakes came in.", count) % {"n": count}


def refusal_messages(value: str) -> list[str]:
    """Return one message for each different code in `?refused=`, in the order of the codes."""
    codes = list(dict.fromkeys(value.split(",")[:50])) if value else []
    return [_sentence(code) for code in codes]


def _sentence(code: str) -> str:
    if code in REFUSAL_TEXTS:
        return str(REFUSAL_TEXTS[code])
    if code in set(Code):
        figures: dict[str, int | str] = {
            **FIGURES,
            "size": size_words(max_upload_bytes()),
            "pages": settings.LACUNA_PDF_MAX_PAGES,
            "minutes": settings.LACUNA_MEDIA_MAX_SECONDS // 60,
        }
        return str(FileRefused(Code(code), **figures))
    return _("One of the files could not be taken. Please try again, or call us.")
