"""The headers of tus 1.0 (https://tus.io): those of requests are parsed, those of answers are made."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from django.utils.http import http_date
from django.utils.translation import gettext as _

from clinic.http.guard import Refused, Scope
from patients.keepsakes.limits import max_upload_bytes
from patients.keepsakes.models import Upload
from patients.keepsakes.upload_requests import TUS_HEADERS, headers_of

VERSION = "1.0.0"
# Concatenation is not offered: each file becomes one keepsake, from one upload.
EXTENSIONS = "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration"
BODY_TYPE = "application/offset+octet-stream"
METADATA_LENGTH = 6144  # characters of the Upload-Metadata header
OVERRIDABLE = {"PATCH", "DELETE", "HEAD"}  # methods that X-HTTP-Method-Override may ask for


class Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "md5": hashlib.md5}


@dataclass
class Checksum:
    """The checksum that a client sends with a piece. It detects errors of transmission, not tampering."""

    hash: Hash
    expected: bytes

    def update(self, data: bytes) -> None:
        self.hash.update(data)

    def is_right(self) -> bool:
        return hmac.compare_digest(self.hash.digest(), self.expected)


def not_understood(status: int = 400) -> Refused:
    """Return the error for a malformed request."""
    return Refused(status, _("This upload was sent in a way we do not understand."))


def method_of(scope: Scope) -> str:
    """Return the request's method: that of X-HTTP-Method-Override for a client that can only send POST."""
    method: str = scope["method"]
    override = headers_of(scope).get("x-http-method-override", "").upper()
    return override if method == "POST" and override in OVERRIDABLE else method


@dataclass(frozen=True)
class Metadata:
    """What a client says of a file before it sends it.

    values: as text, by key. head: the file's first bytes; b"" if they were not sent. header: the
    Upload-Metadata header without them, as it is stored.
    """

    values: dict[str, str]
    head: bytes
    header: str


def parse_metadata(header: str) -> Metadata:
    """Parse the Upload-Metadata header: pairs of a key and a base64 value. Errors: Refused."""
    text = _("This upload was announced in a way we do not understand.")
    if len(header) > METADATA_LENGTH or not header.isascii():
        raise Refused(400, text)
    found: dict[str, bytes] = {}
    stored: list[str] = []
    for pair in (part.strip() for part in header.split(",")):
        key, _space, value = pair.partition(" ")
        if key != "head":
            stored.append(pair)
        if not pair:
            continue
        try:
            found[key] = base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise Refused(400, text) from error
    head = found.pop("head", b"")
    values = {key: value.decode("utf-8", "replace") for key, value in found.items()}
    return Metadata(values, head, ",".join(stored))


def parse_length(header: str) -> int:
    """Parse the Upload-Length header. Errors: Refused: 400 if it is not a number, 422 if it is 0."""
    if not re.fullmatch(r"[0-9]{1,40}", header):
        raise Refused(400, _("This upload was announced without its length."))
    if not (length := int(header)):
        raise Refused(422, _("This file is empty. Please choose it again from where it was saved."))
    return length


def is_length_deferred(headers: Mapping[str, str]) -> bool:
    """Return whether the client will say later how long the file is. Errors: Refused."""
    deferred = headers.get("upload-defer-length")
    if deferred is None:
        return False
    if deferred != "1" or "upload-length" in headers:
        raise not_understood()
    return True


def parse_offset(headers: Mapping[str, str]) -> int:
    """Parse the Upload-Offset header of a piece. Errors: Refused."""
    offset = headers.get("upload-offset", "")
    if not re.fullmatch(r"[0-9]{1,18}", offset):
        raise not_understood()
    return int(offset)


def parse_checksum(headers: Mapping[str, str]) -> Checksum | None:
    """Parse the Upload-Checksum header: an algorithm and a base64 digest. Errors: Refused."""
    header = headers.get("upload-checksum")
    if header is None:
        return None
    name, _space, value = header.partition(" ")
    new_hash: Any = ALGORITHMS.get(name)
    try:
        expected = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise not_understood() from error
    if new_hash is None or not expected:
        raise not_understood()
    return Checksum(new_hash(usedforsecurity=False), expected)


def length_headers(upload: Upload) -> dict[str, str]:
    """Return the header that tells an upload's length, or that it is not known yet."""
    return {"Upload-Defer-Length": "1"} if upload.length_deferred else {"Upload-Length": str(upload.length)}


def offset_headers(upload: Upload, offset: int) -> dict[str, str]:
    """Return the headers of an answer to a piece: how many bytes have arrived, and when the upload expires.

    For a finished upload they have the id of its keepsake instead.
    """
    headers = TUS_HEADERS | {"Upload-Offset": str(offset)}
    if upload.keepsake_id:
        return headers | {"Lacuna-Keepsake": str(upload.keepsake_id)}
    return headers | {"Upload-Expires": http_date(upload.expires_at.timestamp())}


def option_headers() -> dict[str, str]:
    """Return the headers of the answer to OPTIONS: what this server can do."""
    return TUS_HEADERS | {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        "Tus-Max-Size": str(max_upload_bytes()),
    }
