"""How large a file may be, by its kind, and the refusals that are known before it has arrived."""

from dataclasses import dataclass, replace

from django.conf import settings

from clinic.configuration.values import value_of
from patients.imaging.decode import DEFAULT_LIMITS, Limits, max_bytes_of
from patients.imaging.refusals import GIGABYTE, Code, FileRefused, size_words, too_large
from patients.imaging.sniff import HEAD_BYTES, Kind, accepted_kind, kind_by_name
from patients.keepsakes.configuration import FILM_GIGABYTES, RECORDING_GIGABYTES


def decode_limits() -> Limits:
    """Return the limits for decoding one file, from the clinic's decisions and the settings."""
    machine = settings.LACUNA_UPLOAD_MAX_BYTES  # the limit for files of every kind
    return replace(
        DEFAULT_LIMITS,
        max_bytes=min(machine, DEFAULT_LIMITS.max_bytes),
        max_letter_bytes=min(machine, DEFAULT_LIMITS.max_letter_bytes),
        max_recording_bytes=min(machine, int(GIGABYTE * value_of(RECORDING_GIGABYTES))),
        max_video_bytes=min(machine, int(GIGABYTE * value_of(FILM_GIGABYTES))),
        max_seconds=settings.LACUNA_MEDIA_MAX_SECONDS,
        max_pages=settings.LACUNA_PDF_MAX_PAGES,
    )


def max_upload_bytes() -> int:
    """Return how many bytes a file of a kind that is not known yet may have."""
    limits = decode_limits()
    return max(limits.max_bytes, limits.max_recording_bytes, limits.max_video_bytes)


@dataclass(frozen=True)
class SizeLimit:
    """How large the files of a group may be. words: "2 GB". refusal: the sentence for a larger file."""

    bytes: int
    words: str
    refusal: str


def limits_by_group() -> dict[str, SizeLimit]:
    """Return the limits that the upload page states, by group. static/upload/upload.js checks them too."""
    limits = decode_limits()
    max_bytes = {
        "film": limits.max_video_bytes,
        "recording": limits.max_recording_bytes,
        "picture": limits.max_bytes,
    }
    return {
        group: SizeLimit(size, size_words(size), str(too_large(size))) for group, size in max_bytes.items()
    }


def check_announced(filename: str, length: int) -> None:
    """Refuse a file that is too large for the kind that its name tells. length: in bytes.

    Errors: FileRefused.
    """
    kind = kind_by_name(filename)
    most = max_bytes_of(kind, decode_limits()) if kind else max_upload_bytes()
    if length > most:
        raise too_large(most)


def max_bytes_by_head(head: bytes, filename: str) -> int:
    """Return how many bytes a file may have, by its first bytes.

    Errors: FileRefused if its kind is not accepted, with the code that `decode` would give.
    """
    return max_bytes_of(accepted_kind(head[:HEAD_BYTES], filename), decode_limits())


def check_head(head: bytes, filename: str, length: int) -> None:
    """Refuse a file of `length` bytes by its first bytes. Errors: FileRefused."""
    kind = accepted_kind(head[:HEAD_BYTES], filename)
    most = max_bytes_of(kind, decode_limits())
    if length > most:
        is_letter = kind is Kind.LETTER
        raise FileRefused(Code.LETTER_TOO_LONG, kilobytes=most // 1024) if is_letter else too_large(most)
