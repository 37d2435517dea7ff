"""E2, L5: after a run through a real worker, nothing of it is anywhere; what was kept opens with nothing.

The house stands on a file system in a loop image, which is searched as raw bytes: freed blocks, journals,
the database with its write-ahead log, logs and temporary files are all in it. Where loop devices cannot be
had, the files themselves are searched.
"""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.db import connection
from PIL import Image

from clinic.audit.models import Entry
from clinic.audit.verify import verify_log
from clinic.outbox.models import Mail
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from patients.cases.models import Case
from patients.keepsakes.ingest import create_keepsake
from patients.keepsakes.models import Keepsake
from patients.vault import configured
from patients.vault.configured import key_store
from patients.vault.keys import KeyGone, KeyStoreDamaged
from patients.vault.models import StoredObject
from patients.vault.objects import associated_data, put
from patients.vault.slots import SlotFileKeyStore
from patients.vault.stream import Reader, Tampered
from tests.factories import make_case, make_memory, make_procedure
from tests.house import House, contents, environment, house, until_certified

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

MEGABYTES = 96
LETTER = "Dear heron, the lighthouse keeper sends quinces and forgives you everything, Quillon."


@dataclass
class Disk:
    """Where the house stands; `image` is the raw device below it, if there is one."""

    root: Path
    image: Path | None

    def raw(self) -> Iterator[tuple[str, bytes]]:
        """Everything that is stored, in pieces that overlap by a kilobyte."""
        os.sync()
        if self.image is None:
            for path in (item for item in self.root.rglob("*") if item.is_file()):
                yield str(path), contents(path)
            return
        with self.image.open("rb") as file:
            tail = b""
            while piece := file.read(8 * 1024 * 1024):
                yield "image", tail + piece
                tail = piece[-1024:]


def run(*command: str) -> bool:
    """Run a tool of the system; whether it succeeded."""
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603


@pytest.fixture
def disk(tmp_path: Path, settings: django_settings) -> Iterator[Disk]:
    """A file system of its own for the data directory and TMPDIR."""
    root, image = tmp_path / "disk", tmp_path / "image"
    root.mkdir()
    with image.open("wb") as file:
        file.truncate(MEGABYTES * 1024 * 1024)
    mounted = (
        shutil.which("mkfs.ext4") is not None
        and run("mkfs.ext4", "-q", str(image))
        and run("mount", "-o", "loop", str(image), str(root))
    )
    if not mounted:
        image.unlink()
    settings.LACUNA_DATA_DIR = root
    settings.LACUNA_VAULT_DIR = root / "vault"
    settings.LACUNA_KEYS_DIR = root / "keys"
    settings.LACUNA_ROOT_KEY_FILE = root / "root-key"
    settings.LACUNA_SIGNING_KEY_FILE = root / "signing-key"
    settings.LACUNA_WITNESS_DIR = root / "witness"
    settings.STORAGES = {**settings.STORAGES}  # has the vault's storage made anew, below the new directory
    configured.reset()
    (root / "tmp").mkdir()
    yield Disk(root, image if mounted else None)
    configured.reset()
    if mounted:
        run("umount", "-l", str(root))


@pytest.fixture
def processes() -> Iterator[House]:
    with house() as mine:
        yield mine


@dataclass
class Needles:
    """What must not be found: exact bytes, each with a name, in every encoding a leak could have."""

    found: dict[bytes, str] = field(default_factory=dict)

    def add(self, name: str, secret: bytes) -> None:
        for label, form in (
            ("raw", secret),
            ("hex", secret.hex().encode()),
            ("HEX", secret.hex().upper().encode()),
            # Base64 has three phases; the middle of each is the same wherever the secret begins.
            *((f"base64+{phase}", base64.b64encode(b"x" * phase + secret)[4:-4]) for phase in range(3)),
        ):
            self.found[form] = f"{name} ({label})"

    def search(self, disk: Disk) -> set[str]:
        """The names of all that is found on the disk or in the database's own files."""
        hits: set[str] = set()
        for _where, data in (*disk.raw(), *database_files()):
            hits |= {name for secret, name in self.found.items() if secret in data}
        return hits


