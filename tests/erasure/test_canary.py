"""E2, L5: after a run by a real worker, no trace of it is found, and copied ciphertext cannot be opened.

All files are on a file system in a loop image, which is searched as raw bytes, with its freed blocks and
journals. It contains the database with its write-ahead log, the logs and the temporary files. If loop devices
are not available, the files are searched instead.
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
from erasure.certificates.models import Certificate
from erasure.destructions.models import Destruction
from erasure.destructions.orders import order
from erasure.procedures.models import Procedure
from erasure.runs.models import Run
from erasure.runs.planning import start_run
from patients.cases.models import Case
from patients.consent.signing import withdraw
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
from tests.processes import (
    StartedProcesses,
    contents,
    environment,
    started_processes,
    until,
    until_certified,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]

MEGABYTES = 96  # size of the file system
LETTER = "Dear heron, the lighthouse keeper sends quinces and forgives you everything, Quillon."


@dataclass
class Disk:
    """The file system with the installation's files. image: its raw device, or None."""

    root: Path
    image: Path | None

    def raw(self) -> Iterator[tuple[str, bytes]]:
        """Yield all stored bytes with a name, in pieces that overlap by a kilobyte."""
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


def run_command(*command: str) -> bool:
    """Run a system command. Returns whether it succeeded."""
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603


@pytest.fixture
def disk(tmp_path: Path, settings: django_settings) -> Iterator[Disk]:
    """A separate file system for the data directory and TMPDIR."""
    root, image = tmp_path / "disk", tmp_path / "image"
    root.mkdir()
    with image.open("wb") as file:
        file.truncate(MEGABYTES * 1024 * 1024)
    mounted = (
        shutil.which("mkfs.ext4") is not None
        and run_command("mkfs.ext4", "-q", str(image))
        and run_command("mount", "-o", "loop", str(image), str(root))
    )
    if not mounted:
        image.unlink()
    settings.LACUNA_DATA_DIR = root
    settings.LACUNA_VAULT_DIR = root / "vault"
    settings.LACUNA_KEYS_DIR = root / "keys"
    settings.LACUNA_ROOT_KEY_FILE = root / "root-key"
    settings.LACUNA_SIGNING_KEY_FILE = root / "signing-key"
    settings.LACUNA_WITNESS_DIR = root / "witness"
    # Assigning STORAGES makes Django create the vault's storage again.
    settings.STORAGES = {**settings.STORAGES}
    configured.reset()
    (root / "tmp").mkdir()
    yield Disk(root, image if mounted else None)
    configured.reset()
    if mounted:
        run_command("umount", "-l", str(root))


@pytest.fixture
def processes() -> Iterator[StartedProcesses]:
    with started_processes() as started:
        yield started


@dataclass
class Needles:
    """The byte strings to search for, in every encoding that a leak could have. names: the name of each."""

    names: dict[bytes, str] = field(default_factory=dict)

    def add(self, name: str, secret: bytes) -> None:
        for label, form in (
            ("raw", secret),
            ("hex", secret.hex().encode()),
            ("HEX", secret.hex().upper().encode()),
            # Base64 depends on the secret's offset modulo three. The middle part does not depend on what
            # surrounds it.
            *((f"base64+{phase}", base64.b64encode(b"x" * phase + secret)[4:-4]) for phase in range(3)),
        ):
            self.names[form] = f"{name} ({label})"

    def search(self, disk: Disk) -> set[str]:
        """The names of the secrets that are found on the disk or in the database's files."""
        hits: set[str] = set()
        for _where, data in (*disk.raw(), *database_files()):
            hits |= {name for secret, name in self.names.items() if secret in data}
        return hits


def database_files() -> Iterator[tuple[str, bytes]]:
    """The database's files with freed pages and write-ahead log, if this process may read them."""
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
    """A photo with a secret in its EXIF data."""
    exif = Image.Exif()
    exif[0x010E] = "canary-exif-7f3a2c91d5"
    picture = Image.frombytes("RGB", (700, 500), os.urandom(700 * 500 * 3))
    picture.save(path, "JPEG", quality=93, exif=exif)
    data = path.read_bytes()
    path.unlink()
    return data


@dataclass
class Uploaded:
    """A case with a photo and a letter, and its secrets as needles. keys: its keys by id."""

    case: Case
    needles: Needles
    keys: dict[UUID, bytes]


def upload_photo_and_letter(tmp_path: Path) -> Uploaded:
    """Make the case, and collect its needles."""
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
    return Uploaded(case, needles, keys)


def start_night(uploaded: Uploaded) -> Run:
    procedure: Procedure = make_procedure(uploaded.case)
    return start_run(procedure.pk, by=None)


def plant(disk: Disk) -> Needles:
    """Put a control secret into each place that is searched. The search must find these."""
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


def assert_controls_are_found(disk: Disk) -> None:
    """Plant a control secret in each place, and assert that the search finds all of them."""
    controls = plant(disk)
    hits = controls.search(disk)
    planted = {name.partition(" (")[0] for name in controls.names.values()}
    seen = {name.partition(" (")[0] for name in hits}
    if disk.image is None:  # a search of files cannot find a deleted one
        planted.discard("control deleted-file")
    assert seen == planted, "the search does not find every control"


