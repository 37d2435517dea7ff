"""Functions that answer questions about a syntax tree."""

import ast
from collections.abc import Iterator

SELECTING = {"filter", "exclude"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def called(node: ast.AST) -> str:
    """The name of the function that a call calls, `b` for `a.b()`; "" if the node is no call."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and classes inside it."""
    stack = list(ast.iter_child_nodes(function))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            stack.extend(ast.iter_child_nodes(node))


def parameters(function: Function) -> list[str]:
    """Names of the parameters in their order, without `self` and `cls`."""
    names = [item.arg for item in (*function.args.posonlyargs, *function.args.args)]
    return [name for name in names if name not in {"self", "cls"}]


def assigned(function: ast.AST, name: str) -> list[ast.expr]:
    """The expressions that a function assigns to a local name."""
    return [
        node.value
        for node in own_nodes(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id == name
    ]


def selects(node: ast.AST) -> bool:
    """Whether an expression filters a queryset or builds a Q."""
    return any(called(part) in SELECTING | {"Q"} for part in ast.walk(node))


def returned(function: Function) -> list[ast.expr]:
    """The expressions that a function returns."""
    return [node.value for node in own_nodes(function) if isinstance(node, ast.Return) and node.value]
