"""What was found for each guard, kept with the project: a verdict stands while the texts it rests on do."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.guards.guard import Guard
from tests.guards.packages import ROOT, package_of
from tests.guards.texts import digest, file_digest, function_text, text_of_test

FILE = Path(__file__).with_name("verdicts.json")


@dataclass(frozen=True)
class Verdict:
    """`test` notices that the guard is out; with "" none of `tries` tests does that get to it."""

    test: str
    tries: int
    digest: str

    @property
    def noticed(self) -> bool:
        return bool(self.test)


class Verdicts:
    def __init__(self, path: Path = FILE, root: Path = ROOT) -> None:
        self.path, self.root = path, root
        stored = json.loads(path.read_text()) if path.exists() else {}
        self.all = {key: Verdict(*row) for key, row in stored.items()}

    def standing(self, guard: Guard) -> Verdict | None:
        """The verdict, if its guard's function and the tests it rests on read as they did."""
        verdict = self.all.get(guard.key)
        if verdict is None:
            return None
        now = self._noticed(guard, verdict.test) if verdict.noticed else self._unnoticed(guard)
        return verdict if verdict.digest == now else None

    def notice(self, guard: Guard, test: str) -> None:
        self._put(guard, Verdict(test, 1, self._noticed(guard, test)))

    def miss(self, guard: Guard, tests: Sequence[str]) -> None:
        self._put(guard, Verdict("", len(tests), self._unnoticed(guard)))

    def _noticed(self, guard: Guard, test: str) -> str:
        text = text_of_test(test, self.root)
        return digest([function_text(guard.path, guard.function, self.root), text]) if text else ""

    def _unnoticed(self, guard: Guard) -> str:
        """Every test file that mirrors the package counts: the test that was missing may come into any."""
        place = self.root / "tests" / package_of(guard.path)
        files = sorted(place.rglob("*.py")) if place.is_dir() else []
        text = function_text(guard.path, guard.function, self.root)
        return digest([text, *(f"{path.relative_to(self.root)} {file_digest(path)}" for path in files)])

    def _put(self, guard: Guard, verdict: Verdict) -> None:
        self.all[guard.key] = verdict
        self.write()

    def keep_only(self, guards: Iterable[Guard]) -> None:
        """Forget verdicts on guards that are no longer there."""
        there = {guard.key for guard in guards}
        if gone := self.all.keys() - there:
            for key in gone:
                del self.all[key]
            self.write()

    def write(self) -> None:
        """One line for each guard, sorted; the file is whole at any time."""
        lines = [
            f"{json.dumps(key, ensure_ascii=False)}: "
            f"{json.dumps([it.test, it.tries, it.digest], ensure_ascii=False)}"
            for key, it in sorted(self.all.items())
        ]
        new = self.path.with_suffix(".new")
        new.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        new.replace(self.path)
