"""Threads for tests of races."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection

LONGEST = 60  # seconds after which a thread counts as stuck


def at_once(
    *functions: Callable[[], Any], refusal: type[Exception] | None = None, pauses: Sequence[float] = (0,)
) -> tuple[list[Any], list[Exception]]:
    """Call all at the same moment, each in a thread with its own connection.

    refusal: the error that a function may raise. Any other error fails the test.
    pauses: seconds; each thread waits one of them, by chance, after the common start, so that the order
    varies.

    Returns what the functions returned and the refusals that they raised, both in the order of their end.
    """
    barrier = threading.Barrier(len(functions))
    returned: list[Any] = []
    refused: list[Exception] = []
    broken: list[BaseException] = []

    def run(function: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(LONGEST)
            time.sleep(random.choice(pauses))  # noqa: S311 - chance, not secrecy
            returned.append(function())
        except BaseException as error:
            if refusal is not None and isinstance(error, refusal):
                refused.append(error)
            else:
                broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[function]) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST)
        assert not thread.is_alive()
    assert broken == []
    return returned, refused
