"""Upload by a plain HTML form: one multipart POST, parsed as a stream and encrypted as it arrives.

The form's CSRF token field comes before its file fields. Without a valid token no byte of a file is accepted.
"""

import logging
from dataclasses import InitVar, dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.db import Error
from django.utils import translation
from django.utils.translation import gettext as _
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from clinic.http.guard import (
    Receive,
    Refused,
    Scope,
    Send,
    Visitor,
    admit,
    answer,
    answer_refusal,
    outages_refused,
)
from clinic.unavailable import is_full, outage
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.imaging.refusals import Code, FileRefused
from patients.keepsakes.staging import (
    Discarded,
    TooManyBytes,
    Writer,
    begin_upload,
    bytes_left,
    record_refusal,
    refusal_code,
)
from patients.keepsakes.upload_requests import (
    as_visitor,
    check_csrf,
    current_case,
    finish_in_decoder_pool,
    headers_of,
    refused_as_stale,
    requested_kind,
    storage_error,
)

log = logging.getLogger("lacuna.unavailable")
POLICY_NAME = "patients:upload-form"  # the row of the access policy (policy.py)

FIELD_BYTES = 20_000  # the longest letter that can be typed into the form; files have LACUNA_UPLOAD_MAX_BYTES
FILE_FIELDS = frozenset({"files", "photo", "sound", "film"})
KEEPSAKES_URL = "/me/keepsakes/"
MAX_REFUSALS = 20  # refusal codes listed in the URL of the redirect


class TooManySkippedBytes(Exception):
    """More bytes were skipped than one upload may have; the rest of the body is not read."""


@dataclass
class Part:
    """The part of the multipart body that is arriving now."""

    name: str = ""
    filename: str = ""
    is_file: bool = False
    skipped: bool = False
    text: bytearray = field(default_factory=bytearray)
    writer: Writer | None = None


@dataclass
class FormUpload:
    """A form upload in progress: parser state, and what came of the files so far.

    The parser's callbacks and `abandon` are called in a worker thread, one after another.
    """

    visitor: Visitor
    boundary: InitVar[bytes]
    case: Case | None = None
    kind: str = ""
    brought: int = 0
    refused: list[str] = field(default_factory=list)
    arrived: list[Writer] = field(default_factory=list)  # complete files that are not keepsakes yet
    skipped_bytes: int = 0  # bytes of files that were refused or had an unknown field name
    part: Part = field(default_factory=Part)
    header: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self, boundary: bytes) -> None:
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self.part_begin,
                "on_header_field": self.header_field,
                "on_header_value": self.header_value,
                "on_header_end": self.header_end,
                "on_headers_finished": self.headers_finished,
                "on_part_data": self.part_data,
                "on_part_end": self.part_end,
            },
        )

    def feed(self, data: bytes) -> None:
        self.parser.write(data)

    def part_begin(self) -> None:
        self.part, self.headers = Part(), {}

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self.header[0].extend(data[start:end])

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self.header[1].extend(data[start:end])

    def header_end(self) -> None:
        name, value = (bytes(half).decode("utf-8", "replace") for half in self.header)
        self.headers[name.lower()] = value
        self.header = (bytearray(), bytearray())

    def headers_finished(self) -> None:
        """Read the part's name and file name. Errors: Refused if a file comes before the CSRF token."""
        _kind, options = parse_options_header(self.headers.get("content-disposition", ""))
        self.part.name = options.get(b"name", b"").decode("utf-8", "replace")
        self.part.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self.part.is_file = b"filename" in options
        if self.part.is_file and self.case is None:
            raise refused_as_stale(self.visitor, POLICY_NAME)

    def part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if not self.part.is_file:
            self.part.text.extend(piece)
            if len(self.part.text) > FIELD_BYTES:
                raise Refused(413, _("What you wrote is too long for one letter."))
        elif self.part.skipped or self.part.name not in FILE_FIELDS:
            self.skipped_bytes += len(piece)
            if self.skipped_bytes > settings.LACUNA_UPLOAD_MAX_BYTES:
                raise TooManySkippedBytes
        elif piece:
            self.take_piece(piece)

    def take_piece(self, piece: bytes) -> None:
        """Encrypt a piece of a file. If the file is refused, skip it and go on with the next one."""
        try:
            if self.part.writer is None:
                self.part.writer = self.open_file()
            self.part.writer.write(piece)
        except CaseLocked as refusal:
            self.skip(refusal_code(refusal))
        except TooManyBytes:
            self.skip(Code.TOO_MANY_BYTES.value)
        except OSError as error:
            if not is_full(error):
                raise
            self.skip("full")

    def open_file(self) -> Writer:
        """Begin an upload at the first byte of a file.

        The file's length is not known yet, so all that is left of the quota is reserved.
        """
        if self.case is None:
            raise refused_as_stale(self.visitor, POLICY_NAME)
        length = max(1, bytes_left(self.case))
        part = self.part
        upload = begin_upload(
            self.case, by=self.visitor.user, length=length, filename=part.filename, kind=self.kind
        )
        return Writer(upload, 0)

    def skip(self, code: str) -> None:
        """Discard this file, skip its remaining bytes and record the refusal `code`."""
        writer, self.part.writer, self.part.skipped = self.part.writer, None, True
        self.refused.append(code)
        size = writer.received if writer else 0
        if writer is not None:
            writer.discard()
            writer.close()
        if self.case is not None:
            record_refusal(self.case.pk, code, size, by=self.visitor.user)

    def part_end(self) -> None:
        if not self.part.is_file:
            self.take_field(self.part.name, bytes(self.part.text))
        elif self.was_empty():
            self.skip(Code.EMPTY.value)
        self.close_file()
        self.part = Part()

    def was_empty(self) -> bool:
        """Return whether the user chose an empty file. (A field without a file has no file name.)"""
        part = self.part
        chosen = bool(part.filename) and part.name in FILE_FIELDS
        return chosen and part.writer is None and not part.skipped

    def close_file(self) -> None:
        """Write a file's last segment and queue it for `create_keepsakes`."""
        if self.part.writer is not None:
            self.part.writer.finish()
            self.arrived.append(self.part.writer)
            self.part.writer = None

    def take_field(self, name: str, value: bytes) -> None:
        if name == "csrfmiddlewaretoken":
            check_csrf(self.visitor, value.decode("latin-1"), name=POLICY_NAME)
            self.case = current_case(self.visitor)
        elif name == "kind":
            self.kind = requested_kind(value.decode("latin-1"))
        elif name == "words" and value.strip():
            self.part.filename = "letter.txt"
            self.take_piece(value)

    async def create_keepsakes(self) -> None:
        """Make keepsakes of the complete files. A refused file does not stop the others."""
        while self.arrived:
            try:
                await finish_in_decoder_pool(self.visitor, self.arrived[0])
                self.brought += 1
            except (FileRefused, CaseLocked) as refusal:
                self.refused.append(refusal_code(refusal))
            except Discarded:
                self.refused.append("stopped")
            self.arrived.pop(0).close()

    def leave_arrived(self) -> int:
        """Leave the files that have arrived whole to the supervisor, which makes keepsakes of them.

        Returns how many.
        """
        count = len(self.arrived)
        while self.arrived:
            self.arrived.pop().close()
        return count

    def abandon(self) -> None:
        """Discard all files that did not become keepsakes, when the form was cut off or refused."""
        writers = [*self.arrived, *filter(None, [self.part.writer])]
        self.arrived, self.part.writer = [], None
        for writer in writers:
            try:
                writer.discard()
            except (Error, OSError) as error:  # `discard_expired` ends it later
                log.error("an upload could not be discarded: %s", outage(error) or error)
            finally:
                writer.close()

    def redirect_url(self) -> str:
        """Return the URL to redirect to; its query has the result as codes (outcomes.py shows them)."""
        query: dict[str, Any] = {"brought": self.brought}
        if self.refused:
            query["refused"] = ",".join(self.refused[:MAX_REFUSALS])
        return f"{KEEPSAKES_URL}?{urlencode(query)}"


