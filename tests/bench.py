"""`make bench`: measures what the documentation claims about speed, as ratios.

Seconds say little on a shared machine. So each operation is compared with a simple one: the two are measured
in alternation, and the median of the ratios is printed.
"""

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time as clock
from collections.abc import Callable, Iterable
from pathlib import Path

ROUNDS = 9


def ratio(one: Callable[[], object], other: Callable[[], object]) -> float:
    """Return how many times as long as `other` `one` takes: the median of ROUNDS measurements of both."""
    one(), other()
    found = []
    for _ in range(ROUNDS):
        start = clock.perf_counter()
        one()
        middle = clock.perf_counter()
        other()
        found.append((middle - start) / max(clock.perf_counter() - middle, 1e-9))
    return statistics.median(found)


def print_ratio(what: str, value: float) -> None:
    print(f"{value:8.2f}  {what}")  # noqa: T201 - this is a program that prints


def vault(directory: Path) -> None:
    """Compare writing a file encrypted in segments with writing it unencrypted; both flush to the disk."""
    from patients.vault.stream import Encryptor

    data = os.urandom(8 * 1024 * 1024)

    def write(chunks: list[bytes]) -> None:
        with (directory / "file").open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            os.fsync(file.fileno())

    def encrypted() -> None:
        encryptor = Encryptor(bytes(32), b"bench")
        write([encryptor.update(data), encryptor.finish()])

    print_ratio("writing 8 MB encrypted, against in clear", ratio(encrypted, lambda: write([data])))


def keys(directory: Path) -> None:
    """Compare destroying a key (overwrite, flush, read back) with flushing one block."""
    from uuid import uuid4

    from patients.vault.slots import SlotFileKeyStore

    store = SlotFileKeyStore(directory / "keys", bytes(32))
    ids = [uuid4() for _ in range(200)]
    for key in ids:
        store.create(key)
    left = iter(ids)
    fd = os.open(directory / "block", os.O_RDWR | os.O_CREAT)

    def flush() -> None:
        for _ in range(10):
            os.pwrite(fd, os.urandom(128), 0)
            os.fdatasync(fd)

    print_ratio(
        "destroying 10 keys, against 10 flushes of a block",
        ratio(lambda: [store.destroy(next(left)) for _ in range(10)], flush),
    )
    os.close(fd)


def fade() -> None:
    """Compare all twelve passes of a picture with decoding and encoding it twelve times."""
    import io

    from PIL import Image

    from erasure.fade import photo

    picture = Image.effect_mandelbrot((1280, 960), (-2, -1.2, 1, 1.2), 60).convert("RGB")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    screen = out.getvalue()

    def all_passes() -> None:
        data = screen
        for level in range(photo.FRAMES):
            data = photo.fade(data, level, origin=(1280, 960)).data

    def encode_only() -> None:
        for _ in range(photo.FRAMES):
            with Image.open(io.BytesIO(screen)) as image:
                image.save(io.BytesIO(), "JPEG", quality=88)

    print_ratio("12 passes of a fade, against decoding and encoding 12 times", ratio(all_passes, encode_only))


def record() -> None:
    """Compare a change with its audit entry to the same change without."""
    from django.db import transaction

    from clinic.accounts.models import User
    from clinic.audit.record import Act, record

    user = User.objects.create_user("bench@lacuna.example", "a quiet winter beach", name="Bench")

    names = itertools.cycle(["Bench", "Stool"])  # SQLite writes nothing if the value stays the same

    def change(logged: bool) -> None:
        for _ in range(20):
            with transaction.atomic():
                User.objects.filter(pk=user.pk).update(name=next(names))
                if logged:
                    record(Act("person.signed-in", f"user:{user.pk}", actor=f"user:{user.pk}"))

    print_ratio(
        "20 changes with their log entry, against without", ratio(lambda: change(True), lambda: change(False))
    )


