"""The finder, on small sources: it finds exactly these guards, and each switch removes its guard."""

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.guards.finder import Finder, Found
from tests.guards.prepare import SWITCHES, add_switches
from tests.guards.project import Project


def find(source: str, others: str = "") -> list[Found]:
    text = dedent(source)
    return Finder("app/file.py", text.encode(), Project.from_sources([text, dedent(others)])).guards()


def texts(source: str, others: str = "") -> list[tuple[str, str, str]]:
    """The function, kind and text of each guard that the finder finds in `source`."""
    return [(it.guard.function, it.guard.kind.value, it.guard.text) for it in find(source, others)]


def test_a_condition_whose_body_raises() -> None:
    source = """
        class Door:
            def enter(self, who):
                if who is None:
                    raise ValueError("nobody")
                elif who.closed:
                    log(who)
                    raise PermissionError
                if who.late:
                    log(who)
    """
    assert texts(source) == [
        ("Door.enter", "refusal", "if who is None"),
        ("Door.enter", "refusal", "if who.closed"),
    ]


def test_each_operand_at_any_depth() -> None:
    source = """
        def f(a, b, c):
            if a or not (b and c > 1):
                raise ValueError
    """
    assert texts(source) == [
        ("f", "refusal", "if a or not (b and c > 1)"),
        ("f", "operand", "or a"),
        ("f", "operand", "or not (b and c > 1)"),
        ("f", "operand", "and b"),
        ("f", "operand", "and c > 1"),
    ]


def test_both_ends_of_a_chained_comparison() -> None:
    source = """
        def f(n):
            if not 0 < n <= MOST:
                raise ValueError
    """
    assert texts(source) == [
        ("f", "refusal", "if not 0 < n <= MOST"),
        ("f", "bound", "0 of 0 < n <= MOST"),
        ("f", "bound", "MOST of 0 < n <= MOST"),
    ]


@pytest.mark.parametrize(
    "refusal",
    [
        "stop('no')",
        "form.add_error('day', 'too early')",
        "return Decision(False, 403)",
        "return render(request, 'page.html', {}, status=409)",
        "return HttpResponseNotAllowed(['POST'])",
        "return _refusal('role')",
    ],
)
def test_other_ways_to_refuse(refusal: str) -> None:
    source = f"""
        def f(request, form):
            if form.late:
                {refusal}
    """
    assert texts(source, "def stop(why) -> NoReturn: ...") == [("f", "refusal", "if form.late")]


@pytest.mark.parametrize(
    "answer", ["return Decision(True)", "return render(request, 'page.html', {}, status=200)", "return False"]
)
def test_other_answers_are_no_refusals(answer: str) -> None:
    assert texts(f"def f(request):\n    if request.late:\n        {answer}\n") == []


def test_an_else_that_raises() -> None:
    source = """
        def f(known):
            if known:
                return 1
            else:
                raise ValueError
    """
    assert texts(source) == [("f", "refusal", "if not known")]


def test_operands_of_what_a_predicate_returns() -> None:
    source = """
        def may(user, row) -> bool:
            if row is None:
                return False
            return user.active and (row.open or user.chief)
    """
    assert texts(source) == [
        ("may", "refusal", "if row is None"),
        ("may", "operand", "and user.active"),
        ("may", "operand", "and row.open or user.chief"),
        ("may", "operand", "or row.open"),
        ("may", "operand", "or user.chief"),
    ]


def test_conditions_of_an_update_that_is_counted() -> None:
    source = """
        def claim(pk, epoch):
            mine = Run.objects.filter(free(), pk=pk).exclude(state="done")
            return mine.filter(epoch=epoch).update(holder="me") == 1

        def free():
            return Q(until=None) | Q(until__lt=Now())
    """
    assert texts(source) == [
        ("claim", "condition", "free()"),
        ("claim", "condition", "pk=pk"),
        ("claim", "condition", 'state="done"'),
        ("claim", "condition", "epoch=epoch"),
        ("free", "condition", "until=None"),
        ("free", "condition", "until__lt=Now()"),
    ]


def test_a_primary_key_as_the_only_condition_is_no_guard() -> None:
    source = """
        def f(row):
            Run.objects.filter(pk=row.pk).update(state="done")
            Run.objects.filter(pk=row.pk, state="new").update(state="done")
            {}.update(a=1)
    """
    assert texts(source) == [
        ("f", "change", 'Run.objects.filter(pk=row.pk).update(state="done")'),
        ("f", "change", 'Run.objects.filter(pk=row.pk, state="new").update(state="done")'),
        ("f", "condition", 'state="new"'),
    ]


