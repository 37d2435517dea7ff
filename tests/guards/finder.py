"""Find the guards of a source file in its syntax tree."""

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tests.guards.guard import Guard, Kind
from tests.guards.project import SYNC, Project, rows_of
from tests.guards.refusals import answers, refuses
from tests.guards.syntax import SELECTING, Function, called, own_nodes, returned

# The operators of a range, such as `0 < n <= 9`.
ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
PRIMARY_KEYS = {"pk", "id", "pk__in", "id__in"}  # conditions by primary key alone
MOST_TEXT = 160  # the longest text of a guard, in characters


@dataclass(frozen=True)
class Switch:
    """A call of the function `name` of switches.py, to be put around the bytes from `start` to `end`."""

    name: str
    start: int
    end: int
    # "wrap" puts the call around an expression, "keyword" around a keyword argument, "call" around a call
    # whose function becomes an argument; "part" replaces a whole f-string by `replacement`, and `part` is the
    # number of the value in it.
    how: str = "wrap"
    replacement: str = ""
    part: int = 0


@dataclass(frozen=True)
class Found:
    """A guard and the switch that turns it off."""

    guard: Guard
    switch: Switch


@dataclass
class Finder:
    """The guards of one file."""

    path: str
    source: bytes
    project: Project
    found: list[Found] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.source)
        self.starts = [0]
        for line in self.source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self._wrapped: set[tuple[str, int, int]] = set()

    def guards(self) -> list[Found]:
        """Every guard, in the order of the source; equal guards of a function are numbered."""
        for name, function in _functions(self.tree):
            self._refusals(name, function)
            self._predicate(name, function)
            self._checks(name, function)
            self._returned_choices(name, function)
            self._refusing_choices(name, function)
            self._updates(name, function)
            self._selections(name, function)
            self._bindings(name, function)
            self._syncs(name, function)
        self.found.sort(key=lambda item: (item.switch.start, -item.switch.end, item.switch.part))
        count: Counter[str] = Counter()
        numbered = []
        for item in self.found:
            key = item.guard.key
            numbered.append(replace(item, guard=replace(item.guard, nth=count[key])))
            count[key] += 1
        return numbered

    # Conditions

    def _refusals(self, name: str, function: Function) -> None:
        for node in own_nodes(function):
            if not isinstance(node, ast.If):
                continue
            if self._refuses(node.body, function):
                self._add(name, Kind.REFUSAL, node.test, "refuse", f"if {self._text(node.test)}")
                self._operands(name, node.test)
            if (
                node.orelse
                and not isinstance(node.orelse[0], ast.If)
                and self._refuses(node.orelse, function)
            ):
                self._add(name, Kind.REFUSAL, node.test, "require", f"if not {self._text(node.test)}")
                self._operands(name, node.test)

    def _refusing_choices(self, name: str, function: Function) -> None:
        """`value if condition else refuse()`, where `refuse` never returns."""
        for node in own_nodes(function):
            if not isinstance(node, ast.IfExp):
                continue
            for part, switch, word in ((node.body, "refuse", "if"), (node.orelse, "require", "if not")):
                if called(part) in self.project.never_return:
                    self._add(name, Kind.REFUSAL, node.test, switch, f"{word} {self._text(node.test)}")
                    self._operands(name, node.test)

    def _refuses(self, body: Sequence[ast.stmt], function: Function) -> bool:
        return refuses(body, function, self.project.never_return) or (
            function.name in self.project.deciders and answers(body)
        )

    def _checks(self, name: str, function: Function) -> None:
        """Calls whose only effect is a refusal."""
        for node in own_nodes(function):
            if not isinstance(node, ast.Expr):
                continue
            awaited = isinstance(node.value, ast.Await)
            call = node.value.value if isinstance(node.value, ast.Await) else node.value
            if isinstance(call, ast.Call) and called(call) in self.project.checkers:
                switch = "await_sync" if awaited else "sync"
                self._add(name, Kind.CHECK, call, switch, self._text(call), how="call")

    def _returned_choices(self, name: str, function: Function) -> None:
        """The operands of the condition of a returned `... if ... else ...`."""
        for value in returned(function):
            if isinstance(value, ast.IfExp):
                self._operands(name, value.test)

    def _predicate(self, name: str, function: Function) -> None:
        if function.returns is not None and ast.unparse(function.returns) == "bool":
            for value in returned(function):
                self._operands(name, value)

    def _operands(self, name: str, test: ast.expr) -> None:
        """Each operand of and/or, at any depth; each end of a chained comparison."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            self._operands(name, test.operand)
        elif isinstance(test, ast.BoolOp):
            kind = "either" if isinstance(test.op, ast.Or) else "both"
            for operand in test.values:
                word = "or" if kind == "either" else "and"
                self._add(name, Kind.OPERAND, operand, kind, f"{word} {self._text(operand)}")
                self._operands(name, operand)
        elif isinstance(test, ast.Call) and called(test) == "bool" and len(test.args) == 1:
            self._operands(name, test.args[0])
        elif (
            isinstance(test, ast.Compare)
            and len(test.ops) == 2
            and all(isinstance(op, ORDER) for op in test.ops)
        ):
            first, last = test.left, test.comparators[-1]
            ends = ("least", "most") if isinstance(test.ops[0], ast.Lt | ast.LtE) else ("most", "least")
            for end, switch in ((first, ends[0]), (last, ends[1])):
                text = f"{self._text(end)} of {self._text(test)}"
                self._add(name, Kind.BOUND, end, switch, text)

    # Updates

    def _updates(self, name: str, function: Function) -> None:
        parents = {id(child): node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
        for node in own_nodes(function):
            if called(node) not in {"update", "delete"} or not isinstance(node, ast.Call):
                continue
            calls = list(self._filter_calls(node.func, function))
            if not calls:
                continue
            counted = not isinstance(parents[id(node)], ast.Expr)
            if not counted:
                self._add(name, Kind.CHANGE, node, "sync", self._text(node), how="call")
            conditions = [item for call in calls for item in _arguments(call)]
            for item in conditions:
                by_key = isinstance(item, ast.keyword) and item.arg in PRIMARY_KEYS
                if counted or (len(conditions) > 1 and not by_key):
                    self._condition(name, item)
        if function.name in self.project.conditions:
            self._conditions_in(name, returned(function), Kind.CONDITION)

    def _selections(self, name: str, function: Function) -> None:
        """Conditions in named queryset methods and in the functions of relations.py."""
        if name.rpartition(".")[0].endswith("QuerySet"):
            self._conditions_in(name, returned(function), Kind.SELECTION)
        elif self.path.endswith("/relations.py"):
            self._conditions_in(name, [function], Kind.SELECTION)

    def _conditions_in(self, name: str, nodes: Sequence[ast.AST], kind: Kind) -> None:
        for node in nodes:
            for call in _walk_own(node):
                if called(call) in SELECTING | {"Q"} and isinstance(call, ast.Call):
                    for item in _arguments(call):
                        self._condition(name, item, kind)

    def _filter_calls(self, node: ast.expr, function: Function) -> Iterator[ast.Call]:
        """The filter and exclude calls before an update, also if the queryset is in a local variable."""
        for chain in rows_of(node, function):
            part = chain
            while isinstance(part, ast.Attribute | ast.Call):
                if isinstance(part, ast.Call) and called(part) in SELECTING:
                    yield part
                part = part.func if isinstance(part, ast.Call) else part.value

    def _condition(self, name: str, item: ast.expr | ast.keyword, kind: Kind = Kind.CONDITION) -> None:
        if isinstance(item, ast.Starred):
            return
        if not isinstance(item, ast.keyword):
            self._add(name, kind, item, "condition", self._text(item))
            for call in _walk_own(item):
                if called(call) == "Q" and isinstance(call, ast.Call) and call is not item:
                    for inner in _arguments(call):
                        self._condition(name, inner, kind)
        elif item.arg is not None:
            self._add(name, kind, item, "conditions", self._text(item), how="keyword")

    # Parts of associated data, and calls that make something durable

    def _bindings(self, name: str, function: Function) -> None:
        if function.name not in self.project.binders or ast.unparse(function.returns or function) != "bytes":
            return
        for value in returned(function):
            parts = [part for part in _summands(value) if not isinstance(part, ast.Constant)]
            for part in parts:
                self._add(name, Kind.BINDING, part, "binding", self._text(part))
            for text in _walk_own(value):
                if isinstance(text, ast.JoinedStr):
                    self._text_parts(name, text)

    def _text_parts(self, name: str, text: ast.JoinedStr) -> None:
        """Each value in an f-string.

        The f-string is replaced by a sum, because the positions of its values are not known.
        """
        values = [part for part in text.values if isinstance(part, ast.FormattedValue)]
        if len(values) < 2:
            return
        start, end = self._range(text)
        replacement = _as_sum(text)
        for number, value in enumerate(values):
            shown = ast.unparse(value.value)
            guard = Guard(self.path, name, Kind.BINDING, shown, text.lineno, text.end_lineno or text.lineno)
            self.found.append(Found(guard, Switch("binding", start, end, "part", replacement, number)))

    def _syncs(self, name: str, function: Function) -> None:
        for node in own_nodes(function):
            if isinstance(node, ast.Call) and called(node) in SYNC | self.project.syncs:
                self._add(name, Kind.SYNC, node, "sync", self._text(node), how="call")

    # Positions

    def _add(
        self, name: str, kind: Kind, node: ast.expr | ast.keyword, switch: str, text: str, how: str = "wrap"
    ) -> None:
        start, end = self._range(node)
        if (switch, start, end) in self._wrapped:
            return
        self._wrapped.add((switch, start, end))
        if how == "call" and isinstance(node, ast.Call):
            end = self.source.index(b"(", self._range(node.func)[1])
        guard = Guard(self.path, name, kind, text, node.lineno, node.end_lineno or node.lineno)
        self.found.append(Found(guard, Switch(switch, start, end, how)))

    def _range(self, node: ast.expr | ast.keyword) -> tuple[int, int]:
        """The first byte of a node and the one after its last."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self.starts[node.lineno - 1] + node.col_offset,
            self.starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _text(self, node: ast.expr | ast.keyword) -> str:
        start, end = self._range(node)
        return " ".join(self.source[start:end].decode().split())[:MOST_TEXT]


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function with its qualified name, also functions inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        else:
            yield from _functions(node, prefix)


def _arguments(call: ast.Call) -> list[ast.expr | ast.keyword]:
    return [*call.args, *call.keywords]


def _walk_own(node: ast.AST) -> Iterator[ast.AST]:
    """The node itself and its own nodes."""
    yield node
    yield from own_nodes(node)


def _summands(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        yield from _summands(node.left)
        yield from _summands(node.right)
    else:
        yield node


def _as_sum(text: ast.JoinedStr) -> str:
    """An f-string as a sum of its parts. `NUMBER0_`, `NUMBER1_` ... stand for the numbers of the guards."""
    parts = []
    number = 0
    for part in text.values:
        if isinstance(part, ast.FormattedValue):
            alone = ast.unparse(ast.JoinedStr([part]))
            parts.append(f"_guard_binding(NUMBER{number}_, {alone})")
            number += 1
        else:
            parts.append(ast.unparse(part))
    return f"({' + '.join(parts)})"
