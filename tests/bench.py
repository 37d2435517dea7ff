"""`make bench`: what is claimed about speed, each figure a ratio of two things measured in turns in one run.

Seconds on a shared machine say little; how often one thing fits into another says something. Each pair is
measured in alternation, and the median of the ratios is printed.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS = 9


def ratio(one: Callable[[], object], other: Callable[[], object]) -> float:
    """How many times as long `one` takes as `other`: the median over rounds in which both were measured."""
    one(), other()
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        one()
        middle = time.perf_counter()
        other()
        found.append((middle - start) / max(time.perf_counter() - middle, 1e-9))
    return statistics.median(found)


def say(what: str, value: float) -> None:
    print(f"{value:8.2f}  {what}")  # noqa: T201 - this is a program that prints


def vault(place: Path) -> None:
    """Encrypting a file in segments, against writing the same bytes in clear; both flushed to the disk."""
    from patients.vault.stream import Encryptor

    data = os.urandom(8 * 1024 * 1024)

    def write(chunks: list[bytes]) -> None:
        with (place / "file").open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            os.fsync(file.fileno())

    def sealed() -> None:
        encryptor = Encryptor(bytes(32), b"bench")
        write([encryptor.update(data), encryptor.finish()])

    say("writing 8 MB encrypted, against in clear", ratio(sealed, lambda: write([data])))


def keys(place: Path) -> None:
    """Destroying a key (overwritten, flushed, read back), against one flush of one block."""
    from uuid import uuid4

    from patients.vault.slots import SlotFileKeyStore

    store = SlotFileKeyStore(place / "keys", bytes(32))
    ids = [uuid4() for _ in range(200)]
    for key in ids:
        store.create(key)
    left = iter(ids)
    fd = os.open(place / "block", os.O_RDWR | os.O_CREAT)

    def flush() -> None:
        for _ in range(10):
            os.pwrite(fd, os.urandom(128), 0)
            os.fdatasync(fd)

    say(
        "destroying 10 keys, against 10 flushes of a block",
        ratio(lambda: [store.destroy(next(left)) for _ in range(10)], flush),
    )
    os.close(fd)


def fade() -> None:
    """All twelve passes of a picture, against decoding and encoding it twelve times."""
    import io

    from PIL import Image

    from erasure.fade import photo

    picture = Image.effect_mandelbrot((1280, 960), (-2, -1.2, 1, 1.2), 60).convert("RGB")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    screen = out.getvalue()

    def through() -> None:
        data = screen
        for level in range(photo.FRAMES):
            data = photo.fade(data, level, origin=(1280, 960)).data

    def again() -> None:
        for _ in range(photo.FRAMES):
            with Image.open(io.BytesIO(screen)) as image:
                image.save(io.BytesIO(), "JPEG", quality=88)

    say("12 passes of a fade, against decoding and encoding 12 times", ratio(through, again))


def record() -> None:
    """A change with its line in the log, against the same change without."""
    from django.db import transaction

    from clinic.accounts.models import User
    from clinic.audit.record import Act, record

    user = User.objects.create_user("bench@lacuna.example", "a quiet winter beach", name="Bench")

    names = itertools.cycle(["Bench", "Stool"])  # SQLite writes nothing where nothing changes

    def change(logged: bool) -> None:
        for _ in range(20):
            with transaction.atomic():
                User.objects.filter(pk=user.pk).update(name=next(names))
                if logged:
                    record(Act("person.signed-in", f"user:{user.pk}", actor=f"user:{user.pk}"))

    say(
        "20 changes with their log entry, against without", ratio(lambda: change(True), lambda: change(False))
    )


def pages() -> None:
    """A page of the clinic, against the smallest answer the same stack can give."""
    from django.conf import settings
    from django.test import Client

    from clinic.accounts.models import Role, User

    user = User.objects.create_user(
        "reader@lacuna.example", "a quiet winter beach", name="Reader", roles=(Role.AUDITOR,)
    )
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    bare = lambda: [client.get("/health/") for _ in range(10)]  # noqa: E731
    for path in ("/audit/", "/files/", "/today/"):
        say(
            f"page {path}, against a bare view",
            ratio(lambda path=path: [client.get(path) for _ in range(10)], bare),
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.environ.update(
            {"DJANGO_SETTINGS_MODULE": "clinic.settings", "LACUNA_DATA_DIR": name, "LACUNA_DEBUG": "0"}
        )
        os.environ["LACUNA_HOSTS"] = "testserver"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        vault(place)
        keys(place)
        fade()
        record()
        pages()
    # A process of its own: it starts a house, with another database.
    subprocess.run([sys.executable, "-m", "tests.bench_session"], check=True)


if __name__ == "__main__":
    main()
