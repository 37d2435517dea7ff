"""Whether statements refuse: they raise, add an error to a form, or answer with 4xx."""

import ast
from collections.abc import Collection, Sequence

from tests.guards.syntax import Function, called, own_nodes

REFUSING_CALLS = {"add_error", "HttpResponseNotAllowed", "HttpResponseForbidden", "HttpResponseBadRequest"}


def refuses(body: Sequence[ast.stmt], function: Function, never_return: Collection[str]) -> bool:
    """Whether these statements of `function` end in a refusal.

    never_return: names of functions that always raise.
    """
    if any(isinstance(node, ast.Expr) and _refusing_call(node.value, never_return) for node in body):
        return True
    last = body[-1]
    if isinstance(last, ast.Raise):
        return True
    if isinstance(last, ast.Return) and last.value is not None:
        value = last.value.value if isinstance(last.value, ast.Await) else last.value
        if isinstance(value, ast.Constant) and value.value is False:
            return function.returns is not None and ast.unparse(function.returns) == "bool"
        return _refusing_answer(value)
    if isinstance(last, ast.If) and last.orelse:
        return all(refuses(part, function, never_return) for part in (last.body, last.orelse))
    return isinstance(last, ast.With | ast.AsyncWith) and refuses(last.body, function, never_return)


def _refusing_call(node: ast.expr, never_return: Collection[str]) -> bool:
    node = node.value if isinstance(node, ast.Await) else node
    name = called(node)
    return name in never_return or name in REFUSING_CALLS or _has_4xx_status(node)


def _refusing_answer(node: ast.expr) -> bool:
    name = called(node)
    if not isinstance(node, ast.Call):
        return False
    first = node.args[0] if node.args else None
    if name == "Decision" and isinstance(first, ast.Constant) and first.value is False:
        return True
    return name in REFUSING_CALLS or name.lstrip("_") in {"refusal", "refuse"} or _has_4xx_status(node)


def _has_4xx_status(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call):
        return False
    given = [*node.args, *(word.value for word in node.keywords if word.arg == "status")]
    return any(
        isinstance(item, ast.Constant) and isinstance(item.value, int) and 400 <= item.value < 500
        for item in given
    )


def answers(body: Sequence[ast.stmt]) -> bool:
    """Whether these statements end with a result: a returned value other than None and "", or an append."""
    last = body[-1]
    if isinstance(last, ast.Expr):
        return called(last.value) == "append" or isinstance(last.value, ast.Yield)
    if not isinstance(last, ast.Return) or last.value is None:
        return False
    return not (isinstance(last.value, ast.Constant) and last.value.value in {None, ""})


def only_checks(function: Function, checkers: Collection[str], never_return: Collection[str]) -> bool:
    """Whether a function can only refuse: it returns nothing and changes nothing."""
    if function.returns is None or ast.unparse(function.returns) != "None":
        return False
    refusing = False
    for node in own_nodes(function):
        if isinstance(node, ast.Raise) or called(node) in {*checkers, *never_return}:
            refusing = True
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await | ast.Yield):
            call = node.value.value if isinstance(node.value, ast.Await) else node.value
            if call is None or called(call) not in {*checkers, *never_return}:
                return False
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
            targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
            if any(not isinstance(target, ast.Name | ast.Tuple) for target in targets):
                return False
        elif isinstance(node, ast.Yield | ast.YieldFrom) or called(node) in {
            "save",
            "update",
            "delete",
            "create",
            "write",
            "unlink",
        }:
            return False
    return refusing