def database_files() -> Iterator[tuple[str, bytes]]:
    """The database's own files, with freed pages and write-ahead log, where this process may read them."""
    if connection.vendor == "sqlite":
        for suffix in ("", "-wal", "-journal"):
            path = Path(f"{connection.settings_dict['NAME']}{suffix}")
            if path.exists():
                yield str(path), contents(path)
        return
    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        (oid,) = cursor.fetchone()
        cursor.execute("SHOW data_directory")
        home = Path(cursor.fetchone()[0])
    for folder in (home / "base" / str(oid), home / "pg_wal"):
        if os.access(folder, os.R_OK):
            for path in (item for item in folder.iterdir() if item.is_file()):
                yield str(path), contents(path)


def photograph(path: Path) -> bytes:
    """A photo with a note in its EXIF that stands nowhere else."""
    exif = Image.Exif()
    exif[0x010E] = "canary-exif-7f3a2c91d5"
    picture = Image.frombytes("RGB", (700, 500), os.urandom(700 * 500 * 3))
    picture.save(path, "JPEG", quality=93, exif=exif)
    data = path.read_bytes()
    path.unlink()
    return data


@dataclass
class Brought:
    """A case with a photo and a letter, its needles taken before anything happens to it."""

    case: Case
    run: Run
    needles: Needles
    keys: dict[UUID, bytes]


def bring(tmp_path: Path) -> Brought:
    needles, case = Needles(), make_case(subject_name="Canary Subjectname")
    photo = photograph(tmp_path / "photo.jpg")
    for name, data, title in (
        ("canary-file-name-81c.jpg", photo, "Canary title one"),
        ("canary-letter-name.txt", LETTER.encode(), "Canary title two"),
    ):
        memory = make_memory(case, title=title, day="2003-02-01")
        original = put(data, case_id=case.pk, role=StoredObject.Role.ORIGINAL)
        keepsake = create_keepsake(
            original, by=case.patient, filename=name, caption=f"canary caption of {title}", memory=memory
        )
        Keepsake.objects.filter(pk=keepsake.pk).update(review=Keepsake.Review.ACCEPTED)
        needles.add(f"file name {name}", name.encode())
        needles.add(f"caption of {name}", f"canary caption of {title}".encode())
        needles.add(f"title of {name}", title.encode())
        needles.add(f"story of {name}", f"The story of {title}.".encode())
    for at in range(4096, len(photo) - 64, 8192):
        needles.add(f"photo at {at}", photo[at : at + 40])
    needles.add("EXIF", b"canary-exif-7f3a2c91d5")
    needles.add("subject", b"Canary Subjectname")
    for word in ("lighthouse keeper sends", "quinces and forgives", "everything, Quillon"):
        needles.add(f"letter: {word}", word.encode())
    keys = {row.pk: bytes(key_store().get(row.pk)) for row in StoredObject.objects.filter(case=case).live()}
    for key_id, key in keys.items():
        needles.add(f"key {key_id}", key)
    case.refresh_from_db()
    procedure: Procedure = make_procedure(case)
    return Brought(case, start_run(procedure.pk, by=None), needles, keys)


def plant(disk: Disk) -> Needles:
    """Put a control into each place that is searched, to show that the search would find it there."""
    controls = Needles()
    for name in ("file", "temporary-file", "database-row", "log", "deleted-file"):
        secret = os.urandom(20)
        controls.add(f"control {name}", secret)
        if name == "database-row":
            Mail.objects.create(to="x@lacuna.example", subject="control", body=secret.hex())
        else:
            folder = disk.root / ("tmp" if name == "temporary-file" else ".")
            path = folder / name
            with path.open("wb") as file:
                file.write(secret * 5000)
                os.fsync(file.fileno())
            if name == "deleted-file":
                path.unlink()
    return controls