def test_conditions_of_a_named_queryset_method() -> None:
    source = """
        class CaseQuerySet(QuerySet):
            def open_for(self, user):
                return self.filter(patient=user).exclude(closed_at__lt=Now())
    """
    assert texts(source) == [
        ("CaseQuerySet.open_for", "selection", "patient=user"),
        ("CaseQuerySet.open_for", "selection", "closed_at__lt=Now()"),
    ]


def test_associated_data_is_followed_to_where_it_is_built() -> None:
    source = """
        def lock(key, aad, data):
            return AESGCM(key).encrypt(nonce(), data, VERSION + aad)

        def write(row, data):
            return lock(row.key, place(row), data)

        def place(row) -> bytes:
            return b"row " + row.table + row.pk

        def other(row) -> bytes:
            return b"row " + row.table + row.pk

        class Store:
            def wrap(self, key, case):
                bound = self._bound(case)
                return key.encrypt(nonce(), bytes(32), bound)

            def _bound(self, case) -> bytes:
                return f"case {self.house}:{case.pk}".encode()
    """
    assert texts(source) == [
        ("place", "binding", "row.table"),
        ("place", "binding", "row.pk"),
        ("Store._bound", "binding", 'f"case {self.house}:{case.pk}".encode()'),
        ("Store._bound", "binding", "self.house"),
        ("Store._bound", "binding", "case.pk"),
    ]


def test_calls_that_make_something_durable() -> None:
    source = """
        def keep(file, folder):
            os.fsync(file.fileno())
            sync_folder(folder)

        def sync_folder(folder):
            os.fsync(folder.fd)
    """
    assert texts(source) == [
        ("keep", "sync", "os.fsync(file.fileno())"),
        ("keep", "sync", "sync_folder(folder)"),
        ("sync_folder", "sync", "os.fsync(folder.fd)"),
    ]


def test_conditions_of_a_function_whose_result_decides_a_refusal() -> None:
    source = """
        def start(run):
            if why := obstacle(run):
                raise CannotStart(why)
            found = faults(run)
            if found:
                raise CannotStart(found)

        def obstacle(run):
            if run.held or run.over:
                return "held"
            return ""

        def faults(run):
            found = []
            if run.empty:
                found.append("empty")
            return found

        def title(run):
            if run.over:
                return "over"
            return "on"
    """
    assert texts(source) == [
        ("start", "refusal", "if why := obstacle(run)"),
        ("start", "refusal", "if found"),
        ("obstacle", "refusal", "if run.held or run.over"),
        ("obstacle", "operand", "or run.held"),
        ("obstacle", "operand", "or run.over"),
        ("faults", "refusal", "if run.empty"),
    ]


def test_calls_that_can_only_refuse() -> None:
    source = """
        def stop(run, by):
            only_own(run, by)
            log(run)
            save(run)

        def only_own(run, by) -> None:
            if run.by != by:
                raise NotNow

        def save(run) -> None:
            if run.over:
                raise NotNow
            run.state = "stopped"
    """
    assert texts(source) == [
        ("stop", "check", "only_own(run, by)"),
        ("only_own", "refusal", "if run.by != by"),
        ("save", "refusal", "if run.over"),
    ]


def test_operands_of_a_returned_conditional_expression() -> None:
    source = """
        def outcome(spared, copies):
            return PARTIAL if spared or copies else COMPLETE
    """
    assert texts(source) == [("outcome", "operand", "or spared"), ("outcome", "operand", "or copies")]


def test_a_conditional_expression_with_a_branch_that_never_returns() -> None:
    source = """
        def key(found, known):
            first = found if found or known else refuse("none")
            return first if known else None

        def refuse(why) -> NoReturn:
            raise ValueError(why)
    """
    assert texts(source) == [
        ("key", "refusal", "if not found or known"),
        ("key", "operand", "or found"),
        ("key", "operand", "or known"),
    ]


def test_equal_guards_of_a_function_have_different_keys() -> None:
    source = """
        def f(a):
            if a:
                raise ValueError
            if a:
                raise KeyError
    """
    assert [it.guard.key for it in find(source)] == [
        "app/file.py::f::refusal::if a",
        "app/file.py::f::refusal::if a #2",
    ]


# Switches


