"""System checks: what the operating system lacks for the decoder process and for overwriting keys."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register

from clinic import durable
from clinic.checks import SYSTEM
from patients.imaging import decoder_process


@register(SYSTEM)
def decoder_is_confined(**kwargs: Any) -> list[CheckMessage]:
    """Warn if the decoder process cannot be confined fully (patients/imaging/decoder_process.py)."""
    warnings: list[CheckMessage] = []
    if not decoder_process.LIMITS_MEMORY:
        warnings.append(
            Warning(
                "This system does not limit the memory of the process that decodes uploads, "
                "so a file made to exhaust memory can slow down or stop the whole machine.",
                id="patients.W001",
            )
        )
    if not decoder_process.HIDES_MEMORY:
        warnings.append(
            Warning(
                "This system lets other programs of the same user look into the process that decodes "
                "uploads, so they could read a picture while it is decoded.",
                id="patients.W002",
            )
        )
    return warnings


@register(SYSTEM)
def keys_are_read_back(**kwargs: Any) -> list[CheckMessage]:
    """Warn if an overwritten key may be read back from memory, not the disk (patients/vault/replicas.py)."""
    if durable.CAN_FORGET or settings.LACUNA_KEYS != "slots":
        return []
    return [
        Warning(
            "This system cannot drop its own copy of a file, so what is read back after a key was "
            "overwritten may come from memory and not from the disk.",
            id="patients.W003",
        )
    ]
