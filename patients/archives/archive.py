"""One encrypted ZIP archive of what a patient takes back. It can be opened without Lacuna.

Its files are encrypted with AES-256 (AE-2), under a passphrase that Lacuna does not keep. A ZIP archive does
not encrypt the names of its files, so each is a number and an extension. `index.html`, which is encrypted
like the others, says what each file is.
"""

import mimetypes
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from stat import S_IFREG
from typing import TypeAlias
from uuid import UUID

from django.template.loader import render_to_string
from django.utils import timezone
from stream_zip import ZIP_64, stream_zip

from patients.imaging.page_bundle import MEDIA_TYPE as BUNDLE_TYPE
from patients.imaging.page_bundle import Page, unbind
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import shown
from patients.vault.keys import KeyGone
from patients.vault.models import StoredObject
from patients.vault.objects import read, reader
from patients.vault.sealed import read_many
from patients.vault.stream import Tampered

CHUNK_SIZE = 1024 * 1024  # bytes
FILE_MODE = S_IFREG | 0o600
# Extensions that `mimetypes` does not know, or where its answer is not the usual one.
EXTENSIONS = {"image/heic": ".heic", "image/jpeg": ".jpg", "audio/mp4": ".m4a", "text/plain": ".txt"}
EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}")

# A file of an archive: its name there, and its bytes in parts.
Member: TypeAlias = tuple[str, Iterable[bytes]]


@dataclass(frozen=True)
class ArchiveFile:
    """One file of the archive.

    name: its path there, a number and an extension. row: the stored object to decrypt. page: the index (from
    0) of the page in `row`, if `row` is a bundle of pages; else 0.
    """

    name: str
    row: StoredObject
    page: int = 0


@dataclass
class KeepsakeEntry:
    """A keepsake as the index describes it.

    filename: as it was uploaded. others: other people in it. passes: how many passes of the fade are done.
    files: empty if it cannot be read.
    """

    kind: str
    title: str
    when: str
    filename: str
    others: str
    passes: int
    files: list[ArchiveFile]


@dataclass
class MemoryEntry:
    """A memory as the index describes it. is_memory: False for keepsakes without one."""

    is_memory: bool
    title: str
    when: str
    place: str
    people: str
    story: str
    keepsakes: list[KeepsakeEntry] = field(default_factory=list)


@dataclass(frozen=True)
class MessageEntry:
    """A message between patient and clinic as the index describes it. who: the writer. about: a keepsake.

    words: "" if they are destroyed.
    """

    who: str
    when: datetime
    about: str
    words: str


@dataclass(frozen=True)
class Contents:
    """What an archive will contain. unreadable: how many keepsakes cannot be read any more."""

    memories: list[MemoryEntry]
    unreadable: int
    messages: Sequence[MessageEntry] = ()

    @property
    def files(self) -> list[ArchiveFile]:
        return [file for memory in self.memories for keepsake in memory.keepsakes for file in keepsake.files]


def contents_of(
    memories: Iterable[tuple[Memory, Sequence[Keepsake]]],
    single: Sequence[Keepsake],
    messages: Sequence[MessageEntry] = (),
) -> Contents:
    """Return the contents of an archive.

    memories: each with its keepsakes to include. single: keepsakes that are in no memory, or
    are taken back without it. messages: the thread of the case, oldest first. Titles and texts
    that cannot be decrypted are left empty; the files are included all the same.
    Errors: OSError if the storage is away.
    """
    groups: list[tuple[Memory | None, Sequence[Keepsake]]] = list(memories)
    memory_fields = read_many([memory for memory, _keepsakes in groups if memory], skip_damaged=True)
    all_keepsakes = [keepsake for _memory, keepsakes in groups for keepsake in keepsakes] + list(single)
    keepsake_fields = read_many(all_keepsakes, skip_damaged=True)
    rows = _stored_rows(all_keepsakes)
    if single:
        groups.append((None, single))
    entries, unreadable, number = [], 0, 0
    for memory, keepsakes in groups:
        entry = _memory_entry(memory, memory_fields.get(memory.pk) if memory else None)
        for keepsake in keepsakes:
            number += 1
            fields = keepsake_fields.get(keepsake.pk, KeepsakeFields())
            files = _files(number, rows.get(keepsake.pk), fields.filename)
            entry.keepsakes.append(_keepsake_entry(keepsake, fields, files))
            unreadable += not files
        entries.append(entry)
    return Contents(entries, unreadable, messages)


def zip_chunks(contents: Contents, passphrase: str) -> Iterator[bytes]:
    """Yield the bytes of the encrypted archive (see `zip_of`).

    It holds one chunk of a file in RAM at a time, or one whole bundle of pages. Errors: KeyGone,
    Tampered and OSError if a file cannot be read any more. What was sent by then is an incomplete archive,
    which does not open.
    """
    return zip_of(_members(contents), passphrase)


