"""Loads the demonstration: `python -m erasure.demo URL`, a process that `manage.py demo` starts.

It is a process of its own because it reads what is erased later. Certificates wait until each process that
may have seen an erased keepsake has ended.

It decodes the pictures while its parent makes the database. It goes on when the parent has written a line to
its standard input and closed it. When the clinic may open, it writes a byte to the file descriptor whose
number is in LACUNA_DEMO_OPEN.
"""

import os
import sys
from threading import Thread

OPEN = "LACUNA_DEMO_OPEN"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
    import django

    django.setup()
    from erasure.demo.bringing import Decoder
    from erasure.demo.loader import decode_ahead, load_patients
    from erasure.demo.people_and_rooms import people_by_key
    from erasure.demo.stages import DemoContext
    from erasure.renewal.processes import add_process

    decoder = Decoder()
    Thread(target=decode_ahead, args=[decoder], daemon=True).start()
    if not sys.stdin.read():
        sys.exit(1)  # the parent ended before there was a database
    add_process("demo", ends_by_itself=True)

    def report(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    def on_open() -> None:
        os.write(int(os.environ[OPEN]), b".")

    load_patients(DemoContext(people_by_key(), sys.argv[1], decoder), report, on_open=on_open)


if __name__ == "__main__":
    main()
