"""What the finder needs to know about all files: which functions never return, filter rows or bind data."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.guards.refusals import only_checks, refuses
from tests.guards.syntax import Function, assigned, called, own_nodes, parameters, returned, selects

# The methods of ciphers that take associated data, and the position or name of that argument.
AEAD = {"encrypt": 2, "decrypt": 2, "decrypt_into": 2, "GCMParams": 1}
BY_NAME = {("HKDF", "info")}
SYNC = {"fsync", "fdatasync", "sync"}


@dataclass
class Project:
    """The functions of all files, by name."""

    trees: list[ast.Module]
    functions: dict[str, list[Function]] = field(default_factory=dict)
    never_return: set[str] = field(default_factory=set)
    syncs: set[str] = field(default_factory=set)
    binders: set[str] = field(default_factory=set)  # functions whose result is used as associated data
    conditions: set[str] = field(default_factory=set)  # functions that filter the rows of an update
    # Functions whose result decides whether something is refused.
    deciders: set[str] = field(default_factory=set)
    checkers: set[str] = field(default_factory=set)  # functions that can only refuse

    @classmethod
    def from_sources(cls, sources: Iterable[str]) -> "Project":
        project = cls([ast.parse(source) for source in sources])
        owners: dict[int, str] = {}  # the class of each method
        for tree in project.trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    owners |= {id(item): node.name for item in node.body}
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    project.functions.setdefault(node.name, []).append(node)
        for name, found in project.functions.items():
            for function in found:
                if function.returns and ast.unparse(function.returns).split(".")[-1] in {"NoReturn", "Never"}:
                    project.never_return.add(name)
                if "sync" in name and any(called(node) in SYNC for node in own_nodes(function)):
                    project.syncs.add(name)
        project._find_binders(owners)
        project._find_conditions()
        project._find_deciders()
        project._find_checkers()
        return project

    def _find_binders(self, owners: dict[int, str]) -> None:
        """Follow associated data from the ciphers back through parameters to the functions that build it."""
        sinks: dict[str, tuple[int, str]] = {name: (position, "") for name, position in AEAD.items()}
        sinks |= {name: (-1, keyword) for name, keyword in BY_NAME}
        before: dict[str, tuple[int, str]] = {}
        while sinks != before:
            before = dict(sinks)
            for function in self._all_functions():
                names = parameters(function)
                for node in own_nodes(function):
                    bound = _argument(node, before)
                    for leaf in _leaves(bound, function) if bound is not None else []:
                        if isinstance(leaf, ast.Name) and leaf.id in names:
                            name = function.name if function.name != "__init__" else owners[id(function)]
                            sinks.setdefault(name, (names.index(leaf.id), leaf.id))
                        elif any(_gives_bytes(item) for item in self.functions.get(called(leaf), [])):
                            self.binders.add(called(leaf))

    def _find_deciders(self) -> None:
        for function in self._all_functions():
            for node in own_nodes(function):
                if isinstance(node, ast.If) and refuses(node.body, function, self.never_return):
                    self.deciders |= set(_called_in_condition(node.test, function)) & self.functions.keys()

    def _find_checkers(self) -> None:
        before = None
        while before != self.checkers:
            before = set(self.checkers)
            self.checkers = {
                name
                for name, functions in self.functions.items()
                if all(only_checks(function, before, self.never_return) for function in functions)
            }

    def _all_functions(self) -> Iterator[Function]:
        for functions in self.functions.values():
            yield from functions

    def _find_conditions(self) -> None:
        """Functions that narrow the rows of an update or deletion, and those that such functions call."""
        chains: list[ast.AST] = []
        for function in self._all_functions():
            for node in own_nodes(function):
                if isinstance(node, ast.Call) and called(node) in {"update", "delete"}:
                    chains += rows_of(node.func, function)
        seen: set[str] = set()
        while chains:
            for node in ast.walk(chains.pop()):
                name = called(node)
                if name in seen or name in {"update", "delete"}:
                    continue
                seen.add(name)
                for function in self.functions.get(name, []):
                    for value in filter(selects, returned(function)):
                        self.conditions.add(name)
                        chains.append(value)


def rows_of(node: ast.expr, function: ast.AST, depth: int = 3) -> list[ast.expr]:
    """The expressions that say which rows: the chain itself, and what its local name was set to."""
    found = [node]
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Name) and depth:
        for value in filter(selects, assigned(function, node.id)):
            found += rows_of(value, function, depth - 1)
    return found


def _gives_bytes(function: Function) -> bool:
    return function.returns is not None and ast.unparse(function.returns) == "bytes"


def _argument(node: ast.AST, sinks: dict[str, tuple[int, str]]) -> ast.expr | None:
    """The associated data that a call gives to a sink; None if the node is no such call."""
    if not isinstance(node, ast.Call) or called(node) not in sinks:
        return None
    position, name = sinks[called(node)]
    for keyword in node.keywords:
        if name and keyword.arg == name:
            return keyword.value
    return node.args[position] if 0 <= position < len(node.args) else None


def _leaves(node: ast.expr, function: ast.AST, depth: int = 3) -> Iterator[ast.expr]:
    """The operands of an expression, through `+` and local names."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _leaves(node.left, function, depth)
        yield from _leaves(node.right, function, depth)
    elif isinstance(node, ast.Name) and depth and (values := assigned(function, node.id)):
        for value in values:
            yield from _leaves(value, function, depth - 1)
    else:
        yield node


def _called_in_condition(test: ast.expr, function: ast.AST) -> Iterator[str]:
    """Names of the functions that a condition calls, alone or as operands, also through a local name."""
    if isinstance(test, ast.NamedExpr):
        yield from _called_in_condition(test.value, function)
    elif isinstance(test, ast.UnaryOp):
        yield from _called_in_condition(test.operand, function)
    elif isinstance(test, ast.BoolOp):
        for value in test.values:
            yield from _called_in_condition(value, function)
    elif isinstance(test, ast.Name):
        for value in assigned(function, test.id):
            if isinstance(value, ast.Call):
                yield called(value)
    elif isinstance(test, ast.Call):
        yield called(test)
