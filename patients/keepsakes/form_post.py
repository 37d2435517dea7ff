"""Upload by a plain HTML form: one multipart POST, parsed as a stream and encrypted as it arrives.

The form's CSRF token field comes before its file fields. Without a valid token no byte of a file is accepted.
If the sign-in of the form's page has ended, its files are skipped, and its text fields are kept as those of
every other form that comes too late (docs/decisions/0014-when-a-sign-in-ends.md).
"""

import logging
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.db import Error, transaction
from django.utils import translation
from django.utils.translation import gettext as _
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from clinic.access.page_owner import FIELD, owner_marks
from clinic.access.signed_out import CHALLENGE, is_from_script, is_same_origin
from clinic.http.guard import (
    LateForm,
    Receive,
    Refused,
    Scope,
    Send,
    Visitor,
    admit,
    answer,
    answer_refusal,
    checked_host,
    outages_refused,
)
from clinic.unavailable import is_full, outage
from patients.cases.editing import CaseLocked
from patients.cases.models import Case
from patients.drafts.models import REVISION
from patients.drafts.writing import end_draft
from patients.imaging.refusals import Code, FileRefused
from patients.keepsakes.drafts import LETTER
from patients.keepsakes.multipart import MultipartReader, Part, TooManySkippedBytes
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
    current_case,
    finish_in_decoder_pool,
    headers_of,
    is_valid_csrf,
    refused_as_stale,
    requested_kind,
    storage_error,
)

log = logging.getLogger("lacuna.unavailable")
POLICY_NAME = "patients:upload-form"  # the row of the access policy (policy.py)

FILES_SKIPPED = "files_skipped"  # a field of a form that is sent again: its files were skipped the first time
FILE_FIELDS = frozenset({"files", "photo", "sound", "film"})
KEEPSAKES_URL = "/me/keepsakes/"
MAX_REFUSALS = 20  # refusal codes listed in the URL of the redirect


@dataclass
class FilePart(Part):
    """A part that may be a file. skipped: it was refused."""

    skipped: bool = False
    writer: Writer | None = None


@dataclass(kw_only=True)
class FormUpload(MultipartReader):
    """A form upload in progress: parser state, and what came of the files so far.

    The parser's callbacks and `abandon` are called in a worker thread, one after another.
    """

    visitor: Visitor
    case: Case | None = None
    kind: str = ""
    brought: int = 0
    refused: list[str] = field(default_factory=list)
    arrived: list[Writer] = field(default_factory=list)  # complete files that are not keepsakes yet
    part: FilePart = field(default_factory=FilePart)
    letter: Writer | None = None  # the letter that was typed into the form
    letter_arrived: bool = False  # it is a keepsake
    draft: str = ""  # the revision of its draft that the page knew
    late: bool = False  # the sign-in of the form's page has ended: nothing is taken

    def part_begin(self) -> None:
        self.part, self.headers = FilePart(), {}

    def headers_finished(self) -> None:
        """Read the part's name and file name. Errors: Refused if a file comes before the CSRF token."""
        super().headers_finished()
        if self.part.is_file and self.case is None and not self.late:
            raise refused_as_stale(self.visitor, POLICY_NAME)

    def take_piece(self, piece: bytes) -> None:
        """Encrypt a piece of a file, or skip it. Errors: TooManySkippedBytes."""
        if self.late or self.part.skipped or self.part.name not in FILE_FIELDS:
            super().take_piece(piece)
        elif piece:
            self.encrypt_piece(piece)

    def encrypt_piece(self, piece: bytes) -> None:
        """Encrypt a piece of a file. If the file is refused, skip it and go on with the next one."""
        try:
            if self.part.writer is None:
                self.part.writer = self.open_file()
            self.part.writer.write(piece)
        except (CaseLocked, FileRefused) as refusal:
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
            self.case,
            by=self.visitor.user,
            length=length,
            length_deferred=True,
            filename=part.filename,
            kind=self.kind,
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
        if not self.part.is_file and not self.late:
            self.take_field(self.part.name, bytes(self.part.text))
        elif not self.late and self.was_empty():
            self.skip(Code.EMPTY.value)
        self.close_file()
        super().part_end()

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
            if not self.part.is_file:
                self.letter = self.part.writer
            self.part.writer = None

    def take_field(self, name: str, value: bytes) -> None:
        if name == "csrfmiddlewaretoken":
            self.check_token(value.decode("latin-1"))
        elif name == FIELD:
            self.check_owner(value.decode("latin-1"))
        elif name == "kind":
            self.kind = requested_kind(value.decode("latin-1"))
        elif name == FILES_SKIPPED:
            self.refused.append("late")
        elif name == REVISION:
            self.draft = value.decode("latin-1")
        elif name == "words" and value.strip():
            self.part.filename = "letter.txt"
            self.encrypt_piece(value)

    def check_token(self, token: str) -> None:
        """Find the case if the CSRF token is valid. Errors: Refused.

        A token of an earlier sign-in is refused, unless the browser says that a page of this origin sent it.
        """
        if not is_valid_csrf(self.visitor, token):
            if not is_same_origin(self.visitor.request):
                raise refused_as_stale(self.visitor, POLICY_NAME)
            self.late = True
        else:
            self.case = current_case(self.visitor)

    def check_owner(self, mark: str) -> None:
        """Take nothing from a page that was made for somebody else. mark: the owner mark of the page."""
        self.late = mark not in owner_marks(self.visitor.user)

    async def create_keepsakes(self) -> None:
        """Make keepsakes of the complete files. A refused file does not stop the others."""
        while self.arrived:
            try:
                await finish_in_decoder_pool(self.visitor, self.arrived[0])
                self.brought += 1
                self.letter_arrived |= self.arrived[0] is self.letter
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

    def end_letter_draft(self) -> None:
        """End the draft of the typed letter, if the letter is a keepsake now."""
        if self.letter_arrived:
            with transaction.atomic():
                end_draft(self.visitor.user, LETTER, self.draft)

    def redirect_url(self) -> str:
        """Return the URL to redirect to; its query has the result as codes (outcomes.py shows them)."""
        query: dict[str, Any] = {"brought": self.brought}
        if self.refused:
            query["refused"] = ",".join(self.refused[:MAX_REFUSALS])
        return f"{KEEPSAKES_URL}?{urlencode(query)}"