class SwitchedSource:
    """Runs a source with the real switches. `removed` is the text of the guard that is removed."""

    def __init__(
        self, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: str = ""
    ) -> None:
        from tests.guards import switches

        text = dedent(source).encode()
        self.found = find(source, others)
        self.code = add_switches(text, list(enumerate(self.found)), tmp_path)
        assert self.code.count(b"\n") == text.count(b"\n"), "every line keeps its number"
        self.names = {f"_guard_{name}": getattr(switches, name) for name in SWITCHES}
        self.state = switches.State
        monkeypatch.setattr(switches.State, "removed", -1)
        monkeypatch.setattr(switches.State, "seen", set())

    def run(self, removed: str | None = None, **given: Any) -> dict[str, Any]:
        numbers = {it.guard.text: number for number, it in enumerate(self.found)}
        self.state.removed = numbers[removed] if removed else -1
        self.state.seen = set()
        # Comment out the import, which works only in a prepared tree: `names` has the switches.
        lines = self.code.decode().replace("from guards_switches import", "pass  #", 1)
        names: dict[str, Any] = {**self.names, **given}
        exec(compile(lines, "file.py", "exec"), names)  # noqa: S102 - what the test wrote
        return names

    @property
    def seen(self) -> list[str]:
        return [self.found[number].guard.text for number in sorted(self.state.seen)]


REFUSING = '''
    """A file."""

    def f(a, b, n):
        if a or (b and not 0 < n <= 9):
            raise ValueError
        return n
'''


def refuses(function: Any, *arguments: Any) -> bool:
    try:
        function(*arguments)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    ("removed", "refused"),
    [
        (None, [True, True, True, False, False]),
        ("if a or (b and not 0 < n <= 9)", [False, False, False, False, False]),
        ("or a", [False, True, True, False, False]),
        ("or b and not 0 < n <= 9", [True, False, False, False, False]),
        ("and b", [True, True, True, True, False]),
        ("and not 0 < n <= 9", [True, True, True, False, True]),
        ("0 of 0 < n <= 9", [True, False, True, False, False]),
        ("9 of 0 < n <= 9", [True, True, False, False, False]),
    ],
)
def test_one_part_of_a_condition_is_removed(
    removed: str | None, refused: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [(True, False, 5), (False, True, 0), (False, True, 10), (False, False, 10), (False, True, 5)]
    f = SwitchedSource(REFUSING, tmp_path, monkeypatch).run(removed)["f"]
    assert [refuses(f, *call) for call in calls] == refused


def test_a_test_reaches_a_guard_only_where_the_guard_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switched = SwitchedSource(REFUSING, tmp_path, monkeypatch)
    f = switched.run()["f"]
    f(False, False, 10)
    assert switched.seen == ["and b"]
    assert refuses(f, False, True, 10)
    assert set(switched.seen) == {
        "if a or (b and not 0 < n <= 9)",
        "or b and not 0 < n <= 9",
        "and b",
        "0 of 0 < n <= 9",
        "9 of 0 < n <= 9",
    }


def test_one_condition_or_sync_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = '''
        """A file."""

        def f(rows, file):
            os.fsync(file)
            return rows.filter(pk=1, number="new").update(done=True) == 1
    '''
    done: list[object] = []

    class Rows:
        def filter(self, **given: object) -> "Rows":
            done.append(given)
            return self

        def update(self, **given: object) -> int:
            return 1

    class Os:
        @staticmethod
        def fsync(file: str) -> None:
            done.append(file)

    switched = SwitchedSource(source, tmp_path, monkeypatch)
    for one in (None, "os.fsync(file)", "pk=1", 'number="new"'):
        done.clear()
        assert switched.run(one, os=Os)["f"](Rows(), "file")
        expected: list[object] = ["file", {"pk": 1, "number": "new"}]
        if one == "os.fsync(file)":
            del expected[0]
        elif one:
            expected[1] = {"number": "new"} if one == "pk=1" else {"pk": 1}
        assert done == expected


def test_one_part_of_associated_data_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = '''
        """A file."""

        def lock(key, data):
            return key.encrypt(b"", data, place("a", 12) + bound(b"b"))

        def place(table, pk) -> bytes:
            return f"{table}:{pk:x}".encode()

        def bound(part) -> bytes:
            return b"bound " + part
    '''
    switched = SwitchedSource(source, tmp_path, monkeypatch)
    results = {
        text: [names["place"]("a", 12), names["bound"](b"b")]
        for text in (None, "table", "pk", "part")
        for names in [switched.run(text)]
    }
    assert results == {
        None: [b"a:c", b"bound b"],
        "table": [b":c", b"bound b"],
        "pk": [b"a:", b"bound b"],
        "part": [b"a:c", b"bound \0"],
    }
