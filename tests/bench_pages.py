"""Measures every page with a list in a clinic of 60 files, and in one of 100,000 with 200,000 appointments.

    python -m tests.bench_pages                                  # SQLite, with a file of its own
    python -m tests.postgres python -m tests.bench_pages         # PostgreSQL, with a cluster of its own

The environment variable BENCH_FILES sets another number of files. Prints for each page the number of queries
in both clinics, the medians of its time in milliseconds, their ratio, and the middle half of the ratios of
single rounds to the small clinic's median. The two clinics cannot be measured in alternation. So the time is
that of the processor, which other processes disturb less; on PostgreSQL, whose processes it does not include,
that of the clock.
"""

import os
import statistics
import sys
import tempfile
import time as timer
from collections.abc import Callable
from typing import Any

FILES = int(os.environ.get("BENCH_FILES", "100000"))
BATCH = 5_000  # so many files are inserted in one transaction
ROUNDS = 9  # so often each page is measured


def print_now(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def measure(people: dict[str, list[Any]]) -> dict[str, tuple[int, list[float]]]:
    """By page: how many queries it takes, and the milliseconds of each round."""
    from django.conf import settings
    from django.test import Client

    from tests.pages_of_staff import pages
    from tests.plans import analyze, queries

    analyze()
    found: dict[str, tuple[int, list[float]]] = {}
    clients: dict[str, Client] = {}
    for name, role, url in pages(people["patient"][0], people["doctor"][0]):
        if role not in clients:
            clients[role] = Client()
            clients[role].force_login(people[role][0], backend=settings.AUTHENTICATION_BACKENDS[0])
        client = clients[role]
        client.get(url)
        with queries() as asked:
            if client.get(url).status_code != 200:
                raise SystemExit(f"{url} does not open")
        found[name] = (len(asked), [_milliseconds(client.get, url) for _ in range(ROUNDS)])
    return found


def _milliseconds(get: Callable[[str], object], url: str) -> float:
    clock = timer.perf_counter if os.environ.get("LACUNA_DATABASE") else timer.process_time
    start = clock()
    get(url)
    return (clock() - start) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        os.environ.update(
            {
                "DJANGO_SETTINGS_MODULE": "clinic.settings",
                "LACUNA_DATA_DIR": name,
                "LACUNA_DEBUG": "0",
                "LACUNA_HOSTS": "testserver",
            }
        )
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        from django.db import transaction

        from tests import old_clinic

        with transaction.atomic():
            people = old_clinic.staff()
            cases = old_clinic.fill(old_clinic.PRESENT, people, first=True)
        people["patient"] = [cases[1].patient]
        small = measure(people)
        start = timer.perf_counter()
        for remaining in range(FILES, 0, -BATCH):
            with transaction.atomic():
                old_clinic.fill(min(BATCH, remaining), people)
        print_now(
            f"{FILES} files and {2 * FILES} appointments, inserted in {timer.perf_counter() - start:.0f} s"
        )
        print_now(f"{'page':28} {'queries':>9} {'60, ms':>8} {'all, ms':>8} {'ratio':>6}  spread")
        for page, (number, times) in measure(people).items():
            before, base = small[page][0], statistics.median(small[page][1])
            ratios = [time / base for time in times]
            low, middle, high = statistics.quantiles(ratios, n=4)
            print_now(
                f"{page:28} {before:4} {number:4} {base:8.0f} {middle * base:8.0f} {middle:6.2f} "
                f" {low:.2f}-{high:.2f}"
            )


if __name__ == "__main__":
    main()
