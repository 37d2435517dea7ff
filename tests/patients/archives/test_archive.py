"""The archive of what a patient takes back: its index, the pages of letters, and what is damaged."""

import io

import pytest
import pyzipper

from patients.archives.archive import Contents, contents_of, zip_chunks
from patients.keepsakes.models import Keepsake
from patients.memories.models import Memory
from tests.factories import make_case, make_keepsake, make_memory, make_other

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:PBKDF2:DeprecationWarning"),
]

PASSPHRASE = "four words that seal it"


def files_of(contents: Contents) -> dict[str, bytes]:
    """Return the files of the archive by name, as another program opens it."""
    data = b"".join(zip_chunks(contents, PASSPHRASE))
    with pyzipper.AESZipFile(io.BytesIO(data)) as archive:
        archive.setpassword(PASSPHRASE.encode())
        return {name: archive.read(name) for name in archive.namelist()}


def damage(row: Memory | Keepsake) -> None:
    """Alter the sealed fields of a row, so that they cannot be opened."""
    sealed = bytes(row.sealed)
    row.sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    row.save(update_fields=["sealed"])


def test_an_untitled_memory_without_a_story_is_not_said_to_be_none() -> None:
    memory = make_memory(make_case())
    memory.write(type(memory.read())(place="Montauk"))
    memory.save(update_fields=["sealed"])
    index = files_of(contents_of([(memory, [])], []))["index.html"].decode()
    assert "Untitled" in index
    assert "Without their memory" not in index


@pytest.mark.parametrize("in_memory", [False, True])
def test_single_keepsakes_are_listed_without_their_memory(in_memory: bool) -> None:
    case = make_case()
    memory = make_memory(case, "The Charles") if in_memory else None
    keepsake = make_keepsake(memory, case=case, caption="On the ice")
    index = files_of(contents_of([], [keepsake]))["index.html"].decode()
    assert "The Charles" not in index
    assert "Without their memory" in index
    assert "On the ice" in index


def test_damaged_words_do_not_keep_the_files_here() -> None:
    memory = make_memory(make_case(), "The kitchen table")
    keepsake = make_keepsake(memory, caption="On the ice")
    for row in (memory, keepsake):
        damage(row)
    contents = contents_of([(memory, [keepsake])], [])
    assert contents.unreadable == 0
    files = files_of(contents)
    assert set(files) == {"index.html", "files/0001.jpg"}
    assert "The kitchen table" not in files["index.html"].decode()


def test_a_letter_that_has_begun_to_fade_is_one_file_for_each_page() -> None:
    memory = make_memory(make_case())
    letter = make_other(memory, "pages")
    Keepsake.objects.filter(pk=letter.pk).update(level=1)
    letter.refresh_from_db()
    files = files_of(contents_of([(memory, [letter])], []))
    assert set(files) == {"index.html", "files/0001-001.jpg", "files/0001-002.jpg"}
    assert files["files/0001-001.jpg"] != files["files/0001-002.jpg"]
    assert files["files/0001-001.jpg"].startswith(b"\xff\xd8")
    assert "It had begun to fade." in files["index.html"].decode()
