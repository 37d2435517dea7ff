"""The verdict on each guard, stored in verdicts.json. It is valid until the code it rests on changes."""

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
    """`test` fails without the guard. If it is "", none of the `tries` tests that reach the guard fails."""

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

    def valid_verdict(self, guard: Guard) -> Verdict | None:
        """The verdict, if the code of its guard's function and of the tests it rests on is unchanged."""
        verdict = self.all.get(guard.key)
        if verdict is None:
            return None
        now = (
            self._digest_of_noticed(guard, verdict.test)
            if verdict.noticed
            else self._digest_of_unnoticed(guard)
        )
        return verdict if verdict.digest == now else None

    def notice(self, guard: Guard, test: str) -> None:
        """Store that `test` fails without the guard."""
        self._put(guard, Verdict(test, 1, self._digest_of_noticed(guard, test)))

    def miss(self, guard: Guard, tests: Sequence[str]) -> None:
        """Store that every one of `tests` passes without the guard."""
        self._put(guard, Verdict("", len(tests), self._digest_of_unnoticed(guard)))

    def _digest_of_noticed(self, guard: Guard, test: str) -> str:
        text = text_of_test(test, self.root)
        return digest([function_text(guard.path, guard.function, self.root), text]) if text else ""

    def _digest_of_unnoticed(self, guard: Guard) -> str:
        """Every test file of the package counts: the missing test may be added to any of them."""
        place = self.root / "tests" / package_of(guard.path)
        files = sorted(place.rglob("*.py")) if place.is_dir() else []
        text = function_text(guard.path, guard.function, self.root)
        return digest([text, *(f"{path.relative_to(self.root)} {file_digest(path)}" for path in files)])

    def _put(self, guard: Guard, verdict: Verdict) -> None:
        self.all[guard.key] = verdict
        self.write()

    def keep_only(self, guards: Iterable[Guard]) -> None:
        """Delete verdicts on guards that no longer exist."""
        existing = {guard.key for guard in guards}
        if gone := self.all.keys() - existing:
            for key in gone:
                del self.all[key]
            self.write()

    def write(self) -> None:
        """Write one line for each guard, sorted. The file is replaced in one step."""
        lines = [
            f"{json.dumps(key, ensure_ascii=False)}: "
            f"{json.dumps([it.test, it.tries, it.digest], ensure_ascii=False)}"
            for key, it in sorted(self.all.items())
        ]
        new = self.path.with_suffix(".new")
        new.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        new.replace(self.path)
