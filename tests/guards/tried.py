"""Which tests passed without which guard, so that only new and changed tests are run for it again."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.guards.guard import Guard
from tests.guards.packages import ROOT
from tests.guards.texts import digest, function_text, text_of_test


class Tried:
    """Stored in a file that git ignores.

    An entry counts until the code of the test or of the function changes.
    """

    def __init__(self, path: Path, root: Path = ROOT) -> None:
        self.path, self.root = path, root
        self.all: dict[str, dict[str, str]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self.all.setdefault(row["guard"], {}).update(row["tests"])

    def left(self, guard: Guard, tests: Sequence[str]) -> list[str]:
        """Those of `tests` that have not passed without the guard, with the present code of both."""
        passed = self.all.get(guard.key, {})
        return [test for test in tests if passed.get(test) != self._digest(guard, test)]

    def passed(self, guard: Guard, tests: Sequence[str]) -> None:
        """Remember tests that passed without the guard."""
        if not tests:
            return
        row = {test: self._digest(guard, test) for test in tests}
        self.all.setdefault(guard.key, {}).update(row)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps({"guard": guard.key, "tests": row}) + "\n")

    def _digest(self, guard: Guard, test: str) -> str:
        function = function_text(guard.path, guard.function, self.root)
        return digest([function, text_of_test(test, self.root)])
