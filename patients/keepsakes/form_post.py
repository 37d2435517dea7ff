"""The same way in for a plain HTML form: one multipart POST, parsed as a stream, encrypted as it arrives.

The form's token field stands before its file fields; without a good token no byte of a file is taken.
"""

import errno
from dataclasses import InitVar, dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from clinic.asgi_guard import Receive, Refused, Scope, Send, Visitor, admit, answer, offload
from patients.cases.models import Case
from patients.imaging.refusals import Refused as FileRefused
from patients.keepsakes.arrivals import NotTaken, room_left
from patients.keepsakes.entrance import check_csrf, current_case, headers_of, keep, kind_of
from patients.keepsakes.staging import Moved, Writer, announced, begin, discard

FIELD_BYTES = 20_000  # a letter typed into the form may be this long; a file field has the house's limit
FILE_FIELDS = frozenset({"files", "photo"})
BACK = "/me/keepsakes/"


@dataclass
class Part:
    """One part of the body, while it arrives."""

    name: str = ""
    filename: str = ""
    is_file: bool = False
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
            return
        if self.part.name not in FILE_FIELDS or not piece:
            return
        self.open_file().write(piece)

    def open_file(self) -> Writer:
        """Begin an upload at the first byte of a file; how long it is nobody knows before its end."""
        if self.part.writer is None and self.case is not None:
            free = room_left(self.case)[1] - announced(self.case)
            longest = min(settings.LACUNA_UPLOAD_MAX_BYTES, max(1, free))
            upload = begin(
                self.case, by=self.visitor.user, length=longest, filename=self.part.filename, kind=self.kind
            )
            self.part.writer = Writer(upload, 0)
        if self.part.writer is None:
            raise Refused(403, _("This page has been open for too long. Please reload it and try again."))
        return self.part.writer

    def part_end(self) -> None:
        if not self.part.is_file:
            self.take_field(self.part.name, bytes(self.part.text))
        elif self.part.writer is not None:
            self.take_file(self.part.writer)
        elif self.part.filename and self.part.name in FILE_FIELDS:
            self.refused.append("empty")
        self.part = Part()

    def take_field(self, name: str, value: bytes) -> None:
        if name == "csrfmiddlewaretoken":
            check_csrf(self.visitor.request, value.decode("latin-1"))
            self.case = current_case(self.visitor)
        elif name == "kind":
            self.kind = kind_of(value.decode("latin-1"))
        elif name == "words" and value.strip():
            if self.case is None:
                raise Refused(403, _("This page has been open for too long. Please reload it and try again."))
            self.part.filename = "letter.txt"
            self.open_file().write(value)
            writer = self.part.writer
            if writer is not None:
                self.take_file(writer)

    def take_file(self, writer: Writer) -> None:
        """Close a file's last segment and make it a keepsake; a refused one does not stop the others."""
        self.part.writer = None
        try:
            writer.finish()
        finally:
            writer.close()
        try:
            keep(self.visitor, writer)
            self.brought += 1
        except FileRefused as refused:
            self.refused.append(str(refused.code.value))
        except NotTaken:
            self.refused.append("not-taken")

    def abandon(self) -> None:
        """The form was cut off or refused in the middle of a file: nothing of that file is kept."""
        if self.part.writer is not None:
            self.part.writer.close()
            discard(self.part.writer.upload)
            self.part.writer = None

    def answer(self) -> str:
        """Where to go next, saying in codes what came of it."""
        said: dict[str, Any] = {"brought": self.brought}
        if self.refused:
            said["refused"] = ",".join(self.refused)
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
    if scope["method"] != "POST":
        raise Refused(405, _("There is nothing here."), {"Allow": "POST"})
    visitor = await admit(scope, "patients:upload-form", {})
    with translation.override(visitor.language):
        post = new_post(visitor, headers_of(scope).get("content-type", ""))
        try:
            if not await _whole(receive, post):
                return
        except FormParserError as error:
            raise Refused(400, _("This form was sent in a way we do not understand.")) from error
        except Moved:
            post.refused.append("too_many_bytes")
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            post.refused.append("full")
        finally:
            await offload(post.abandon)
        await answer(send, 303, headers={"Location": post.answer()})


async def _whole(receive: Receive, post: Post) -> bool:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        if body := message.get("body", b""):
            await offload(post.feed, body)
        if not message.get("more_body", False):
            await offload(post.parser.finalize)
            return True