def zip_of(members: Iterable[Member], passphrase: str) -> Iterator[bytes]:
    """Yield the bytes of an encrypted archive of `members`. Nothing is written to a disk."""
    now = timezone.localtime().replace(tzinfo=None)
    files = ((name, now, FILE_MODE, ZIP_64, chunks) for name, chunks in members)
    return iter(stream_zip(files, get_compressobj=_uncompressed, password=passphrase))


def _uncompressed() -> "zlib._Compress":
    """Return a compressor that does not compress: pictures, videos and recordings are compressed already.

    ZIP's own storage without compression needs the checksum before the data, and a stream does not know it.
    """
    return zlib.compressobj(level=0, wbits=-zlib.MAX_WBITS)


def _members(contents: Contents) -> Iterator[Member]:
    """Yield the files of the archive, the index first."""
    yield "index.html", [render_to_string("patients/archives/index.html", {"contents": contents}).encode()]
    files = FileReader()
    for file in contents.files:
        yield file.name, files.chunks(file)


class FileReader:
    """Decrypts files of an archive. It keeps the bundle of pages that it read last, for the next page."""

    def __init__(self) -> None:
        self._pages: tuple[UUID | None, list[Page]] = None, []

    def chunks(self, file: ArchiveFile) -> Iterator[bytes]:
        """Yield the decrypted bytes of one file. Errors: KeyGone, Tampered, OSError."""
        if file.row.media_type == BUNDLE_TYPE:
            if self._pages[0] != file.row.pk:
                self._pages = file.row.pk, unbind(read(file.row))
            yield self._pages[1][file.page].data
            return
        with reader(file.row) as source:
            while chunk := source.read(CHUNK_SIZE):
                yield bytes(chunk)


def _stored_rows(keepsakes: Sequence[Keepsake]) -> dict[object, StoredObject]:
    """Return the stored object to give back for each keepsake, by the keepsake's id.

    It is the uploaded file. Once the keepsake has begun to fade, or if the file is gone, it is the picture.
    """
    originals = StoredObject.objects.live().filter(
        keepsake__in=[one.pk for one in keepsakes], role=StoredObject.Role.ORIGINAL
    )
    found: dict[object, StoredObject] = {row.keepsake_id: row for row in originals}
    return found | {
        one.pk: one.picture for one in keepsakes if one.picture and (one.level or one.pk not in found)
    }


def _memory_entry(memory: Memory | None, fields: MemoryFields | None) -> MemoryEntry:
    """Return an entry without keepsakes yet. memory: None for the single ones. fields: None if unreadable."""
    fields = fields or MemoryFields()
    return MemoryEntry(
        is_memory=memory is not None,
        title=fields.title,
        when=shown(fields.day, fields.when),
        place=fields.place,
        people=", ".join(fields.people),
        story=fields.story,
    )


def _keepsake_entry(keepsake: Keepsake, fields: KeepsakeFields, files: list[ArchiveFile]) -> KeepsakeEntry:
    return KeepsakeEntry(
        kind=str(keepsake.get_kind_display()),
        title=fields.caption or str(keepsake.unnamed),
        when=fields.known_date,
        filename=fields.filename,
        others=fields.others,
        passes=keepsake.level,
        files=files,
    )


def _files(number: int, row: StoredObject | None, filename: str) -> list[ArchiveFile]:
    """Return the files of one keepsake: one, or one for each page. It has none if it cannot be read.

    number: of the keepsake in the archive, from 1. row: its stored object. filename: as it was uploaded.
    Errors: OSError if the storage is away.
    """
    if row is None:
        return []
    stem = f"files/{number:04d}"
    try:
        if row.media_type == BUNDLE_TYPE:
            pages = unbind(read(row))
            return [ArchiveFile(f"{stem}-{page + 1:03d}.jpg", row, page) for page in range(len(pages))]
        with reader(row) as source:
            source.read(1)  # finds out now, and not in the middle of the download, if it cannot be read
    except (KeyGone, FileNotFoundError, Tampered, ValueError):
        return []
    return [ArchiveFile(stem + _extension(row.media_type, filename), row)]


def _extension(media_type: str, filename: str) -> str:
    """Return the extension, with its dot: by the media type, else of the uploaded name, else ".bin"."""
    known = EXTENSIONS.get(media_type) or mimetypes.guess_extension(media_type)
    dot = filename.rfind(".")
    given = filename[dot:].lower() if dot >= 0 else ""
    return known or (given if EXTENSION.fullmatch(given) else ".bin")
