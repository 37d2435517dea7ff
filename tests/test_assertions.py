"""Every test makes at least one assertion that is always executed.

An assertion only in an `if`, or in a loop that may run zero times, does not count. This is checked in the
source: an assertion counts if it is at the top level of the test, or in a loop over something known not to be
empty (a literal, or a name whose value is looked up). A call of a helper counts if the helper asserts.
"""

import ast
import importlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Functions that count as an assertion: `until` fails if its condition does not become true,
# `run_state_machine_as_test` if an invariant of its state machine is violated.
FAILING = {"raises", "fail", "warns", "expect", "until", "run_machine", "run_state_machine_as_test"}
# Functions that yield at least one item (`left_by_crashes` fails otherwise).
NEVER_EMPTY = {"range", "left_by_crashes"}
# Functions that yield as many items as their argument has.
SAME_LENGTH = {"enumerate", "sorted", "reversed", "list", "tuple", "set", "items", "keys", "values", "map"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def called(node: ast.AST) -> str:
    """The last name of the function that a call calls: `c` for a.b.c(). "" for other nodes."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", "") or getattr(function, "id", "")


class File:
    """A test file: its functions, imports and module-level names."""

    def __init__(self, source: str, name: str = "") -> None:
        self.name, self.tree = name, ast.parse(source)
        self.functions: dict[str, Function] = {
            node.name: node for node in ast.walk(self.tree) if isinstance(node, Function)
        }
        self.imported = {
            alias.asname or alias.name: (node.module or "", alias.name)
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        self.assigned = {
            target.id: node.value
            for node in self.tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }

    def tests(self) -> Iterable[Function]:
        return (node for name, node in self.functions.items() if name.startswith("test_"))

    def asserts(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a statement certainly asserts something when it is executed.

        seen: names of functions that are being examined already, against endless recursion.
        """
        if isinstance(node, ast.For | ast.AsyncFor):
            return self.is_not_empty(node.iter) and self.any_asserts(node.body, seen)
        if isinstance(node, ast.If):
            return self.any_asserts(node.body, seen) and self.any_asserts(node.orelse, seen)
        if isinstance(node, ast.Try):
            ends = [[*node.body, *node.orelse], *(handler.body for handler in node.handlers)]
            return all(self.any_asserts(end, seen) for end in ends) or self.any_asserts(node.finalbody, seen)
        if isinstance(node, ast.While | ast.Match | Function | ast.ClassDef):
            return False
        if isinstance(node, ast.With | ast.AsyncWith):
            return any(self.calls(item, seen) for item in node.items) or self.any_asserts(node.body, seen)
        return isinstance(node, ast.Assert) or self.calls(node, seen)

    def any_asserts(self, body: Iterable[ast.AST], seen: frozenset[str]) -> bool:
        return any(self.asserts(node, seen) for node in body)

    def calls(self, node: ast.AST, seen: frozenset[str]) -> bool:
        """Whether an expression calls one of FAILING, or a function of the tests that asserts."""
        return any(
            name in FAILING or self.function_asserts(name, seen)
            for name in (called(inner) for inner in ast.walk(node))
            if name
        )

    def function_asserts(self, name: str, seen: frozenset[str]) -> bool:
        if name in seen:
            return False
        if name in self.functions:
            return self.any_asserts(self.functions[name].body, seen | {name})
        module, original = self.imported.get(name, ("", ""))
        return module.startswith("tests.") and parsed_file(module).function_asserts(original, frozenset())

    def is_not_empty(self, node: ast.expr) -> bool:
        """Whether a loop over this runs at least once. False if the source does not show it."""
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return any(not isinstance(item, ast.Starred) for item in node.elts)
        if isinstance(node, ast.Dict):
            return bool(node.keys)
        if isinstance(node, ast.Constant):
            return bool(node.value)
        if isinstance(node, ast.Name):
            return self.name_is_not_empty(node.id)
        if called(node) in NEVER_EMPTY:
            return True
        if isinstance(node, ast.Call) and called(node) in SAME_LENGTH:
            argument = node.args[-1] if node.args else getattr(node.func, "value", None)
            return argument is not None and self.is_not_empty(argument)
        return False

    def name_is_not_empty(self, name: str) -> bool:
        if name in self.assigned and self.is_not_empty(self.assigned[name]):
            return True
        module, original = self.imported.get(name, (self.name, name))
        value = getattr(importlib.import_module(module), original, None) if module else None
        return isinstance(value, Iterable) and any(True for _item in value)


@cache
def parsed_file(module: str) -> File:
    return File((ROOT / Path(*module.split(".")).with_suffix(".py")).read_text(), module)


def modules() -> list[str]:
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths]


def test_every_test_has_an_assertion_that_is_always_executed() -> None:
    found = {module: parsed_file(module) for module in modules()}
    assert sum(len(list(parsed.tests())) for parsed in found.values()) > 1000
    assert [
        f"{module}.{test.name}"
        for module, parsed in found.items()
        for test in parsed.tests()
        if not parsed.any_asserts(test.body, frozenset())
    ] == []


@pytest.mark.parametrize(
    ("body", "always_executed"),
    [
        ("assert x", True),
        ("for y in x:\n  assert y", False),
        ("for y in (1, 2):\n  assert y", True),
        ("for y in [*x]:\n  assert y", False),
        ("for n, y in enumerate(KNOWN):\n  assert y", True),
        ("for y in EMPTY:\n  assert y", False),
        ("for y in range(3):\n  if y > x:\n    assert y", False),
        ("if x:\n  assert x\nelse:\n  assert not x", True),
        ("while x:\n  assert x", False),
        ("with pytest.raises(ValueError):\n  x()", True),
        ("try:\n  assert x\nexcept ValueError:\n  pass", False),
        ("def inner():\n  assert x", False),
        ("check(x)", True),
        ("check_each(x)", False),
        ("x()", False),
    ],
)
def test_the_check_finds_a_test_that_cannot_fail(body: str, always_executed: bool) -> None:
    indented = "".join(f"  {line}\n" for line in body.split("\n"))
    helpers = "def check(x):\n  assert x\ndef check_each(x):\n  for y in x:\n    assert y\n"
    parsed = File(f"KNOWN = [0]\nEMPTY = ()\ndef test_it(x):\n{indented}{helpers}")
    (test,) = parsed.tests()
    assert parsed.any_asserts(test.body, frozenset()) is always_executed