def boundary_of(scope: Scope) -> bytes:
    """Return the boundary of a multipart form. Errors: Refused if the request is no multipart form."""
    kind, options = parse_options_header(headers_of(scope).get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        raise Refused(415, _("This form was sent in a way we do not understand."))
    return boundary


async def form_upload(scope: Scope, receive: Receive, send: Send) -> None:
    """ASGI application for /upload/form. Files are processed one after another as they arrive.

    Errors: LateForm.
    """
    try:
        if scope["method"] != "POST":
            raise Refused(405, _("There is nothing here."), {"Allow": "POST"})
        try:
            with outages_refused(scope):
                visitor = await admit(scope, POLICY_NAME, {})
        except Refused as refusal:
            if refusal.headers != CHALLENGE or is_from_script(checked_host(scope)):
                raise
            reader = MultipartReader(boundary_of(scope))
            await skip_files(receive, reader)
            raise late_form(reader) from refusal
        with translation.override(visitor.language):
            upload = FormUpload(boundary_of(scope), visitor=visitor)
            if await read_body(receive, upload):
                if upload.late:
                    raise late_form(upload)
                await as_visitor(visitor, upload.end_letter_draft)
                await answer(send, 303, headers={"Location": upload.redirect_url()})
    except Refused as refusal:
        await answer_refusal(send, refusal)


def late_form(reader: MultipartReader) -> LateForm:
    """Return the text fields of a form that came too late, and whether it had files."""
    skipped = [(FILES_SKIPPED, "1")] if reader.skipped_bytes else []
    return LateForm(reader.fields + skipped)


async def skip_files(receive: Receive, reader: MultipartReader) -> None:
    """Read a whole body, without taking its files. Errors: Refused."""
    more = True
    try:
        while more:
            message = await receive()
            reader.feed(message.get("body", b""))
            more = message.get("more_body", False)
        reader.parser.finalize()
    except FormParserError as error:
        raise Refused(400, _("This form was sent in a way we do not understand.")) from error
    except TooManySkippedBytes:
        pass  # a visitor may not send more; fields after the files are lost


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
