"""What a process says to the parent that started it. Can be imported before Django is set up."""

import os

# File descriptor of the pipe to the parent, set by `manage.py serve` for each child.
PARENT = "LACUNA_PARENT_PIPE"


def tell_parent(word: str, pid: int) -> None:
    """Write "ready" or "renew" and a process id into the parent's pipe. Without a parent do nothing."""
    if PARENT in os.environ:
        os.write(int(os.environ[PARENT]), f"{word} {pid}\n".encode())