def start_processes(
    processes: StartedProcesses, disk: Disk, copies: Path, *, spare: UUID | None = None
) -> None:
    """Start a worker that copies everything to `copies`, and a supervisor.

    Their output goes to a log on the disk.
    """
    env = environment(TMPDIR=str(disk.root / "tmp"))
    command = [
        sys.executable,
        "-m",
        "tests.erasure.copying_worker",
        str(copies),
        *([str(spare)] if spare else []),
    ]
    processes.run(command, env, (disk.root / "worker.log").open("w+b"))
    processes.supervisor(TMPDIR=str(disk.root / "tmp"))


def opened_with(copies: Path, store: SlotFileKeyStore) -> set[UUID]:
    """The ids of the copied ciphertexts that open with the keys in `store`."""
    names = set()
    for path in copies.glob("blob-*"):
        key_id = UUID(path.name.removeprefix("blob-"))
        try:
            with path.open("rb") as file:
                Reader(file, store.get(key_id), associated_data(key_id)).read()
            names.add(key_id)
        except (KeyGone, Tampered, KeyStoreDamaged):
            continue
    return names


def with_older_slots(copies: Path, tmp_path: Path) -> Iterator[SlotFileKeyStore]:
    """Yield the final key store once for each copied slot file, with that file in place of its own."""
    keys = Path(django_settings.LACUNA_KEYS_DIR)
    root_key = bytes.fromhex(Path(django_settings.LACUNA_ROOT_KEY_FILE).read_text().strip())
    for number, image in enumerate(sorted(copies.glob("slots-*"))):
        directory = tmp_path / f"older-{number}"
        shutil.copytree(keys, directory)
        shutil.copyfile(image, directory / "slots")
        try:
            store = SlotFileKeyStore(directory, root_key)
        except KeyStoreDamaged:
            continue
        yield store
        store.close()
        shutil.rmtree(directory)


def test_after_a_run_no_upload_is_found_and_no_copied_ciphertext_opens(
    disk: Disk, processes: StartedProcesses, tmp_path: Path
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    uploaded = upload_photo_and_letter(tmp_path)
    run = start_night(uploaded)
    start_processes(processes, disk, copies)
    until_certified(run)
    assert Run.objects.get(pk=run.pk).outcome == Run.Outcome.COMPLETE

    assert_controls_are_found(disk)
    assert uploaded.needles.search(disk) == set()
    # The log is in the database that was searched: it verifies without containing any secret.
    assert verify_log().problems == []
    assert Entry.objects.filter(run=run.pk, action="memory.destroyed").exists()

    blobs = {UUID(path.name.removeprefix("blob-")) for path in copies.glob("blob-*")}
    sealed = set(StoredObject.objects.filter(role="seal").values_list("pk", flat=True))
    assert set(uploaded.keys) - sealed <= blobs, "a ciphertext was not copied, so nothing is proved about it"
    assert len(list(copies.glob("slots-*"))) > 50
    assert opened_with(copies, key_store()) == set()  # type: ignore[arg-type]
    for store in with_older_slots(copies, tmp_path):
        assert opened_with(copies, store) == set()


def test_if_one_key_is_not_destroyed_exactly_its_object_opens(
    disk: Disk, processes: StartedProcesses, tmp_path: Path
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    uploaded = upload_photo_and_letter(tmp_path)
    spared = StoredObject.objects.get(
        case=uploaded.case, role=StoredObject.Role.ORIGINAL, media_type="", size=len(LETTER.encode())
    ).pk
    run = start_night(uploaded)
    start_processes(processes, disk, copies, spare=spared)
    until_certified(run)
    assert opened_with(copies, key_store()) == {spared}, f"only {spared} was spared"  # type: ignore[arg-type]
    verification = Run.objects.get(pk=run.pk).certificate.statement["verification"]
    assert verification["keys"] == "found"
    assert verification["result"] == "found"


def test_after_a_withdrawal_and_a_destruction_no_upload_is_found(
    disk: Disk, processes: StartedProcesses, tmp_path: Path
) -> None:
    """The same search as after a night: nothing of what was withdrawn is anywhere."""
    uploaded = upload_photo_and_letter(tmp_path)
    case = uploaded.case
    files = [path for path in (disk.root / "vault").rglob("*") if path.is_file()]
    withdraw(case, by=case.patient)
    destruction = order(case, by=case.patient, everything=True)
    processes.supervisor(TMPDIR=str(disk.root / "tmp"))
    until(lambda: Certificate.objects.filter(destruction=destruction).exists(), "no certificate")
    assert Destruction.objects.get().outcome == "complete"
    assert Certificate.objects.get().statement["verification"]["result"] == "clean"

    assert_controls_are_found(disk)
    assert uploaded.needles.search(disk) == set()
    assert verify_log().problems == []
    # Copies made before cannot be opened: no key of them is left.
    assert len(files) >= 6
    assert not set(uploaded.keys) & set(key_store().ids())
