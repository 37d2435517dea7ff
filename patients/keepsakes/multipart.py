"""Parses a multipart form while it arrives."""

from dataclasses import InitVar, dataclass, field

from django.conf import settings
from django.utils.translation import gettext as _
from python_multipart.multipart import MultipartParser, parse_options_header

from clinic.http.guard import Refused

FIELD_BYTES = 20_000  # the longest letter that can be typed into the form; files have LACUNA_UPLOAD_MAX_BYTES


class TooManySkippedBytes(Exception):
    """More bytes were skipped than one upload may have; the rest of the body is not read."""


@dataclass
class Part:
    """The part of the multipart body that is arriving now."""

    name: str = ""
    filename: str = ""
    is_file: bool = False
    text: bytearray = field(default_factory=bytearray)


@dataclass
class MultipartReader:
    """Reads the text fields of a form, and skips its files. A subclass may override `take_piece`.

    boundary: of the form. fields: names and values of the text fields that have arrived.
    """

    boundary: InitVar[bytes]
    fields: list[tuple[str, str]] = field(default_factory=list)
    skipped_bytes: int = 0  # bytes of files that were not taken
    part: Part = field(default_factory=Part)
    # Name and value of the header that is arriving, then all headers of the part.
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
        """Parse a piece of the body. Errors: FormParserError, Refused, TooManySkippedBytes."""
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
        """Read the part's name and file name."""
        _kind, options = parse_options_header(self.headers.get("content-disposition", ""))
        self.part.name = options.get(b"name", b"").decode("utf-8", "replace")
        self.part.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self.part.is_file = b"filename" in options

    def part_data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if self.part.is_file:
            self.take_piece(piece)
            return
        self.part.text.extend(piece)
        if len(self.part.text) > FIELD_BYTES:
            raise Refused(413, _("What you wrote is too long for one letter."))

    def part_end(self) -> None:
        if not self.part.is_file:
            self.fields.append((self.part.name, self.part.text.decode("utf-8", "replace")))

    def take_piece(self, piece: bytes) -> None:
        """Take a piece of a file. Errors: TooManySkippedBytes."""
        self.skipped_bytes += len(piece)
        if self.skipped_bytes > settings.LACUNA_UPLOAD_MAX_BYTES:
            raise TooManySkippedBytes
