"""The code of functions. A verdict stores its digest, to notice when the code changes."""

import ast
import hashlib
import io
import re
import tokenize
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tests.guards.packages import ROOT


def digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@cache
def _functions(path: Path) -> dict[str, str]:
    """The code of each function of a file by its qualified name.

    Functions of equal name (overloads) are joined.
    """
    source = path.read_text()
    tree = ast.parse(source)
    lines = _code_of(source, tree)
    found: dict[str, str] = {}

    def walk(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = prefix
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}{child.name}"
                if not isinstance(child, ast.ClassDef):
                    first = min([child.lineno, *(item.lineno for item in child.decorator_list)])
                    text = " ".join(lines[first - 1 : child.end_lineno])
                    found[name] = found.get(name, "") + re.sub(r"\s+", " ", text).strip()
                name += "."
            walk(child, name)

    walk(tree, "")
    return found


def _code_of(source: str, tree: ast.AST) -> list[str]:
    """The lines of a file without comments and docstrings: changing those does not end a verdict."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and ast.get_docstring(
            node
        ):
            docstring = node.body[0]
            for row in range(docstring.lineno - 1, docstring.end_lineno or docstring.lineno):
                lines[row] = ""
    return lines


def snapshot(paths: Iterable[str], root: Path = ROOT) -> None:
    """Read files now, so that verdicts of the next hours belong to the code that was tested."""
    for path in paths:
        _functions(root / path)
        file_digest(root / path)


def forget() -> None:
    """Empty the caches, so that files are read again."""
    _functions.cache_clear()
    file_digest.cache_clear()


def function_text(path: str, function: str, root: Path = ROOT) -> str:
    """The code of a function of the project, without comments and docstrings; "" if it does not exist."""
    file = root / path
    return _functions(file).get(function, "") if file.is_file() else ""


def text_of_test(nodeid: str, root: Path = ROOT) -> str:
    """The code of a test's function; "" if it does not exist."""
    path, _, rest = nodeid.partition("::")
    return function_text(path, rest.partition("[")[0].replace("::", "."), root)


@cache
def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""