def free_times() -> None:
    """Compare the search for ten nights, for 40 people and 90 days, with trying every time and every person.

    The rooms are booked out for 80 days, as in a season: otherwise the first quarters tried are free already.
    """
    import random
    from datetime import UTC, date, datetime, time, timedelta

    from clinic.availability.models import WorkingHours
    from clinic.availability.search import Candidate, Need, next_times
    from clinic.availability.timetables import Grid, ReservedSpan, Timetable
    from clinic.calendar.models import QUARTER, Resource

    random = random.Random(1)  # noqa: S311 - the same bookings in each run
    start, night = datetime(2026, 2, 9, 20, tzinfo=UTC), timedelta(hours=10)
    grid = Grid.around(start, start + timedelta(days=90))

    def timetable(name: str, nights: Iterable[int]) -> Timetable:
        weekly = [
            WorkingHours(weekday=day, starts=time(18), ends=time(8), valid_from=date(2026, 1, 1))
            for day in random.sample(range(7), 5)
        ]
        taken = [ReservedSpan(at, at + night) for at in (start + timedelta(days=number) for number in nights)]
        return Timetable(Resource(label=name), grid, weekly=weekly, reserved=taken)

    people = [timetable(f"Person {number}", random.sample(range(90), 25)) for number in range(40)]
    rooms = [timetable(f"Room {number}", range(80)) for number in range(3)]

    def needs() -> list[Need]:
        doctors, technicians, places = (
            [Candidate(id(table), id(table), table.bookable_quarters(night=True)) for table in tables]
            for tables in (people[:10], people[10:], rooms)
        )
        return [Need(1, doctors), Need(2, technicians), Need(1, places)]

    prepared_needs, length, first = needs(), 40, (start - grid.base) // QUARTER
    allowed = (1 << grid.size) - (1 << first)
    quarters = {
        one.key: [
            bool(one.bookable.hours & one.bookable.unbooked & 1 << quarter) for quarter in range(grid.size)
        ]
        for need in prepared_needs
        for one in need.among
    }

    def search(wanted: list[Need]) -> list[int]:
        return [one.at for one in next_times(wanted, length, allowed=allowed)]

    def is_free(at: int) -> bool:
        return all(
            sum(all(quarters[one.key][at : at + length]) for one in need.among) >= need.count
            for need in prepared_needs
        )

    def brute_force() -> list[int]:
        return list(itertools.islice(filter(is_free, range(first, grid.size - length)), 10))

    if search(prepared_needs) != brute_force():
        raise SystemExit("the search and brute force find other times")
    what = "ten free nights of 40 people in 90 days: by brute force, against by bitmaps"
    print_ratio(what, ratio(brute_force, lambda: search(prepared_needs)))
    print_ratio(f"{what} made from their rows", ratio(brute_force, lambda: search(needs())))
    began = clock.process_time()
    search(needs())
    print_ratio(
        "milliseconds of processor time for bitmaps and search", (clock.process_time() - began) * 1000
    )


def pages() -> None:
    """Compare pages with /health/, the smallest response through the same middleware."""
    from django.conf import settings
    from django.test import Client

    from clinic.accounts.models import Role, User

    user = User.objects.create_user(
        "reader@lacuna.example", "a quiet winter beach", name="Reader", roles=(Role.AUDITOR,)
    )
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    get_health = lambda: [client.get("/health/") for _ in range(10)]  # noqa: E731
    for path in ("/audit/", "/files/", "/today/"):
        print_ratio(
            f"page {path}, against a bare view",
            ratio(lambda path=path: [client.get(path) for _ in range(10)], get_health),
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        os.environ.update(
            {"DJANGO_SETTINGS_MODULE": "clinic.settings", "LACUNA_DATA_DIR": name, "LACUNA_DEBUG": "0"}
        )
        os.environ["LACUNA_HOSTS"] = "testserver"
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        vault(directory)
        keys(directory)
        fade()
        record()
        free_times()
        pages()
    # In new processes, because they use other databases.
    subprocess.run([sys.executable, "-m", "tests.bench_pages"], check=True)
    subprocess.run([sys.executable, "-m", "tests.bench_session"], check=True)


if __name__ == "__main__":
    main()