def work(processes: House, disk: Disk, kept: Path, *, spare: UUID | None = None) -> None:
    """A keeping worker and a supervisor, their output in a log on the disk."""
    env = environment(TMPDIR=str(disk.root / "tmp"))
    command = [
        sys.executable,
        "-m",
        "tests.erasure.keeping_worker",
        str(kept),
        *([str(spare)] if spare else []),
    ]
    processes.run(command, env, (disk.root / "worker.log").open("w+b"))
    processes.supervisor(TMPDIR=str(disk.root / "tmp"))


def opened(kept: Path, store: SlotFileKeyStore) -> set[UUID]:
    """Which of the kept ciphertexts open with the keys in `store`."""
    names = set()
    for path in kept.glob("blob-*"):
        key_id = UUID(path.name.removeprefix("blob-"))
        try:
            with path.open("rb") as file:
                Reader(file, store.get(key_id), associated_data(key_id)).read()
            names.add(key_id)
        except (KeyGone, Tampered, KeyStoreDamaged):
            continue
    return names


def with_older_slots(kept: Path, tmp_path: Path) -> Iterator[SlotFileKeyStore]:
    """The final store with each slot image that ever was put in the place of its own."""
    keys = Path(django_settings.LACUNA_KEYS_DIR)
    root_key = bytes.fromhex(Path(django_settings.LACUNA_ROOT_KEY_FILE).read_text().strip())
    for number, image in enumerate(sorted(kept.glob("slots-*"))):
        place = tmp_path / f"older-{number}"
        shutil.copytree(keys, place)
        shutil.copyfile(image, place / "slots")
        try:
            store = SlotFileKeyStore(place, root_key)
        except KeyStoreDamaged:
            continue
        yield store
        store.close()
        shutil.rmtree(place)


def test_nothing_that_was_brought_is_found_and_nothing_that_was_kept_opens(
    disk: Disk, processes: House, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    brought = bring(tmp_path)
    work(processes, disk, kept)
    until_certified(brought.run)
    assert Run.objects.get(pk=brought.run.pk).outcome == Run.Outcome.COMPLETE

    controls = plant(disk)
    hits = controls.search(disk)
    planted = {name.partition(" (")[0] for name in controls.found.values()}
    seen = {name.partition(" (")[0] for name in hits}
    if disk.image is None:  # a deleted file is beyond a search of files
        planted.discard("control deleted-file")
    assert seen == planted, "the search would not have found what it looks for"

    assert brought.needles.search(disk) == set()
    # The log is in the database just searched: it verifies without holding anything of what went.
    assert verify_log().problems == []
    assert Entry.objects.filter(run=brought.run.pk, action="memory.destroyed").exists()

    blobs = {UUID(path.name.removeprefix("blob-")) for path in kept.glob("blob-*")}
    sealed = set(StoredObject.objects.filter(role="seal").values_list("pk", flat=True))
    assert set(brought.keys) - sealed <= blobs, "a ciphertext was not kept, so nothing is proved of it"
    assert len(list(kept.glob("slots-*"))) > 50
    assert opened(kept, key_store()) == set()  # type: ignore[arg-type]
    for store in with_older_slots(kept, tmp_path):
        assert opened(kept, store) == set()


def test_with_one_destruction_left_out_exactly_that_object_opens(
    disk: Disk, processes: House, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    brought = bring(tmp_path)
    spared = StoredObject.objects.get(
        case=brought.case, role=StoredObject.Role.ORIGINAL, media_type="", size=len(LETTER.encode())
    ).pk
    work(processes, disk, kept, spare=spared)
    until_certified(brought.run)
    assert opened(kept, key_store()) == {spared}, f"only {spared} was spared"  # type: ignore[arg-type]
    verification = Run.objects.get(pk=brought.run.pk).certificate.statement["verification"]
    assert verification["keys"] == "found"
    assert verification["result"] == "found"
