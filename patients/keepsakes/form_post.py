"""The same way in for a plain HTML form: one multipart POST, parsed as a stream, encrypted as it arrives.

The form's token field stands before its file fields; without a good token no byte of a file is taken.
"""

from dataclasses import InitVar, dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from clinic.http.guard import Receive, Refused, Scope, Send, Visitor, admit, answer, answer_refusal
from patients.cases.editing import NotTaken
from patients.cases.models import Case
from patients.imaging.refusals import Code
from patients.imaging.refusals import Refused as FileRefused
from patients.keepsakes.staging import (
    Stopped,
    TooMuch,
    Writer,
    begin,
    bytes_left,
    code_of,
    record_refusal,
)
from patients.keepsakes.upload_requests import (
    as_visitor,
    check_csrf,
    current_case,
    headers_of,
    is_full,
    keep,
    kind_of,
)

FIELD_BYTES = 20_000  # a letter typed into the form may be this long; a file field has the house's limit
FILE_FIELDS = frozenset({"files", "photo", "sound", "film"})
BACK = "/me/keepsakes/"
MOST_TOLD = 20  # refusals named in the address one is sent back to


class Enough(Exception):
    """So much of this form cannot be taken that the rest of it is not read."""


@dataclass
class Part:
    """One part of the body, while it arrives."""

    name: str = ""
    filename: str = ""
    is_file: bool = False
    skipped: bool = False
    text: bytearray = field(default_factory=bytearray)
    writer: Writer | None = None


@dataclass
class Post:
    """What has come of a form so far. All methods are called in a worker thread, in order."""

    visitor: Visitor
    boundary: InitVar[bytes]
    case: Case | None = None
    kind: str = ""
    brought: int = 0
    refused: list[str] = field(default_factory=list)
    arrived: list[Writer] = field(default_factory=list)  # files that are whole, and not keepsakes yet
    wasted: int = 0  # bytes of files that were not taken
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
        """Decide what the part is; a file needs the token to have come before it."""
        _kind, options = parse_options_header(self.headers.get("content-disposition", ""))
        self.part.name = options.get(b"name", b"").decode("utf-8", "replace")
        self.part.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self.part.is_file = b"filename" in options
        if self.part.is_file and self.case is None:
            raise Refused(403, _("This page has been open for too long. Please reload it and try again."))

    def part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if not self.part.is_file:
            self.part.text.extend(piece)
            if len(self.part.text) > FIELD_BYTES:
                raise Refused(413, _("What you wrote is too long for one letter."))
        elif self.part.skipped or self.part.name not in FILE_FIELDS:
            self.wasted += len(piece)
            if self.wasted > settings.LACUNA_UPLOAD_MAX_BYTES:
                raise Enough
        elif piece:
            self.take_piece(piece)

    def take_piece(self, piece: bytes) -> None:
        """Encrypt a piece of a file. A file that cannot be taken does not stop those after it."""
        try:
            if self.part.writer is None:
                self.part.writer = self.open_file()
            self.part.writer.write(piece)
        except NotTaken as refusal:
            self.skip(code_of(refusal))
        except TooMuch:
            self.skip(Code.TOO_MANY_BYTES.value)
        except OSError as error:
            if not is_full(error):
                raise
            self.skip("full")

    def open_file(self) -> Writer:
        """Begin an upload at the first byte of a file; how long it is nobody knows before its end."""
        if self.case is None:
            raise Refused(403, _("This page has been open for too long. Please reload it and try again."))
        length = max(1, bytes_left(self.case))
        part = self.part
        upload = begin(self.case, by=self.visitor.user, length=length, filename=part.filename, kind=self.kind)
        return Writer(upload, 0)

    def skip(self, code: str) -> None:
        """Take no more of this file, and keep nothing of it."""
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
        """Whether a file was chosen and had no bytes; a field without a file has no name either."""
        part = self.part
        chosen = bool(part.filename) and part.name in FILE_FIELDS
        return chosen and part.writer is None and not part.skipped

    def close_file(self) -> None:
        """Write a file's last segment; it waits to be looked at."""
        if self.part.writer is not None:
            self.part.writer.finish()
            self.arrived.append(self.part.writer)
            self.part.writer = None

    def take_field(self, name: str, value: bytes) -> None:
        if name == "csrfmiddlewaretoken":
            check_csrf(self.visitor.request, value.decode("latin-1"))
            self.case = current_case(self.visitor)
        elif name == "kind":
            self.kind = kind_of(value.decode("latin-1"))
        elif name == "words" and value.strip():
            self.part.filename = "letter.txt"
            self.take_piece(value)

    async def look(self) -> None:
        """Make keepsakes of the files that have arrived; a refused one does not stop the others."""
        while self.arrived:
            try:
                await keep(self.visitor, self.arrived[0])
                self.brought += 1
            except (FileRefused, NotTaken) as refusal:
                self.refused.append(code_of(refusal))
            except Stopped:
                self.refused.append("stopped")
            finally:
                self.arrived.pop(0).close()

    def abandon(self) -> None:
        """The form was cut off or refused in the middle of a file: nothing of that file is kept."""
        for writer in [*self.arrived, *filter(None, [self.part.writer])]:
            writer.discard()
            writer.close()
        self.arrived, self.part.writer = [], None

    def answer(self) -> str:
        """Where to go next, saying in codes what came of it."""
        said: dict[str, Any] = {"brought": self.brought}
        if self.refused:
            said["refused"] = ",".join(self.refused[:MOST_TOLD])
        return f"{BACK}?{urlencode(said)}"


def new_post(visitor: Visitor, content_type: str) -> Post:
    """Prepare to parse. Errors: Refused where it is no multipart form."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 1 <= len(boundary) <= 70:
        raise Refused(415, _("This form was sent in a way we do not understand."))
    return Post(visitor, boundary)


async def form(scope: Scope, receive: Receive, send: Send) -> None:
    """One form, its files taken one after another as they arrive."""
    try:
        if scope["method"] != "POST":
            raise Refused(405, _("There is nothing here."), {"Allow": "POST"})
        visitor = await admit(scope, "patients:upload-form", {})
        with translation.override(visitor.language):
            post = new_post(visitor, headers_of(scope).get("content-type", ""))
            if await whole(receive, post):
                await answer(send, 303, headers={"Location": post.answer()})
    except Refused as refusal:
        await answer_refusal(send, refusal)


async def whole(receive: Receive, post: Post) -> bool:
    """Take the body as it arrives; False when the sender was cut off. Nothing is left open.

    Errors: Refused.
    """
    try:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return False
            if body := message.get("body", b""):
                await as_visitor(post.visitor, post.feed, body)
                await post.look()
            more = message.get("more_body", False)
        await as_visitor(post.visitor, post.parser.finalize)
        if post.part.writer is not None:
            post.refused.append(Code.TRUNCATED.value)
    except FormParserError as error:
        raise Refused(400, _("This form was sent in a way we do not understand.")) from error
    except Enough:
        post.refused.append(Code.TOO_MANY_BYTES.value)
    except OSError as error:
        raise Refused(503, _("We could not store this just now. Please try again in a minute.")) from error
    finally:
        await as_visitor(post.visitor, post.abandon)
    return True
