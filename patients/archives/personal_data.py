"""A patient's memories and keepsakes, with their files, as a section of what is held about them."""

from collections.abc import Iterator
from functools import partial
from pathlib import PurePath

from django.utils.translation import gettext_lazy as _

from clinic.accounts.models import User
from clinic.personal_data.registry import HeldFile, Record, make_record, register_section
from patients.archives.archive import ArchiveFile, FileReader, contents_of
from patients.keepsakes.models import Keepsake, KeepsakeFields
from patients.memories.models import Memory, MemoryFields
from patients.memories.when import shown
from patients.vault.sealed import read_many


@register_section(40, _("Your memories and keepsakes"))
def memories(person: User) -> Iterator[Record]:
    """Return each memory, followed by its keepsakes, then those in no memory. What is erased is not there."""
    rows = list(Memory.objects.filter(case__patient=person).exclude(fate=Memory.Fate.ERASED))
    present = Keepsake.objects.filter(case__patient=person, gone_at__isnull=True)
    keepsakes = list(present.select_related("picture").order_by("added_at", "pk"))
    memory_fields = read_many(rows, skip_damaged=True)
    keepsake_fields = read_many(keepsakes, skip_damaged=True)
    by_memory: dict[object, list[Keepsake]] = {row.pk: [] for row in rows}
    single: list[Keepsake] = []
    for keepsake in keepsakes:
        by_memory.get(keepsake.memory_id, single).append(keepsake)
    contents = contents_of([(row, by_memory[row.pk]) for row in rows], single)
    entries = iter([entry for memory in contents.memories for entry in memory.keepsakes])
    reader = FileReader()
    for row in rows:
        yield _memory(memory_fields.get(row.pk, MemoryFields()))
        for keepsake in by_memory[row.pk]:
            yield _keepsake(
                keepsake, keepsake_fields.get(keepsake.pk, KeepsakeFields()), next(entries).files, reader
            )
    for keepsake in single:
        yield _keepsake(
            keepsake, keepsake_fields.get(keepsake.pk, KeepsakeFields()), next(entries).files, reader
        )


def _memory(fields: MemoryFields) -> Record:
    return make_record(
        fields.title or _("Untitled"),
        (_("Kind"), _("memory")),
        (_("When"), shown(fields.day, fields.when)),
        (_("Place"), fields.place),
        (_("Who is in it"), ", ".join(fields.people)),
        (_("Words"), fields.story),
        (_("How you reacted"), fields.reaction),
    )


def _keepsake(
    keepsake: Keepsake, fields: KeepsakeFields, files: list[ArchiveFile], reader: FileReader
) -> Record:
    return make_record(
        fields.caption or keepsake.unnamed,
        (_("Kind"), keepsake.get_kind_display()),
        (_("When"), fields.known_date),
        (_("Place"), fields.place),
        (_("Latitude and longitude"), ", ".join(map(str, fields.gps))),
        (_("Also in it"), fields.others),
        (_("You sent it as"), fields.filename),
        (_("Words in the file"), fields.stored_words),
        (_("Why it came back to you"), fields.returned_because),
        (_("Brought"), keepsake.added_at),
        files=[HeldFile(PurePath(file.name).suffix, partial(reader.chunks, file)) for file in files],
    )