def new_form_upload(visitor: Visitor, content_type: str) -> FormUpload:
    """Return a FormUpload for this content type. Errors: Refused if it is not a multipart form."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        raise Refused(415, _("This form was sent in a way we do not understand."))
    return FormUpload(visitor, boundary)


async def form_upload(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI application for /upload/form. Files are processed one after another as they arrive."""
    try:
        if scope["method"] != "POST":
            raise Refused(405, _("There is nothing here."), {"Allow": "POST"})
        with outages_refused(scope):
            visitor = await admit(scope, POLICY_NAME, {})
        with translation.override(visitor.language):
            upload = new_form_upload(visitor, headers_of(scope).get("content-type", ""))
            if await read_body(receive, upload):
                await answer(send, 303, headers={"Location": upload.redirect_url()})
    except Refused as refusal:
        await answer_refusal(send, refusal)


async def read_body(receive: Receive, upload: FormUpload) -> bool:
    """Read and parse the body; return False if the client disconnected. Incomplete files are discarded.

    Errors: Refused.
    """
    try:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            if body := message.get("body", b""):
                await as_visitor(upload.visitor, upload.feed, body)
                await upload.create_keepsakes()
            more = message.get("more_body", False)
        await as_visitor(upload.visitor, upload.parser.finalize)
        if upload.part.writer is not None:
            upload.refused.append(Code.TRUNCATED.value)
    except FormParserError as error:
        raise Refused(400, _("This form was sent in a way we do not understand.")) from error
    except TooManySkippedBytes:
        upload.refused.append(Code.TOO_MANY_BYTES.value)
    except (OSError, Error) as error:
        refusal = storage_error(error)
        if refusal is None:
            raise
        if upload.leave_arrived():
            text = _("We could not take this in just now. What had arrived whole will appear here by itself.")
            raise Refused(refusal.status, text, refusal.headers) from error
        raise refusal from error
    finally:
        await as_visitor(upload.visitor, upload.abandon)
    return True
