"""A verdict is valid until the code it rests on changes; an accepted guard exists and has a reason."""

from pathlib import Path

import pytest

from tests.guards import accepted, texts
from tests.guards.__main__ import to_judge
from tests.guards.accepted import Accepted
from tests.guards.guard import Guard, Kind
from tests.guards.reach import Reach
from tests.guards.tried import Tried
from tests.guards.verdicts import Verdict, Verdicts

CODE = "def enter(who):\n    if who is None:\n        raise ValueError\n\n\ndef leave(who):\n    pass\n"
TEST = "def test_nobody():\n    assert refused(None)\n\n\ndef test_other():\n    pass\n"
NODE = "tests/clinic/people/test_doors.py::test_nobody[a]"
GUARD = Guard("clinic/people/doors.py", "enter", Kind.REFUSAL, "if who is None", 2, 2)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "clinic/people/doors.py", CODE)
    write(tmp_path, "tests/clinic/people/test_doors.py", TEST)
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    texts.forget()


def change(root: Path, path: str, old: str, new: str) -> None:
    text = (root / path).read_text()
    assert old in text
    write(root, path, text.replace(old, new))


def load_verdicts(root: Path) -> Verdicts:
    return Verdicts(root / "verdicts.json", root)


def test_a_noticed_guard_is_not_judged_again(root: Path) -> None:
    load_verdicts(root).notice(GUARD, NODE)
    change(root, "clinic/people/doors.py", "pass", "return None")
    change(root, "tests/clinic/people/test_doors.py", "pass", "assert True")
    found = load_verdicts(root).valid_verdict(GUARD)
    assert found is not None
    assert (found.test, found.noticed) == (NODE, True)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("clinic/people/doors.py", "raise ValueError", "raise KeyError"),
        ("tests/clinic/people/test_doors.py", "assert refused(None)", "assert refused(1)"),
        ("tests/clinic/people/test_doors.py", "test_nobody", "test_nobody_at_all"),
    ],
)
def test_a_changed_function_or_test_ends_the_verdict(root: Path, path: str, old: str, new: str) -> None:
    load_verdicts(root).notice(GUARD, NODE)
    change(root, path, old, new)
    assert load_verdicts(root).valid_verdict(GUARD) is None


def test_new_comments_and_docstrings_do_not_end_a_verdict(root: Path) -> None:
    load_verdicts(root).notice(GUARD, NODE)
    change(root, "clinic/people/doors.py", "def enter(who):\n", 'def enter(who):\n    """Let one in."""\n')
    change(root, "clinic/people/doors.py", "raise ValueError\n", "raise ValueError  # nobody is there\n")
    assert load_verdicts(root).valid_verdict(GUARD) is not None


def test_a_survivor_is_judged_again_after_any_change_of_the_packages_tests(root: Path) -> None:
    load_verdicts(root).miss(GUARD, [NODE])
    assert load_verdicts(root).valid_verdict(GUARD) == Verdict(
        "", 1, load_verdicts(root).all[GUARD.key].digest
    )
    write(root, "tests/clinic/audit/test_else.py", "def test_it():\n    pass\n")
    assert load_verdicts(root).valid_verdict(GUARD) is not None
    write(root, "tests/clinic/people/test_new.py", "def test_it():\n    pass\n")
    assert load_verdicts(root).valid_verdict(GUARD) is None


def test_the_file_has_one_line_for_each_guard_that_exists(root: Path) -> None:
    verdicts = load_verdicts(root)
    other = Guard("clinic/people/doors.py", "leave", Kind.SYNC, "os.fsync(fd)", 6, 6)
    verdicts.notice(GUARD, NODE)
    verdicts.miss(other, [])
    lines = verdicts.path.read_text().splitlines()
    assert [line[:40] for line in lines] == [
        "{",
        '"clinic/people/doors.py::enter::refusal:',
        '"clinic/people/doors.py::leave::sync::os',
        "}",
    ]
    verdicts.keep_only([other])
    assert list(load_verdicts(root).all) == [other.key]


def test_a_test_that_passed_without_a_guard_is_not_run_for_it_again(root: Path) -> None:
    other = "tests/clinic/people/test_doors.py::test_other"

    def tried() -> Tried:
        return Tried(root / "tried.jsonl", root)

    assert tried().left(GUARD, [NODE, other]) == [NODE, other]
    tried().passed(GUARD, [other])
    assert tried().left(GUARD, [NODE, other]) == [NODE]
    change(root, "tests/clinic/people/test_doors.py", "pass", "assert True")
    assert tried().left(GUARD, [NODE, other]) == [NODE, other]
    tried().passed(GUARD, [NODE, other])
    change(root, "clinic/people/doors.py", "raise ValueError", "raise KeyError")
    assert tried().left(GUARD, [NODE, other]) == [NODE, other]


