"""Texts that our code writes down literally: messages, with something in place of each value."""

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import smart_sync

ROOT = Path(smart_sync.__file__).parent


def texts_of(calls: Mapping[str, int]) -> Iterator[tuple[str, ast.Call, str]]:
    """Place, call and text of each argument that is a literal; ``calls``: name → how many arguments, from the first."""
    for place, name, node in _calls():
        for argument in node.args[: calls.get(name, 0)]:
            if text := sample(argument):
                yield place, node, text


@functools.cache
def _calls() -> list[tuple[str, str, ast.Call]]:
    """Place, name and call of each function that is called by its bare name with a literal."""
    return [
        (f"{path.stem}:{node.lineno}", node.func.id, node)
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and any(map(sample, node.args))
    ]


def sample(node: ast.expr) -> str:
    """The text of a literal, with something in place of each value; "" for what is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [str(part.value) if isinstance(part, ast.Constant) else "X1" for part in node.values]
    # What begins with a value goes on with a text that was made elsewhere.
    return "".join(parts) if any(part.strip("; ") != "X1" for part in parts) else ""
