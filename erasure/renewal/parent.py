"""Messages of a process to the parent that started it. Can be imported before Django is set up."""

import os

# File descriptor of the pipe to the parent, set by `manage.py serve` for each child.
PARENT = "LACUNA_PARENT_PIPE"


def tell_parent(word: str, pid: int) -> None:
    """Write a message, "ready" or "renew" with a process id, to the parent. Does nothing without a parent.

    pid: of the process that is ready, or that the parent should replace.
    """
    if PARENT in os.environ:
        os.write(int(os.environ[PARENT]), f"{word} {pid}\n".encode())