def test_an_accepted_entry_fits_its_guard_only(tmp_path: Path) -> None:
    file = tmp_path / "accepted.toml"
    file.write_text(
        "[[accepted]]\n"
        'file = "clinic/people/doors.py"\nfunction = "enter"\nkind = "refusal"\n'
        'guard = "if who is None"\nreason = "the database refuses it too"\n'
    )
    [entry] = accepted.read(file)
    assert entry.fits(GUARD)
    assert accepted.unmatched([entry], [GUARD]) == []
    other = Guard(GUARD.path, GUARD.function, GUARD.kind, "if not who", 2, 2)
    assert not entry.fits(other)
    assert accepted.unmatched([entry], [other]) == [entry]
    assert isinstance(entry, Accepted)


def test_only_new_guards_are_judged_unless_the_unnoticed_are_judged_again(root: Path) -> None:
    noticed, survivor, accepted_one, new = (
        Guard(GUARD.path, "enter", Kind.REFUSAL, text, 2, 2) for text in ("if a", "if b", "if c", "if d")
    )
    guards = [noticed, survivor, accepted_one, new]
    entries = [Accepted(GUARD.path, "enter", "refusal", "if c", "a second line")]
    verdicts = load_verdicts(root)
    verdicts.notice(noticed, NODE)
    verdicts.miss(survivor, [NODE])
    assert to_judge(guards, verdicts, entries, judge_again=False) == [new]
    assert to_judge(guards, verdicts, entries, judge_again=True) == [survivor, accepted_one, new]


def test_an_accepted_guard_needs_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "accepted.toml"
    file.write_text(
        '[[accepted]]\nfile = "a.py"\nfunction = "f"\nkind = "sync"\nguard = "os.fsync(fd)"\nreason = " "\n'
    )
    with pytest.raises(ValueError, match="an entry needs"):
        accepted.read(file)


def reach(root: Path, *rows: dict[str, object]) -> Reach:
    found = Reach(root / "reach.jsonl", root)
    known = found.store_guards([GUARD])
    found._write({"known": known, "outcome": "passed", "seconds": 1.0, **row} for row in rows)
    return Reach(root / "reach.jsonl", root)


def row(root: Path, test: str, reached: list[int], **more: object) -> dict[str, object]:
    file = texts.file_digest(root / test.partition("::")[0])
    return {"test": test, "file": file, "reached": reached, **more}


def test_the_likeliest_test_comes_first(root: Path) -> None:
    tests = ["tests/erasure/test_far.py::test_a", "tests/clinic/people/test_doors.py::test_slow", NODE]
    found = reach(
        root,
        row(root, tests[0], [0]),
        row(root, tests[1], [0], seconds=9.0),
        row(root, tests[2], [0]),
        row(root, "tests/clinic/people/test_doors.py::test_other", []),
        row(root, "tests/clinic/people/test_doors.py::test_broken", [0], outcome="failed"),
    )
    assert found.tests_of(GUARD) == [NODE, tests[1], tests[0]]


def test_new_changed_failed_and_near_tests_are_measured(root: Path) -> None:
    far, near = "tests/erasure/test_far.py::test_a", "tests/erasure/test_far.py::test_b"
    write(root, "tests/erasure/test_far.py", "def test_a(): ...\n\n\ndef test_b(): ...\n")
    found = reach(root, row(root, NODE, [0]), row(root, far, []), row(root, near, [0]))
    tests = [NODE, far, near]
    assert found.missing(tests, [GUARD]) == []
    assert found.missing([*tests, "tests/erasure/test_far.py::test_new"], [GUARD]) == [
        "tests/erasure/test_far.py::test_new"
    ]
    new = Guard(GUARD.path, "enter", Kind.REFUSAL, "if who.closed", 3, 3)
    assert found.missing(tests, [GUARD, new]) == [NODE, near]
    broken = reach(root, row(root, NODE, [], outcome="failed"))
    assert broken.missing([NODE], [GUARD]) == [NODE]
    change(root, "tests/erasure/test_far.py", "def test_a(): ...", "def test_a(): pass")
    assert found.missing(tests, [GUARD]) == [far, near]
